"""Embedding real texts: `MiniLM.embed` against `SentenceTransformer.encode` with the same model, cold, cached and in a new process.

    python benchmarks/embeddings.py [--texts 96] [--rounds 7] [--processes 2]

Texts: notes that the scripted model writes for the packaged sample, their sentences, the sample's brief, descriptions and aspects, and
paragraphs of prose out of the standard library's docstrings, cut at the 500 characters that duplicates are looked for in. `mixed` has
all of them, as a run embeds them; `notes` only the notes, all about as long, where there is little padding to save. Each round embeds the
same texts, ours with an empty memory. A process of its own imports everything, loads the model and embeds the mixed texts.

The baseline is `encode` as it comes: batches of 32 on as many threads as torch takes. On one core both do the same without the threads,
which tells what is gained by not padding. Every pair of texts whose cosine reaches the floor of the duplicate search, by either vectors,
is decided by the detector with both; so is the whole list at once. Ends with 1 where a decision differs.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from timing import Row, paired, print_rows, ratio

from gather_pipeline.adapters import minilm
from gather_pipeline.adapters.minilm import MiniLM
from gather_pipeline.adapters.scripted_model import NOTE_KEYS, ScriptedModel
from gather_pipeline.domain.executions import Message, ModelRequest
from gather_pipeline.gather.deduplicate import DuplicateDetector, KnownItems
from gather_pipeline.gather.pair_detector import CANDIDATE_FLOOR
from gather_pipeline.gather.pair_similarity import COMPARE_CHARS
from gather_pipeline.ports import Vectors
from gather_pipeline.settings import PACKAGED_SAMPLE

AIM = 0.56  # 1.8 times as fast
MODULES = (
    "argparse calendar csv datetime decimal functools inspect json logging mailbox pathlib pickle random shutil statistics tarfile turtle"
)
ALONE = 6  # texts asked for one at a time
PROCESS = """
import json, sys
texts = json.load(sys.stdin)
if sys.argv[1] == "ours":
    from gather_pipeline.adapters.minilm import MiniLM
    MiniLM().embed(texts)
else:
    from sentence_transformers import SentenceTransformer
    SentenceTransformer(sys.argv[2], device="cpu", local_files_only=True).encode(texts, show_progress_bar=False)
"""


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+", text) if len(part) > 20]


def paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]


def write_notes(departments: Sequence[Any], brief: str, count: int) -> list[str]:
    """Notes on the sample's aspects in turn, a tenth of them near repetitions."""
    schema = {"type": "object", "properties": {key: {"type": "string"} for key in NOTE_KEYS}, "required": list(NOTE_KEYS)}
    asked = [(one["name"], aspect) for one in departments for aspect in one["coordinationSettings"]["aspects"]]

    async def write() -> list[str]:
        model = ScriptedModel()
        notes: list[str] = []
        while len(notes) < count:
            department, aspect = asked[len(notes) % len(asked)]
            prompt = (
                f"<brief>\n{brief}\n</brief>\n<department>\n{department}\n</department>\n<aspect>\n{aspect}\n</aspect>\nWrite one note."
            )
            message = Message(role="user", content=prompt)
            request = ModelRequest(model="scripted", messages=(message,), max_tokens=2000, seed=len(notes), response_schema=schema)
            notes.append(json.loads((await model.complete(request)).text)["content"])
        return notes

    return asyncio.run(write())


def prose() -> list[str]:
    """Paragraphs of docstrings that are whole sentences and mostly words."""
    found: dict[str, None] = {}
    for name in MODULES.split():
        for value in vars(importlib.import_module(name)).values():
            if inspect.isroutine(value) or inspect.isclass(value):
                found |= dict.fromkeys(paragraphs(inspect.getdoc(value) or ""))
    return [
        text
        for text in found
        if len(text) > 60 and text.endswith(".") and ">>>" not in text and len(re.findall(r"[a-z]", text)) > 0.7 * len(text)
    ]


def mixed_texts(notes: Sequence[str], departments: Sequence[Any], brief: str, count: int) -> list[str]:
    """Distinct texts: four tenths notes, two tenths sentences of them, two tenths the sample's own words, the rest prose."""
    rng = random.Random(4)
    sample = [*paragraphs(brief), *sentences(brief), *(one["description"] for one in departments)]
    sample += [aspect for one in departments for aspect in one["coordinationSettings"]["aspects"]]
    parts = ((list(notes), 0.4), ([part for note in notes for part in sentences(note)], 0.2), (sample, 0.2), (prose(), 1.0))
    texts: dict[str, None] = {}
    for kind, share in parts:
        room = min(round(share * count), count - len(texts), len(kind))
        texts |= dict.fromkeys(text[:COMPARE_CHARS] for text in rng.sample(kind, room))
    shuffled = list(texts)
    rng.shuffle(shuffled)
    return shuffled


