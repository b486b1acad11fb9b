"""The search for duplicates: 10 new texts against 1,000, 10,000 and 100,000 known ones, held against plain numpy and against semhash.

    python benchmarks/duplicates.py [--known 1000,10000,100000] [--rounds 9]

Rows: the scripted model writes notes for the packaged sample, the real embedding model embeds them, and a few hundred of these become as
many rows as are asked for. A row is one note's vector, moved by half the difference of two others and brought back to length 1, so
that rows scatter round a note in the directions in which real notes differ. The new texts are notes that were held back, and three
rows again that are moved less. Of `scattered` the rows are random directions without any structure: the worst case.

Plain numpy is one product, the five highest of each line by argpartition, and those above the floor. Ours is `VectorMatrix.nearest`, asked
often enough before that its projection is there; what making it costs is told. Both must name the same rows with the same cosines, and the
detector must decide the same with either. semhash has its index of the same vectors and an encoder that hands out the new ones, so
that its own model need not be downloaded. `deduplicate` is what its users call, much of it the comparison of records; the index alone
looks for up to 100 neighbours above the floor, or 1,000 where there are more.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from timing import Row, paired, print_rows, ratio

from gather_pipeline.adapters.minilm import MiniLM
from gather_pipeline.adapters.scripted_model import NOTE_KEYS, ScriptedModel
from gather_pipeline.domain.executions import Message, ModelRequest
from gather_pipeline.domain.vector_projection import Floats
from gather_pipeline.domain.vector_search import ASKED_BEFORE_FIT, PROJECT_FROM
from gather_pipeline.domain.vectors import VectorMatrix
from gather_pipeline.gather.deduplicate import DuplicateDetector, KnownItems
from gather_pipeline.gather.pair_detector import CANDIDATE_FLOOR, CANDIDATES
from gather_pipeline.settings import PACKAGED_SAMPLE

AIMS = {10_000: 1.2, 100_000: 0.6}
MOVED, MOVED_LESS = 0.5, 0.1
REPEATS = 3  # of the new texts, how many repeat a row
SAME_COSINE = 1e-6
Found = list[list[tuple[str, float]]]


@dataclass(frozen=True)
class Note:
    id: str
    content: str


class NumpyMatrix(VectorMatrix):
    """The baseline in the matrix's place, so that the detector can decide with it."""

    def nearest(self, queries: Floats, k: int, floor: float = -1.0) -> Found:
        found = by_numpy(queries, self.vectors, k, floor)
        return [[(self.ids[place], cosine) for place, cosine in line] for line in found]


def by_numpy(queries: Floats, rows: Floats, k: int, floor: float) -> list[list[tuple[int, float]]]:
    cosines = queries @ rows.T
    highest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    found = []
    for line, places in zip(cosines, highest, strict=True):
        ordered = places[np.argsort(-line[places])]
        found.append([(int(place), float(line[place])) for place in ordered if line[place] >= floor])
    return found


def write_notes(count: int) -> list[str]:
    """Notes on every aspect of the sample's departments."""
    brief = (PACKAGED_SAMPLE / "brief.md").read_text(encoding="utf-8")
    departments = yaml.safe_load((PACKAGED_SAMPLE / "departments.yaml").read_text(encoding="utf-8"))
    asked = [(one["name"], aspect) for one in departments for aspect in one["coordinationSettings"]["aspects"]]
    schema = {
        "type": "array",
        "items": {"type": "object", "properties": {key: {"type": "string"} for key in NOTE_KEYS}, "required": list(NOTE_KEYS)},
    }
    model = ScriptedModel(duplicate_rate=0.0)
    notes: list[str] = []
    while len(notes) < count:
        department, aspect = asked[model.calls % len(asked)]
        prompt = f"<brief>\n{brief}\n</brief>\n<department>\n{department}\n</department>\n<aspect>\n{aspect}\n</aspect>\nWrite 6 notes."
        request = ModelRequest(
            model="scripted", messages=(Message(role="user", content=prompt),), max_tokens=5000, seed=model.calls, response_schema=schema
        )
        notes += [note["content"] for note in json.loads(asyncio.run(model.complete(request)).text)]
    return notes[:count]


