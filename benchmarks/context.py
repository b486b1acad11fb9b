"""How much of the labelled evidence of a dialogue reaches a prompt, and how long it takes to choose it.

    python benchmarks/context.py [FOLDER]

A folder holds dialogues, a file each: `turns` (speaker, text) in their order and `questions` (question, and the numbers of the turns, from
1, that answer it). Without one the two of `material/dialogues` are taken, which are short, so that the budgets are: about a twentieth, a
tenth, a fifth and two fifths of them. Beside the choice stand its parts: newest first; BM25 over plain words; BM25 over dictionary forms
without function words; embeddings; and the last two by reciprocal rank fusion. The share is the mean over questions.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from gather_pipeline.context.relevance import terms
from gather_pipeline.context.selection import Candidate, select
from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.gather import default_embedder
from gather_pipeline.text.words import raw_words

MATERIAL = Path(__file__).parent / "material" / "dialogues"
PARTS = (20, 10, 5, 2.5)
ELEMENTS, AIM_S = 10_000, 0.05
Order = Callable[[str], Sequence[int]]  # places of turns for a question, best first
Way = Callable[[str, int], set[int]]  # those that a question and a budget bring
Scorer = Callable[[str], Any]


def taken(order: Sequence[int], sizes: Sequence[int], budget: int) -> set[int]:
    """What fits of an order."""
    found, left = set(), budget
    for place in order:
        if sizes[place] <= left:
            found.add(place)
            left -= sizes[place]
    return found


def by_words(texts: Sequence[str], read: Callable[[str], Sequence[str]]) -> Scorer:
    index = bm25s.BM25()
    index.index([list(read(text)) for text in texts], show_progress=False)

    def score(query: str) -> Any:
        known = [word for word in read(query) if word in index.vocab_dict]
        return index.get_scores(known) if known else np.zeros(len(texts))

    return score


def fused(scorers: Sequence[Scorer]) -> Scorer:
    def score(query: str) -> Any:
        return sum(1 / (60 + np.argsort(np.argsort(-scorer(query), kind="stable"))) for scorer in scorers)

    return score


def baselines(texts: Sequence[str]) -> Mapping[str, Order]:
    embedder = default_embedder()
    vectors = embedder.embed(texts)
    plain, stemmed = by_words(texts, raw_words), by_words(texts, terms)

    def meaning(query: str) -> Any:
        return vectors @ embedder.embed([query])[0]

    def best_first(scorer: Scorer) -> Order:
        return lambda query: np.argsort(-scorer(query), kind="stable").tolist()

    newest = list(reversed(range(len(texts))))
    scorers = {"BM25": plain, "BM25, forms": stemmed, "embeddings": meaning, "rank fusion": fused([stemmed, meaning])}
    return {"newest first": lambda query: newest} | {name: best_first(scorer) for name, scorer in scorers.items()}


def shares(dialogue: Mapping[str, Any]) -> tuple[list[int], dict[str, list[float]]]:
    texts = [f"{turn['speaker']}: {turn['text']}" for turn in dialogue["turns"]]
    sizes = [estimate_tokens(text) for text in texts]
    candidates = [Candidate(id=str(place), text=text) for place, text in enumerate(texts)]
    budgets = [int(sum(sizes) / part) for part in PARTS]

    def by_order(order: Order) -> Way:
        return lambda query, budget: taken(order(query), sizes, budget)

    def by_select(query: str, budget: int) -> set[int]:
        return {int(one.id) for one in select(candidates, budget, query=query).included}

    ways = {name: by_order(order) for name, order in baselines(texts).items()} | {"select": by_select}
    found: dict[str, list[float]] = {}
    for name, way in ways.items():
        for budget in budgets:
            hits = []
            for row in dialogue["questions"]:
                evidence = {number - 1 for number in row["evidence"]}
                hits.append(len(evidence & way(row["question"], budget)) / len(evidence))
            found.setdefault(name, []).append(statistics.mean(hits))
    return budgets, found


def seconds(rounds: int = 15) -> tuple[float, float]:
    """Median wall and processor seconds of one choice among 10,000 turns, ledger included, the index warm and every question new."""
    draw = random.Random(1)
    words = [
        text
        for file in sorted(MATERIAL.glob("*.json"))
        for turn in json.loads(file.read_text("utf-8"))["turns"]
        for text in turn["text"].split()
    ]
    turns = [f"{'Ada' if place % 2 else 'Bo'}: {' '.join(draw.choices(words, k=20))}" for place in range(ELEMENTS)]
    candidates = [Candidate(id=str(place), text=text) for place, text in enumerate(turns)]
    embedder = default_embedder()

    class Drawn:
        """Vectors by lot for the turns, which a model would take minutes to embed; the question's is the model's."""

        name = "drawn"

        def embed(self, texts: Sequence[str]) -> Any:
            if len(texts) == 1:
                return embedder.embed(texts)
            rows = np.random.default_rng(1).standard_normal((len(texts), 384), dtype=np.float32)
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    wall, processor = [], []
    for number in range(rounds + 1):
        query = f"What did Ada say about {' '.join(draw.choices(words, k=5))}?"
        began, worked = time.perf_counter(), time.thread_time()
        assert select(candidates, 4_000, query=query, embedder=Drawn()).ledger.included_tokens <= 4_000
        if number:
            wall.append(time.perf_counter() - began)
            processor.append(time.thread_time() - worked)
    return statistics.median(wall), statistics.median(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=MATERIAL)
    for file in sorted(parser.parse_args().folder.glob("*.json")):
        budgets, found = shares(json.loads(file.read_text(encoding="utf-8")))
        print(f"{file.stem:16}" + "".join(f"{budget:>8}" for budget in budgets) + "  tokens")
        for name, row in found.items():
            print(f"  {name:14}" + "".join(f"{share:8.2f}" for share in row))
    wall, processor = seconds()
    spent = f"{1e3 * wall:.0f} ms, {1e3 * processor:.0f} ms of the processor (aim {1e3 * AIM_S:.0f} ms)"
    print(f"\na context from {ELEMENTS} turns, warm: {spent}")


if __name__ == "__main__":
    main()