def differing(texts: Sequence[str], ours: Vectors, plain: Vectors, embedder: MiniLM) -> tuple[int, int, float]:
    """Pairs and whole texts decided otherwise, pairs decided at all, largest difference of two cosines."""

    def decide(left: int, right: int, rows: Vectors) -> tuple[Any, ...]:
        known = KnownItems.empty()
        known.append(["known"], [texts[right]], rows[[right]])
        found = DuplicateDetector(embedder).against([texts[left]], rows[[left]], known)[0]
        return found.duplicate, found.rule, found.match_id

    def screen(rows: Vectors) -> list[tuple[Any, ...]]:
        return [
            (one.duplicate, one.rule, one.match_id) for one in DuplicateDetector(embedder).screen_by_rules(texts, rows, KnownItems.empty())
        ]

    mine, theirs = ours @ ours.T, plain @ plain.T
    pairs = np.argwhere(np.triu(np.maximum(mine, theirs) >= CANDIDATE_FLOOR, k=1)).tolist()
    wrong = sum(decide(left, right, ours) != decide(left, right, plain) for left, right in pairs)
    wrong += sum(one != other for one, other in zip(screen(ours), screen(plain), strict=True))
    return wrong, len(pairs), float(np.abs(mine - theirs).max())


def on_one_core(embed: Callable[[Sequence[str]], Vectors], texts: Sequence[str]) -> None:
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    embed(texts)
    torch.set_num_threads(cores)


def one_at_a_time(embed: Callable[[Sequence[str]], Vectors], texts: Sequence[str]) -> None:
    for text in texts[:ALONE]:
        embed([text])


def process_ratio(texts: Sequence[str], folder: Path, rounds: int) -> float:
    def start(kind: str) -> Callable[[], object]:
        command = [sys.executable, "-W", "ignore", "-c", PROCESS, kind, str(folder)]
        return lambda: subprocess.run(command, input=json.dumps(texts), text=True, check=True, capture_output=True)

    seconds = paired({kind: start(kind) for kind in ("ours", "plain")}, rounds)
    return ratio(seconds["ours"], seconds["plain"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=96, help="texts a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--processes", type=int, default=2, help="rounds of whole processes; 0 leaves them out")
    options = parser.parse_args()
    if options.texts < 10 or options.rounds < 1 or options.processes < 0:
        parser.error("at least 10 texts, 1 round and 0 processes")
    departments = yaml.safe_load((PACKAGED_SAMPLE / "departments.yaml").read_text(encoding="utf-8"))
    brief = (PACKAGED_SAMPLE / "brief.md").read_text(encoding="utf-8")
    notes = list(dict.fromkeys(write_notes(departments, brief, options.texts)))
    kinds = {"mixed": mixed_texts(notes, departments, brief, options.texts), "notes": notes}

    cached = MiniLM()
    cached.embed(["Load the model."])
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as untyped_logging

    transformers_logging: Any = untyped_logging
    transformers_logging.disable_progress_bar()
    folder = minilm.model_folder()
    plain = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def cold() -> MiniLM:
        fresh = MiniLM()
        fresh._model = cached._model
        return fresh

    def encode(texts: Sequence[str]) -> Vectors:
        rows: Vectors = plain.encode(list(texts), show_progress_bar=False)
        return rows

    def embed(texts: Sequence[str]) -> Vectors:
        return cold().embed(texts)

    rows: list[Row] = []
    began = time.perf_counter()
    for kind, texts in kinds.items():
        seconds = paired(
            {
                "plain": partial(encode, texts),
                "cold": partial(embed, texts),
                "cached": partial(cached.embed, texts),
                "plain, one core": partial(on_one_core, encode, texts),
                "cold, one core": partial(on_one_core, embed, texts),
                "plain, alone": partial(one_at_a_time, encode, texts),
                "cold, alone": partial(one_at_a_time, embed, texts),
            },
            options.rounds,
        )
        of = f"{len(texts)} {kind}"
        rows += [
            Row(what=f"{of}, cold", baseline="encode", ratio=ratio(seconds["cold"], seconds["plain"]), aim=AIM),
            Row(what=f"{of}, cached", baseline="encode", ratio=ratio(seconds["cached"], seconds["plain"]), aim=AIM),
            Row(
                what=f"{of}, cold, one core",
                baseline="encode, one core",
                ratio=ratio(seconds["cold, one core"], seconds["plain, one core"]),
            ),
            Row(what=f"{ALONE} {kind}, one at a time", baseline="encode", ratio=ratio(seconds["cold, alone"], seconds["plain, alone"])),
        ]
    everything = list(dict.fromkeys(chain.from_iterable(kinds.values())))
    wrong, pairs, largest = differing(everything, cold().embed(everything), encode(everything), cached)
    print(f"{wrong} decisions differ, of {pairs} pairs and {len(everything)} texts; largest difference of two cosines {largest:.1e}")
    if options.processes:
        whole = process_ratio(kinds["mixed"], folder, options.processes)
        rows.append(Row(what=f"{len(kinds['mixed'])} mixed, a process of its own", baseline="the same with encode", ratio=whole))
    print_rows(f"embeddings ({options.rounds} rounds, {time.perf_counter() - began:.0f} s)", rows)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