def unit(rows: NDArray[Any]) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def moved(vectors: Floats, notes: NDArray[np.int64], by: float, rng: np.random.Generator) -> Floats:
    """Those notes' vectors, each moved by a share of the difference of two notes."""
    one = rng.integers(0, len(vectors), len(notes))
    other = (one + rng.integers(1, len(vectors), len(notes))) % len(vectors)
    parts = [
        unit(vectors[notes[part]] + by * (vectors[one[part]] - vectors[other[part]]))
        for part in np.array_split(np.arange(len(notes)), 1 + len(notes) // 10_000)
    ]
    return np.concatenate(parts)


def check_same(ours: Found, plain: Found) -> None:
    for mine, theirs in zip(ours, plain, strict=True):
        assert [id for id, _ in mine] == [id for id, _ in theirs], f"other rows: {mine} and {theirs}"
        assert all(abs(left[1] - right[1]) <= SAME_COSINE for left, right in zip(mine, theirs, strict=True)), f"{mine} and {theirs}"


def decisions(embedder: MiniLM, texts: Sequence[str], vectors: Floats, known: KnownItems) -> list[tuple[Any, ...]]:
    """By a fresh detector, because one remembers the pairs it has compared."""
    found = DuplicateDetector(embedder).against(texts, vectors, known)
    return [(one.duplicate, one.rule, one.match_id, round(one.similarity, 4)) for one in found]


@dataclass(frozen=True)
class SemHashSearch:
    """semhash over given vectors: `whole` is its deduplication, `index` what of it searches; `nearest` is for comparison."""

    built: float
    hashed: Any
    queries: Floats

    @classmethod
    def of(cls, ids: Sequence[str], rows: Floats, queries: Floats, backend: str) -> SemHashSearch:
        from semhash import SemHash

        class Given:
            def encode(self, inputs: Sequence[Any], **kwargs: Any) -> Floats:
                return queries

        began = time.perf_counter()
        hashed = SemHash.from_embeddings(rows, list(ids), Given(), ann_backend=backend)
        return cls(time.perf_counter() - began, hashed, queries)

    def whole(self) -> Any:
        return self.hashed.deduplicate([f"new {place}" for place in range(len(self.queries))], threshold=CANDIDATE_FLOOR)

    def index(self) -> Any:
        return self.hashed.index.query_threshold(self.queries, threshold=CANDIDATE_FLOOR)

    def nearest(self) -> list[str | None]:
        return [self.hashed.index.items[places[np.argmax(near)]][0]["text"] if len(places) else None for places, near in self.index()]


def seconds_to_fit(matrix: VectorMatrix, queries: Floats) -> float:
    """Asks until there is a projection; how much longer than the median the longest search took."""
    spent = []
    for _ in range(-(-ASKED_BEFORE_FIT // len(queries)) + 1):
        began = time.perf_counter()
        matrix.nearest(queries, CANDIDATES, CANDIDATE_FLOOR)
        spent.append(time.perf_counter() - began)
    return max(spent) - float(np.median(spent))


def measure(embedder: MiniLM, notes: Sequence[str], vectors: Floats, size: int, new: int, usearch: bool, rounds: int) -> list[Row]:
    rng = np.random.default_rng(size)
    base, texts = vectors[:-new], [*notes[-new:]]
    origin = rng.integers(0, len(base), size)
    rows = moved(base, origin, MOVED, rng)
    queries = vectors[-new:].copy()
    repeated = rng.integers(0, size, min(REPEATS, new))
    queries[: len(repeated)] = unit(rows[repeated] + MOVED_LESS * (moved(base, origin[repeated], MOVED, rng) - rows[repeated]))
    texts[: len(repeated)] = [f"{notes[origin[place]]} Then it rains." for place in repeated]

    stored = [Note(f"row {place}", notes[origin[place]]) for place in range(size)]
    known, plain = (KnownItems.from_items(stored, rows) for _ in range(2))
    plain.vectors = NumpyMatrix.from_rows(plain.ids, rows)
    fit = seconds_to_fit(known.vectors, queries)
    ours = known.vectors.nearest(queries, CANDIDATES, CANDIDATE_FLOOR)
    check_same(ours, plain.vectors.nearest(queries, CANDIDATES, CANDIDATE_FLOOR))
    decided = decisions(embedder, texts, queries, known)
    assert decided == decisions(embedder, texts, queries, plain), "the detector decides otherwise with plain numpy"

    scattered = VectorMatrix.from_rows(known.ids, unit(rng.normal(size=rows.shape)))
    seconds_to_fit(scattered, queries)
    contenders: dict[str, Callable[[], object]] = {
        "numpy": lambda: by_numpy(queries, rows, CANDIDATES, CANDIDATE_FLOOR),
        "ours": lambda: known.vectors.nearest(queries, CANDIDATES, CANDIDATE_FLOOR),
        "scattered numpy": lambda: by_numpy(queries, scattered.vectors, CANDIDATES, CANDIDATE_FLOOR),
        "scattered": lambda: scattered.nearest(queries, CANDIDATES, CANDIDATE_FLOOR),
        "screening": lambda: decisions(embedder, texts, queries, known),
    }
    rivals: dict[str, str] = {}
    if importlib.util.find_spec("semhash"):
        for backend in ("basic", "usearch") if usearch else ("basic",):
            rival = SemHashSearch.of(known.ids, rows, queries, backend)
            same = sum(theirs == (mine[0][0] if mine else None) for theirs, mine in zip(rival.nearest(), ours, strict=True))
            contenders |= {f"semhash, {backend}": rival.whole, f"semhash's {backend} index alone": rival.index}
            rivals |= {f"semhash, {backend}": f"the same nearest row for {same} of {new}; its index took {rival.built:.1f} s"}
            rivals |= {f"semhash's {backend} index alone": ""}
    gc.freeze()  # or collecting between the rounds goes through all of the rows' names and texts
    took = paired(contenders, rounds)
    gc.unfreeze()
    what = f"search, {new} against {size:,}"
    note = f"{sum(map(len, ours))} pairs found, {sum(one[0] for one in decided)} of {new} dropped, the same with numpy"
    note += f"; projection took {1000 * fit:.0f} ms" if size >= PROJECT_FROM else ""
    lines = [
        Row(what=what, baseline="numpy", ratio=ratio(took["ours"], took["numpy"]), aim=AIMS.get(size), note=note),
        Row(what=f"{what}, scattered", baseline="numpy", ratio=ratio(took["scattered"], took["scattered numpy"])),
    ]
    lines += [Row(what=what, baseline=rival, ratio=ratio(took["ours"], took[rival]), note=told) for rival, told in rivals.items()]
    whole = ratio(took["screening"], took["numpy"])
    lines.append(Row(what="search and rules", baseline="numpy's search alone", ratio=whole, note="reads and compares texts too"))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--known", default="1000,10000,100000", help="numbers of known rows, with commas")
    parser.add_argument("--new", type=int, default=10, help="new texts of a batch")
    parser.add_argument("--notes", type=int, default=600, help="notes that are embedded, the new ones among them")
    parser.add_argument("--usearch-up-to", type=int, default=1000, help="most rows for semhash's approximate index, which is slow to build")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    embedder = MiniLM()
    notes = write_notes(chosen.notes)
    vectors = np.concatenate([embedder.embed(notes[start : start + 256]) for start in range(0, len(notes), 256)])
    lines = []
    for size in map(int, chosen.known.split(",")):
        lines += measure(embedder, notes, vectors, size, chosen.new, size <= chosen.usearch_up_to, chosen.rounds)
    print_rows(f"{chosen.new} new texts against known ones, {len(notes)} real embeddings behind them, {chosen.rounds} rounds", lines)
    if not importlib.util.find_spec("semhash"):
        print("semhash is not installed, so it was left out: pip install -e .[bench]")


if __name__ == "__main__":
    main()
