"""How well the duplicate rules agree with people, on folders of labelled pairs, beside the plain cosine of the same embedder.

Each file is one set of JSON lines: {"a": text, "b": text, "same": 1, 0 or null, "kind": "same", "neutral", "contradiction" ...}. Sets
are not part of this repository. A pair is "taken" where one of its texts would be dropped for the other in the loop.

    python benchmarks/duplicates.py FOLDER [--sample 300] [--sets NAME,NAME] [--embedder minilm]

Prints for each set the area under the ROC curve of the cosine and of the probability, with the weight of closeness fitted on all other sets
and as shipped; F1 at the best threshold and at the shipped one; and the share of neutral and contradictory pairs that are taken.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from gather_pipeline.adapters.embedders.minilm import MiniLM
from gather_pipeline.similarity.detector import DUPLICATE_THRESHOLD
from gather_pipeline.similarity.pairs import PairComparer, Similarity

Floats = NDArray[np.float64]
GRID = np.arange(0.02, 1.0, 0.02)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One set with what the rules say of it."""

    name: str
    same: Floats  # 1, 0, or nan where people did not say
    kinds: list[str]
    cosines: Floats
    found: list[Similarity]

    @property
    def probabilities(self) -> Floats:
        return np.array([one.probability for one in self.found])

    @property
    def taken(self) -> NDArray[np.bool_]:
        return np.array([_taken(one) for one in self.found])

    def rated(self, scores: Floats) -> tuple[Floats, Floats]:
        known = ~np.isnan(self.same)
        return scores[known], self.same[known]


def _taken(one: Similarity) -> bool:
    """Whether the second text would be dropped for the first."""
    if one.conflict or one.right_adds:
        return False
    return one.right_held or (one.replaced is None and one.probability >= DUPLICATE_THRESHOLD)


def auc(scores: Floats, same: Floats) -> float:
    """Area under the ROC curve, ties counted half."""
    from scipy.stats import rankdata

    positive = int(same.sum())
    ranks = rankdata(scores)
    return float((ranks[same == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(same) - positive)))


def f1(taken: NDArray[np.bool_], same: Floats) -> float:
    hits = float((taken & (same == 1)).sum())
    return 2 * hits / max(1.0, float(taken.sum() + (same == 1).sum()))


def measure(path: Path, embedder: MiniLM, comparer: PairComparer, sample: int) -> Measured:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["a"].strip() and row["b"].strip()]
    random.Random(1).shuffle(rows)
    rows = rows[:sample]
    left, right = embedder.embed([row["a"] for row in rows]), embedder.embed([row["b"] for row in rows])
    cosines = (left * right).sum(axis=1).astype(np.float64)
    return Measured(
        name=path.stem,
        same=np.array([np.nan if row["same"] is None else float(row["same"]) for row in rows]),
        kinds=[row.get("kind") or "" for row in rows],
        cosines=cosines,
        found=[comparer.compare(row["a"], row["b"], cosine) for row, cosine in zip(rows, cosines.tolist(), strict=True)],
    )


def features(one: Measured) -> Floats:
    conflicts = np.array([one.conflict is not None for one in one.found], dtype=np.float64)
    return np.stack([-np.log(1.05 - np.minimum(one.cosines, 1.0)), conflicts], axis=1)


def left_out(sets: list[Measured], held: str) -> Floats:
    """Weights fitted on every set but one, each set with the same weight."""
    from sklearn.linear_model import LogisticRegression

    others = [one for one in sets if one.name != held]
    rated = [(features(one)[~np.isnan(one.same)], one.same[~np.isnan(one.same)]) for one in others]
    weights = np.concatenate([np.full(len(same), 1000 / len(same)) for _, same in rated])
    model = LogisticRegression(C=100, max_iter=1000)
    model.fit(np.concatenate([x for x, _ in rated]), np.concatenate([same for _, same in rated]), sample_weight=weights)
    return np.array([*model.intercept_, *model.coef_[0]])


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--sample", default=300, show_default=True, help="Pairs of a set at most.")
@click.option("--sets", help="Names of sets, commas between; all where left out.")
def main(folder: Path, sample: int, sets: str | None) -> None:
    """Hold the duplicate rules against people's labels."""
    embedder = MiniLM()
    comparer = PairComparer(embedder)
    chosen = [path for path in sorted(folder.glob("*.jsonl")) if sets is None or path.stem in sets.split(",")]
    measured = [measure(path, embedder, comparer, sample) for path in chosen]
    both = [one for one in measured if min((one.same == 1).sum(), (one.same == 0).sum()) >= 15]
    click.echo(
        f"{'set':28} {'pairs':>5} {'AUC cosine':>10} {'left out':>8} {'shipped':>8} {'best F1 cos':>11} {'best F1':>8} {'F1 shipped':>10}"
    )
    table = []
    for one in both:
        fitted = left_out(both, one.name)
        cosine, same = one.rated(one.cosines)
        probability, _ = one.rated(one.probabilities)
        row = (
            auc(cosine, same),
            auc(one.rated(features(one) @ fitted[1:])[0], same),
            auc(probability, same),
            max(f1(cosine >= least, same) for least in GRID),
            max(f1(probability >= least, same) for least in GRID),
            f1(probability >= DUPLICATE_THRESHOLD, same),
        )
        table.append(row)
        click.echo(f"{one.name:28} {len(same):5} {row[0]:10.3f} {row[1]:8.3f} {row[2]:8.3f} {row[3]:11.3f} {row[4]:8.3f} {row[5]:10.3f}")
    means = np.mean(table, axis=0)
    click.echo(f"{'mean':28} {'':5} {means[0]:10.3f} {means[1]:8.3f} {means[2]:8.3f} {means[3]:11.3f} {means[4]:8.3f} {means[5]:10.3f}")
    for kind in ("neutral", "contradiction"):
        click.echo(f"\n{kind} pairs taken: by the loop, by cosine >= 0.90")
        for one in measured:
            places = [place for place, own in enumerate(one.kinds) if own == kind]
            if len(places) >= 20:
                taken = np.array(one.taken)[places].mean()
                click.echo(f"{one.name:28} {len(places):5} {taken:8.3f} {(one.cosines[places] >= 0.9).mean():8.3f}")


if __name__ == "__main__":
    main()
