"""A forecast of a run before it starts: the loop's own rules are simulated many times (N03).

In each simulation ("play") the score of a department follows that of a similar department in the store's history, of any project. The
result is corrected by the error that the same method makes for known runs, each forecast without its own data.
See `docs/decisions/0017-forecast-replay-learning.md`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import fmean

from gather_pipeline.gather import ladder
from gather_pipeline.tasks.forecast import KNOWN, Guess, Range, ranged

PLAYS = 40
NEAR = 0.3  # how far apart, as a logarithm, the notes that there were may lie for iterations to count as alike
BRIEF_TOKENS = 0.9  # of a call, for each token that the brief is estimated at
UNLIKE = 5.0  # points by which two departments that are alike differ, as a standard deviation
NEWEST = 10  # runs whose times say how far off a time will be: machines and providers change
# As `tasks.forecast.NARROWEST`; how long a run takes hangs on what else its machine and its provider do.
CALLS_NARROWEST, TOKENS_NARROWEST, TIME_NARROWEST = 0.3, 0.5, 0.55
HALF_LIFE = 8  # runs after which what a run took tells half as much of what the next one will take
FIRST_SCORE, FIRST_GAIN, GAIN_KEPT = 45.0, 8.0, 0.6  # where no department is known: its score, what comes next, and what part after that
COLD_TOKENS, COLD_LATENCY_S, COLD_RUN_S, COLD_ITERATION_S = 1500.0, 5.0, 0.5, 0.4  # of a call, a run and an iteration, likewise


@dataclass(frozen=True, kw_only=True)
class Work:
    """A department to bring on.

    Attributes:
        aspects: How many it has.
        number: Iterations that it has.
        scores: Scores of those that count for its end.
        score: As it stands, None where it was never scored.
        items: Notes that it has.
        ended: It is finished, and only leaves its share to the others.
    """

    slug: str
    aspects: int
    threshold: float
    most: int | None
    number: int = 0
    scores: tuple[float, ...] = ()
    score: float | None = None
    items: int = 0
    ended: bool = False


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run to foretell.

    Attributes:
        works: In the order in which they run.
        model: That most of them ask.
        chain: Models that a department may ask, which says how many steps it climbs.
        brief: Its tokens.
        latency_s: Of a call, None where nothing says.
    """

    works: tuple[Work, ...]
    max_iterations: int
    model: str
    brief: int
    chain: int = 1
    latency_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """An iteration: the notes asked for, the notes of its own department before, and those of earlier ones."""

    notes: int
    own: int
    earlier: int


@dataclass(frozen=True, kw_only=True)
class Series:
    """How the score of a department went, iteration by iteration, and what part of its notes was kept."""

    run: str
    slug: str
    aspects: int
    model: str
    scores: tuple[float, ...]
    kept: float


