"""What the duplicate rules and the scores of text statistics make of notes that were written to try them.

    python benchmarks/notes.py [FOLDER ...]

A folder holds one project: `project.json` (name, brief, departments with aspects), `notes.json` (by department: careful, contradicting,
telegraphic, filler, filler_names, nonsense), `foreign.json` (other matter and languages) and `pairs.json` (a, b, kind, and whether b may
be dropped where a is kept). Without a folder the two projects in `material` are taken: "Annealing" was looked at while the rules were made,
"The Long Shift" was set aside until its figures had been taken once. Beside the duplicate rules stands cosine 0.90.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.quality import Quality
from gather_pipeline.gather import deduplicate_items, default_embedder, measure

MATERIAL = Path(__file__).parent / "material"
KINDS = ("careful", "contradicting", "telegraphic", "nonsense", "filler_names", "filler")
OTHER = ("en", "de", "es", "de_notes", "offtopic_en")


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def department_of(row: dict[str, Any]) -> Department:
    own = {name: row[name] for name in ("slug", "name", "description")}
    return Department.model_validate({**own, "coordinationSettings": {"aspects": row["aspects"]}})


def contents(rows: list[Any]) -> list[str]:
    return [row["content"] if isinstance(row, dict) else row for row in rows]


def shuffled(text: str) -> str:
    words = text.split()
    random.Random(1).shuffle(words)
    return " ".join(words)


def print_scores(folder: Path) -> None:
    project, notes, foreign = (read(folder, name) for name in ("project", "notes", "foreign"))
    departments = [department_of(row) for row in project["departments"]]

    def scored(department: Department, texts: list[str]) -> Quality:
        return measure(department, [{"content": text} for text in texts], brief=project["brief"])

    print(f"{'':24}" + "".join(f"{one.slug[:11]:>12}" for one in departments))
    careful = {one.slug: contents(notes[one.slug]["careful"]) for one in departments}
    rows = {kind: [scored(one, contents(notes[one.slug][kind])).value for one in departments] for kind in KINDS}
    rows |= {kind: [scored(one, contents(foreign[kind])).value for one in departments] for kind in OTHER}
    rows["careful, words shuffled"] = [scored(one, [shuffled(text) for text in careful[one.slug]]).value for one in departments]
    others = [[scored(one, texts).value for slug, texts in careful.items() if slug != one.slug] for one in departments]
    rows["of others, mean"] = [float(np.mean(values)) for values in others]
    rows["of others, highest"] = [max(values) for values in others]
    for kind in ("careful", "contradicting"):
        named = [len(scored(one, contents(notes[one.slug][kind])).contradictions) for one in departments]
        rows[f"contradictions, {kind}"] = [float(count) for count in named]
    for name, values in rows.items():
        print(f"{name:24}" + "".join(f"{value:12.1f}" for value in values))


def print_pairs(folder: Path) -> None:
    pairs = read(folder, "pairs")
    rows = default_embedder().embed([text for pair in pairs for text in (pair["a"], pair["b"])])
    counts: Counter[tuple[bool, str, str]] = Counter()
    for pair, cosine in zip(pairs, (rows[::2] * rows[1::2]).sum(axis=1).tolist(), strict=True):
        may, kind = bool(pair["drop_b_if_a_kept"]), pair["kind"]
        dropped = not deduplicate_items([{"content": pair["b"]}], [{"content": pair["a"]}])
        for name in (kind, "all"):
            counts[may, name, "pairs"] += 1
            counts[may, name, "dropped"] += dropped
            counts[may, name, "cosine"] += cosine >= 0.9
    for may, title in ((True, "may be dropped"), (False, "must be kept")):
        print(f"\n{title:24}{'pairs':>8}{'dropped':>9}{'cosine >= 0.90':>16}")
        for name in sorted({name for own, name, _ in counts if own is may}, key=lambda one: (one == "all", one)):
            print(f"{name:24}{counts[may, name, 'pairs']:8}{counts[may, name, 'dropped']:9}{counts[may, name, 'cosine']:16}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=sorted(path for path in MATERIAL.iterdir() if path.is_dir()))
    for folder in parser.parse_args().folders:
        print(f"\n== {read(folder, 'project')['name']}\n")
        print_scores(folder)
        print_pairs(folder)


if __name__ == "__main__":
    main()
