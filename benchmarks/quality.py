"""Rank correlation of the scorer with people's ratings, beside simple measures of the same texts.

    python benchmarks/quality.py FOLDER/*.jsonl [--most 300] [--groups]

A file has one JSON object a line: `text`, `prompt` (or null), `group` (or null) and `ratings` {dimension: number}. A text counts as a
department with one note: the first 200 characters of the prompt are its one aspect, and there is no brief. A prompt of more than 100 words
is the source of a summary and not what was asked for, so it is no aspect; nearness to its first 200 words is among the simple measures.

Each figure is Spearman's rank correlation, averaged over the dimensions of the set. `whole` is the score, then come its parts and the
simple measures: length in words, number of distinct telling words, share of distinct words, mean rarity of the words, nearness to the
prompt. The last row is the mean over the sets that have the figure; nearness counts 0 where there is no prompt. `--groups` correlates
inside groups of at least three texts and takes the mean.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.quality import WEIGHTS
from gather_pipeline.ports import Embedder
from gather_pipeline.quality.scorer import measure
from gather_pipeline.quality.statistics import rarity, telling
from gather_pipeline.similarity.defaults import default_embedder
from gather_pipeline.text.words import raw_words, tokens

SEED = 7
LONGEST_PROMPT = 100  # words
SIMPLE = ("length", "distinct", "variety", "rarity", "nearness")
COLUMNS = ("whole", *WEIGHTS, *SIMPLE)


def department_of(prompt: str) -> Department:
    """A department whose one aspect is the prompt."""
    aspects = [prompt[:200]] if prompt and len(raw_words(prompt)) <= LONGEST_PROMPT else []
    return Department.model_validate({"slug": "text", "name": "Text", "coordinationSettings": {"aspects": aspects}})


def measures_of(row: Mapping[str, Any], embedder: Embedder) -> dict[str, float]:
    """Every column of one text; what is unknown is left out."""
    text, prompt = row["text"], row.get("prompt") or ""
    quality = measure(department_of(prompt), [{"content": text}], embedder)
    found = {"whole": _exact(quality.parts)} | {name: part.value for name, part in quality.parts.items() if part.value is not None}
    words, told = raw_words(text), telling(tokens(text))
    found |= {"length": float(len(words)), "distinct": float(len(told)), "variety": len(set(words)) / max(1, len(words))}
    found["rarity"] = float(np.mean([rarity(word) for word in told])) if told else 0.0
    if prompt:
        first, second = embedder.embed([text, " ".join(prompt.split()[:200])])
        found["nearness"] = float(first @ second)
    return found


def _exact(parts: Mapping[str, Any]) -> float:
    """The weighted sum without rounding, which would make ties."""
    known = {name: part.value for name, part in parts.items() if part.value is not None}
    return float(sum(WEIGHTS[name] * value for name, value in known.items()) / sum(WEIGHTS[name] for name in known))


def ranks(values: Sequence[float]) -> np.ndarray:
    """Ranks from 0, equal values sharing their mean."""
    _, place, count = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[place]


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Rank correlation; None where one side does not vary or fewer than three pairs are given."""
    if len(first) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])


def correlations(rows: Sequence[Mapping[str, Any]], measured: Sequence[Mapping[str, float]], groups: bool) -> dict[str, float]:
    """Mean correlation over the dimensions of a set, by column."""
    dimensions = sorted({name for row in rows for name in row["ratings"]})
    found: dict[str, float] = {}
    for column in COLUMNS:
        values = []
        for dimension in dimensions:
            pairs: dict[str, list[tuple[float, float]]] = {}
            for row, measures in zip(rows, measured, strict=True):
                rating = row["ratings"].get(dimension)
                if rating is not None and column in measures:
                    pairs.setdefault(str(row.get("group")) if groups else "", []).append((measures[column], rating))
            inside = [spearman(*zip(*one, strict=True)) for one in pairs.values()]
            known = [value for value in inside if value is not None]
            values += [float(np.mean(known))] if known else []
        if values:
            found[column] = float(np.mean(values))
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=300, help="texts a set, drawn with a fixed seed")
    parser.add_argument("--groups", action="store_true", help="correlate inside groups")
    asked = parser.parse_args()
    embedder = default_embedder()
    table: list[dict[str, float]] = []
    print(f"{'set':24s}{'n':>5s}" + "".join(f"{name[:8]:>9s}" for name in COLUMNS))
    for path in asked.files:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if asked.groups:
            rows.sort(key=lambda row: str(row.get("group")))
            rows = rows[: asked.most]
        elif len(rows) > asked.most:
            rows = random.Random(SEED).sample(rows, asked.most)
        found = correlations(rows, [measures_of(row, embedder) for row in rows], asked.groups)
        table.append(found)
        print(
            f"{path.stem:24s}{len(rows):5d}" + "".join(f"{found[name]:9.2f}" if name in found else f"{'':9s}" for name in COLUMNS),
            flush=True,
        )
    means = {name: float(np.mean([one.get(name, 0.0) for one in table if name in one or name == "nearness"])) for name in COLUMNS}
    print(f"{'mean':24s}{'':5s}" + "".join(f"{means[name]:9.2f}" for name in COLUMNS))


if __name__ == "__main__":
    main()