@dataclass(frozen=True, kw_only=True)
class Past:
    """A finished run: the job that it was, what it did and what it took."""

    id: str
    job: Job
    steps: tuple[tuple[Step, int | None], ...]
    calls: int
    tokens: int | None
    cost: float | None
    seconds: float
    latency_s: float


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What an iteration takes, by the runs that are known.

    Attributes:
        steps: Known iterations: notes of their own department and of earlier ones that there were, and tokens for each note asked for, the
            brief left out.
        seconds: Of a run at all, of an iteration, of a second of waiting, and of a note that a prompt could have.
    """

    steps: Sequence[tuple[int, int, float]]
    seconds: tuple[float, ...]
    _found: dict[tuple[int, int], float] = field(default_factory=dict)

    def tokens(self, step: Step, brief: int) -> float:
        """Of an iteration: those of known ones that had about as much to show to the model."""
        place = step.own, step.earlier
        if place not in self._found:
            self._found[place] = self._near(*place)
        return step.notes * (self._found[place] + BRIEF_TOKENS * brief)

    def _near(self, own: int, earlier: int) -> float:
        weights = [
            math.exp(-((math.log((1 + own) / (1 + one)) / NEAR) ** 2) - (math.log((1 + earlier) / (1 + other)) / NEAR) ** 2) + 1e-6
            for one, other, _ in self.steps
        ]
        total = sum(weights)
        return sum(weight * value for weight, (_, _, value) in zip(weights, self.steps, strict=True)) / total if total else COLD_TOKENS


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """What a job comes to in its plays."""

    calls: Guess
    tokens: Guess
    seconds: Guess


def foretell(job: Job, past: Sequence[Past], series: Sequence[Series], *, concurrency: int) -> tuple[Range, Range, Range, int]:
    """Ranges of calls, tokens and seconds of a run, and how many runs they rest on.

    Args:
        job: What is to be done.
        past: Finished runs of all projects, the oldest first.
        series: How departments of all projects went.
        concurrency: Calls made at a time.
    """
    alike = [one for one in past if one.job.model == job.model]
    known = alike if len(alike) >= KNOWN else past
    misses: list[tuple[float | None, ...]] = []
    for one in known:
        others = [other for other in known if other.id != one.id]
        then = guesses(one.job, rates(others, concurrency), [each for each in series if each.run != one.id], concurrency)
        misses.append((then.calls.miss(one.calls), then.tokens.miss(one.tokens or 0), then.seconds.miss(one.seconds)))
    now = guesses(job, rates(known, concurrency), series, concurrency)
    columns = list(zip(*misses, strict=True)) or [(), (), ()]
    calls = ranged(now.calls, columns[0], whole=True, narrowest=CALLS_NARROWEST)
    tokens = ranged(now.tokens, columns[1], whole=True, narrowest=TOKENS_NARROWEST)
    return calls, tokens, ranged(now.seconds, columns[2][-NEWEST:], narrowest=TIME_NARROWEST), len(known)


def guesses(job: Job, rates: Rates, series: Sequence[Series], concurrency: int) -> Guesses:
    """What a job comes to in its plays; the same for the same arguments."""
    random = Random(0)
    latency = COLD_LATENCY_S if job.latency_s is None else job.latency_s
    plays = [play(job, series, random) for _ in range(PLAYS)]
    tokens = [sum(rates.tokens(step, job.brief) for step in steps) for steps in plays]
    seconds = [_dot(rates.seconds, _seconds_features(steps, latency, concurrency)) if steps else 0.0 for steps in plays]
    calls = [float(sum(step.notes for step in steps)) for steps in plays]
    return Guesses(calls=_guess(calls), tokens=_guess(tokens), seconds=_guess(seconds))


def play(job: Job, series: Sequence[Series], random: Random) -> list[Step]:
    """The iterations of one play."""
    steps: list[Step] = []
    rungs = ladder.steps(job.chain)
    earlier = 0
    for place, work in enumerate(job.works):
        own = work.items
        if not work.ended:
            allowed = ladder.share(job.max_iterations - len(steps), len(job.works) - place)
            scores, done, drawn = list(work.scores), 0, _Course(work, job.model, series, random)
            while (
                (not scores or scores[-1] < work.threshold)
                and (work.most is None or len(scores) < work.most)
                and ladder.rung(scores, rungs) < len(rungs)
                and done < allowed
            ):
                notes = ladder.batch_size(work.aspects, rungs[: ladder.rung(scores, rungs)])
                steps.append(Step(notes=notes, own=own, earlier=earlier))
                scores.append(drawn.next())
                own += round(notes * drawn.kept)
                done += 1
        earlier += own
    return steps


class _Course:
    """The way that a score goes in one play: that of a similar department, and where it ended, that of another one."""

    def __init__(self, work: Work, model: str, series: Sequence[Series], random: Random) -> None:
        self._random, self._number, self._score = random, work.number, work.score
        self._series = series
        self._weights = [_likeness(work, model, one) for one in series]
        self._now = self._draw()
        self._gain = FIRST_GAIN
        self.kept = self._now.kept if self._now else 0.9

    def next(self) -> float:
        if self._now is None or len(self._now.scores) <= self._number:
            self._now = self._draw()
        now, at = self._now, self._number
        self._number += 1
        if now is None:
            before = self._score
            self._score = FIRST_SCORE if before is None else before + self._gain
            self._gain *= GAIN_KEPT if before is not None else 1
        elif self._score is None or at == 0:
            self._score = now.scores[at] + self._random.gauss(0, UNLIKE)
        else:
            self._score += now.scores[at] - now.scores[at - 1]
        self._score = min(100.0, max(0.0, self._score))
        return self._score

    def _draw(self) -> Series | None:
        """A department that went at least as far, likelier the more it is alike."""
        far = [(one, weight) for one, weight in zip(self._series, self._weights, strict=True) if len(one.scores) > self._number]
        if not far:
            return None
        return self._random.choices([one for one, _ in far], [weight for _, weight in far])[0]


def _likeness(work: Work, model: str, one: Series) -> float:
    apart = abs(math.log(max(work.aspects, 1) / max(one.aspects, 1)))
    return math.exp(-apart / 0.3) * (3 if one.slug == work.slug else 1) * (4 if one.model == model else 1) + 1e-9


def rates(past: Sequence[Past], concurrency: int) -> Rates:
    """What an iteration takes, fitted to the runs that are known with no part below zero; the defaults where there are too few."""
    steps = [
        (step.own, step.earlier, max(0.0, tokens / step.notes - BRIEF_TOKENS * run.job.brief))
        for run in past
        for step, tokens in run.steps
        if tokens
    ]
    timed = [([step for step, _ in run.steps], run) for run in past if run.steps]
    seconds = _fit(
        [_seconds_features(steps, run.latency_s, concurrency) for steps, run in timed],
        [run.seconds for _, run in timed],
        (COLD_RUN_S, COLD_ITERATION_S, 1.0, 0.0),
    )
    return Rates(steps=steps, seconds=seconds)


def _seconds_features(steps: Sequence[Step], latency: float, concurrency: int) -> tuple[float, ...]:
    waits = sum(math.ceil(step.notes / concurrency) for step in steps) * latency
    return 1.0, float(len(steps)), waits, float(sum(step.notes * (step.own + step.earlier) for step in steps))


def _fit(rows: Sequence[Sequence[float]], values: Sequence[float], cold: tuple[float, ...]) -> tuple[float, ...]:
    """Coefficients, none below zero, with the least relative error; rows and values come oldest first, and the newer count for more.

    The fewer there are, the nearer the coefficients stay to the defaults, `cold`.
    """
    import numpy as np  # not above: a command that only reads starts without it
    from scipy.optimize import nnls

    if not rows:
        return cold
    ages = np.arange(len(rows))[::-1]
    trust = 0.5 ** (ages / HALF_LIFE / 2)  # of a squared miss
    weights = trust / np.maximum(np.asarray(values), 1e-9)
    matrix, target = np.asarray(rows) * weights[:, None], trust
    size = np.maximum(np.abs(matrix).mean(axis=0), 1e-9)
    pull = np.diag(0.3 * size)  # as much as a third of one known run
    found, _ = nnls(np.vstack([matrix, pull]), np.concatenate([target, pull @ np.asarray(cold)]))
    return tuple(float(one) for one in found)


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(one * other for one, other in zip(left, right, strict=True))


def _guess(values: Sequence[float]) -> Guess:
    """The mean of the middle half, which no single play can pull far, and the spread of four fifths of the plays."""
    ordered = sorted(values)
    count = len(ordered)
    middle, low, high = fmean(ordered[count // 4 : count - count // 4]), ordered[count // 10], ordered[count - 1 - count // 10]
    return Guess(value=middle, spread=math.log(high / low) / 2.56 if low > 0 else 1.0 if middle else 0.0)
