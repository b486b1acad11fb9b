"""Which model is best at a task, from what its executions brought, and how sure that is (S004-LRN, N12).

Pure functions over values. Quality is the share of outputs that people or checks accepted, or, at a task that nobody judges, of answers
that fitted at the first ask. Old executions count less. An order stands until enough executions make another one probable enough.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gather_pipeline.domain.rankings import Estimate, Kind, ModelRank, Ranking
from gather_pipeline.tasks.definition import RankingCriteria

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gather_pipeline.tasks.execution import Execution

HALF_LIFE_DAYS = 30.0
OLDEST_DAYS = 6 * HALF_LIFE_DAYS  # what is older counts less than 2%
LEAST_SAMPLES = 8.0  # executions, an old one counted in part, from which a model may change its place
SURE = 0.9  # probability of being better from which two models change places
LEVEL = 0.9  # of the intervals
CORRECTED = 0.5  # what an output counts that a person accepted after a correction
DRAWS = 4000
USUAL = RankingCriteria(quality_priority=0.7, speed_priority=0.3, context_size="small")

Draws: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one execution tells of one model.

    Attributes:
        at: Start of the execution.
        judged: How good people or checks found the output, 0 to 1; None where neither said, or where there was none.
        usable: Whether it gave an output at all, re-asks included.
        fit: Whether its first answer had the form of the output.
        latency_s: Seconds of its answers together.
        cost: US dollars of its answers together; None where unknown.
    """

    model: str
    department: str | None
    at: datetime
    judged: float | None
    usable: bool
    fit: bool
    latency_s: float | None
    cost: float | None


def observations(execution: Execution) -> Iterable[Observation]:
    """What an execution tells of each model that was asked for the output itself; nothing of one that could not be had."""
    tag = execution.tags.get("department")  # whatever its caller gave
    for model in dict.fromkeys(call.model for call in execution.calls if call.purpose == "answer" and not call.cached):
        calls = [call for call in execution.calls if call.model == model and call.purpose == "answer" and call.answered_by is not None]
        if not calls:
            continue
        latencies = [call.latency_s for call in calls if call.latency_s is not None]
        costs = [call.usage.cost if call.usage else None for call in calls]
        yield Observation(
            model=model,
            department=tag if isinstance(tag, str) else None,
            at=datetime.fromisoformat(execution.timestamp),
            judged=_judged(execution) if calls[-1].obtained is not None else None,
            usable=calls[-1].obtained is not None,
            fit=calls[0].obtained is not None,
            latency_s=sum(latencies) if latencies else None,
            cost=sum(cost for cost in costs if cost is not None) if None not in costs else None,
        )


def _judged(execution: Execution) -> float | None:
    """The newest word of a person, then their rating, then the checks' verdict if one decided, then what later checks said.

    An output that another one was taken for is no good one.
    """
    if execution.is_replaced:
        return 0.0
    if (said := execution.decision) is not None:
        return float(said.accepted or 0) if said.corrected is None else CORRECTED
    if execution.rating is not None:
        return (execution.rating - 1) / 4
    if execution.passed is not None:
        is_edited = any(verdict.method == "human" and verdict.replacement is not None for verdict in execution.verdicts)
        return CORRECTED if is_edited else float(execution.passed)
    later = [one.accepted for one in execution.feedback if one.accepted is not None]
    return float(later[-1]) if later else None


def rank(
    task_id: str,
    seen: Sequence[Observation],
    *,
    now: datetime,
    criteria: RankingCriteria | None,
    before: Sequence[str] = (),
    department: str | None = None,
) -> Ranking | None:
    """The ranking that observations give; None where there are none.

    Args:
        task_id: The task.
        seen: Observations of it.
        now: The present.
        criteria: What matters in the choice; quality 0.7 and speed 0.3 where None.
        before: The order that stands so far. Models that are new come behind it, the most used first.
        department: Whose observations these are.
    """
    if not seen:
        return None
    criteria = criteria or USUAL
    kind: Kind = "judged" if any(one.judged is not None for one in seen) else "fit"
    order = list(dict.fromkeys((*before, *(name for name, _ in Counter(one.model for one in seen).most_common()))))
    beliefs = {name: _belief([one for one in seen if one.model == name], kind, now) for name in order}
    fastest = min((math.exp(one.log_latency) for one in beliefs.values() if one.log_latency is not None), default=None)
    drawn = {name: belief.scores(criteria, fastest, place) for place, (name, belief) in enumerate(beliefs.items())}
    settled, reasons = _settle(order, len(before), {name: one.samples for name, one in beliefs.items()}, drawn)
    models = tuple(beliefs[name].shown(name, drawn[name]) for name in settled)
    return Ranking(
        task_id=task_id,
        department=department,
        kind=kind,
        updated_at=now.isoformat(timespec="microseconds"),
        models=models,
        reasons=tuple(reasons),
        changed=settled != list(before),
    )


@dataclass(frozen=True, kw_only=True)
class _Belief:
    """What the executions of a model say and leave open.

    Attributes:
        samples: Executions that tell its quality, an old one in part.
        shares: Good ones and all, of what quality is the product of: outputs that were accepted, and executions that gave an output; or
            first answers that fitted.
        log_latency: Mean of the logarithms of its times, with its standard error and their degrees of freedom; None where it has none.
    """

    samples: float
    shares: tuple[tuple[float, float], ...]
    log_latency: float | None
    error: float
    freedom: float
    cost: float | None

    def quality(self, random: np.random.Generator) -> Draws:
        """Qualities that it may have: Beta distributions from Jeffreys' prior, which says next to nothing."""
        drawn = np.ones(DRAWS)
        for good, all in self.shares:
            drawn = drawn * random.beta(good + 0.5, all - good + 0.5, DRAWS)
        return drawn

    def scores(self, criteria: RankingCriteria, fastest: float | None, place: int) -> Draws:
        """Scores that it may have: quality, and the fastest model's time as a share of its own, by their priorities."""
        random = np.random.default_rng(place)  # of its own, and the same at each update
        quality, speed = self.quality(random), np.zeros(DRAWS)
        if self.log_latency is not None and fastest is not None:
            logs = self.log_latency + self.error * random.standard_t(self.freedom, DRAWS)
            speed = np.minimum(1.0, fastest / np.exp(np.clip(logs, -50, 50)))
        wanted = criteria.quality_priority, criteria.speed_priority
        share = wanted[0] / sum(wanted) if sum(wanted) else 0.5
        return np.asarray(share * quality + (1 - share) * speed)

    def shown(self, model: str, scores: Draws) -> ModelRank:
        """Its place with the intervals."""
        from scipy import stats  # not above: it takes a second to load

        latency = None
        if self.log_latency is not None:
            low, high = stats.t.interval(LEVEL, self.freedom, loc=self.log_latency, scale=self.error)
            latency = Estimate(mean=math.exp(self.log_latency), low=math.exp(max(low, -50)), high=math.exp(min(high, 50)))
        drawn = self.quality(np.random.default_rng(0))
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        quality = Estimate(mean=float(drawn.mean()), low=float(low), high=float(high))
        return ModelRank(model=model, samples=self.samples, quality=quality, latency_s=latency, cost=self.cost, score=float(scores.mean()))


def _belief(seen: Sequence[Observation], kind: Kind, now: datetime) -> _Belief:
    counted = [(one, 0.5 ** (max(0.0, (now - one.at).total_seconds()) / 86_400 / HALF_LIFE_DAYS)) for one in seen]
    judged = _share((one.judged, weight) for one, weight in counted)
    usable, fit = (_share((getattr(one, name), weight) for one, weight in counted) for name in ("usable", "fit"))
    shares = (judged, usable) if kind == "judged" else (fit,)
    timed = [(math.log(one.latency_s), weight) for one, weight in counted if one.latency_s]
    size = sum(weight for _, weight in timed)
    mean = sum(value * weight for value, weight in timed) / size if timed else None
    freedom = max(1.0, size - 1)
    # A single time may as well be three times as long, or a third.
    variance = sum(weight * (value - (mean or 0)) ** 2 for value, weight in timed) / freedom if size > 2 else math.log(3) ** 2
    paid = [(one.cost, weight) for one, weight in counted if one.cost is not None]
    return _Belief(
        samples=shares[0][1],
        shares=shares,
        log_latency=mean,
        error=max(math.sqrt(variance / max(1.0, size)), 1e-6),
        freedom=freedom,
        cost=sum(cost * weight for cost, weight in paid) / sum(weight for _, weight in paid) if len(paid) == len(seen) > 0 else None,
    )


def _share(told: Iterable[tuple[float | None, float]]) -> tuple[float, float]:
    """The good ones among those that tell, and all of those, by weight."""
    kept = [(value, weight) for value, weight in told if value is not None]
    return sum(value * weight for value, weight in kept), sum(weight for _, weight in kept)


def _settle(order: Sequence[str], known: int, samples: dict[str, float], drawn: dict[str, Draws]) -> tuple[list[str], list[str]]:
    """The order after every change that is sure enough, and a sentence for each and for each that was not made.

    The first `known` of the order were in it before.
    """
    settled: list[str] = []
    reasons: list[str] = []
    few = [name for name in order if samples[name] < LEAST_SAMPLES]
    for name in order[known:]:
        reasons.append(f"{name} is new in this ranking, and begins at place {order.index(name) + 1}, the most used first")
    for name in few:
        reasons.append(f"{name} keeps its place: {samples[name]:.1f} executions count, expected {LEAST_SAMPLES:g} or more")
    for name in order:
        place = len(settled)
        while place and not {name, settled[place - 1]} & set(few):
            above = settled[place - 1]
            better = float(np.mean(drawn[name] > drawn[above]))
            if better < SURE:
                if drawn[name].mean() > drawn[above].mean():
                    reasons.append(f"{name} stays behind {above}: it is better with a probability of {better:.2f}, expected {SURE:g}")
                break
            reasons.append(f"{name} goes before {above}: it is better with a probability of {better:.2f}")
            place -= 1
        settled.insert(place, name)
    return settled, reasons
