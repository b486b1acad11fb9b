from __future__ import annotations

import io
from typing import Any, Literal

import pytest
from rich.console import Console

from gather_pipeline.cli.views.run import Display, table_of
from gather_pipeline.domain.event_lines import sentence
from gather_pipeline.domain.events import FIELDS, Event, EventType
from gather_pipeline.upkeep.progress import RunProgress


def event(kind: EventType | Literal["progress"], department: str = "story", **fields: Any) -> Event:
    """An event with these fields, and values for whatever else its type needs."""
    others = {name: VALUES.get(name, 7) for name in FIELDS.get(kind, ())}
    return Event(type=kind, fields=others | {"department": department} | fields, project_id="salt", task_id="t1")


def started(slug: str = "story") -> Event:
    return event("department_started", slug, threshold=62, model="m")


def tick(done: int, total: int = 6) -> Event:
    return event("progress", phase="generate", done=done, total=total)


def iteration(number: int, score: float, *, tokens: int | None = 1000) -> Event:
    counts = {"items_created": 5, "duplicates_dropped": 1, "tokens": tokens}
    return event("iteration_complete", iteration=number, quality_score=score, threshold=62, **counts)


def complete(slug: str = "story", ended_by: str = "threshold") -> Event:
    return event("department_complete", slug, quality_score=63.0, ended_by=ended_by, reason="it is good")


def progress_after(*events: tuple[float, Event]) -> RunProgress:
    progress = RunProgress.of(["story", "sound"], 0.0)
    for now, one in events:
        progress.take(one, now)
    return progress


def test_a_department_waits_until_it_begins() -> None:
    story = progress_after().departments["story"]
    assert (story.stage, story.rate(9.0), story.left(9.0)) == ("waiting", None, None)


def test_calls_answered_give_the_rate_and_the_time_left() -> None:
    story = progress_after((10.0, started()), (20.0, tick(1)), (30.0, tick(2))).departments["story"]
    assert (story.done, story.total) == (2, 6)
    assert story.rate(30.0) == 6.0
    assert story.left(30.0) == 40.0


def test_a_model_server_that_is_back_is_no_longer_away() -> None:
    away, back = event("model_away"), event("model_back", rounds=2, waited_s=3.0)
    phases = [progress_after((0.0, started()), (1.0, away), *more).departments["story"].phase for more in ([], [(2.0, back)])]
    assert phases == ["no server", "generate"]


def test_the_calls_of_every_iteration_count() -> None:
    story = progress_after((0.0, started()), (6.0, tick(6)), (10.0, iteration(1, 50.0)), (13.0, tick(3))).departments["story"]
    assert story.answered == 9
    assert story.left(13.0) == 3.0


def test_an_iteration_adds_what_it_kept_dropped_and_spent() -> None:
    story = progress_after((0.0, started()), (5.0, iteration(1, 50.0)), (9.0, iteration(2, 55.5))).departments["story"]
    assert (story.iteration, story.score, story.kept, story.dropped, story.tokens) == (2, 55.5, 10, 2, 2000)


def test_unknown_tokens_stay_unknown() -> None:
    story = progress_after((0.0, started()), (5.0, iteration(1, 50.0, tokens=None)), (9.0, iteration(2, 55.5))).departments["story"]
    assert story.tokens is None


def test_the_run_takes_as_long_as_the_departments_before() -> None:
    progress = progress_after((0.0, started()))
    assert progress.left(5.0) is None
    progress.take(complete(), 30.0)
    assert progress.left(30.0) == 30.0
    progress.take(started("sound"), 31.0)
    assert progress.left(41.0) == 20.0
    assert progress.left(99.0) == 0.0
    progress.take(complete("sound"), 99.0)
    assert (progress.left(99.0), progress.ended, progress.task_id) == (0.0, 2, "t1")


def test_a_department_that_nobody_announced_gets_a_row() -> None:
    progress = RunProgress.of([], 0.0)
    progress.take(started(), 1.0)
    assert list(progress.departments) == ["story"]


def drawn(progress: RunProgress, now: float, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, height=25, force_terminal=False)
    console.print(table_of(progress, now, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_what_a_person_waits_for_and_fits_into_80_columns() -> None:
    fault = event("model_fault", error="429")
    progress = progress_after((0.0, started()), (5.0, iteration(12, 61.4, tokens=1_234_567)), (8.0, tick(3)), (8.0, fault))
    text = drawn(progress, 9.0)
    story = next(line for line in text.splitlines() if line.startswith("story"))
    assert story.split()[:10] == ["story", "12", "61.4/62", "5", "1", "3/6", "20/min", "0:04", "1,234,567", "generate,"]
    assert "0 of 2 departments, 5 kept, 0:09 elapsed" in text


def test_a_narrow_terminal_has_fewer_columns_and_whole_words() -> None:
    progress = progress_after((0.0, started()), (5.0, iteration(12, 61.4, tokens=1_234_567)), (8.0, tick(3)))
    head, story, *_ = drawn(progress, 9.0, 50).splitlines()
    assert head.split() == ["department", "iter", "score", "kept", "calls"]
    assert story.split() == ["story", "12", "61.4/62", "5", "3/6", "generate"]


def test_the_table_ends_with_the_rule_that_ended_a_department() -> None:
    text = drawn(progress_after((0.0, started()), (5.0, iteration(1, 63.0)), (6.0, complete(ended_by="maxIterations"))), 6.0)
    assert "maxIterations" in text
    assert "1 of 2 departments, 5 kept, 0:06 elapsed, about 0:06 left" in text


def test_without_a_terminal_an_event_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(["story"])
    with display.shown():
        for one in (started(), tick(1), event("deduplicating"), iteration(1, 63.04), complete()):
            display(one)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "story: begins, threshold 62, model m",
        "story: iteration 1, quality 63.0 of 62, 5 kept, 1 dropped, 1,000 tokens",
        "story: ends, it is good",
    ]


def test_control_characters_of_a_model_do_not_reach_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Display(["story"])(event("model_fault", error="bad \x1b[2J answer"))
    assert "\x1b" not in capsys.readouterr().err


VALUES: dict[str, Any] = {
    "department": "story",
    "department_name": "Story",
    "department_number": 1,
    "summary": [],
    "step": "aim",
    "reason": "because",
    "error": "429",
    "model": "m",
}


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("score", [61.25, None])
def test_every_type_of_event_has_a_sentence_made_of_its_own_fields_alone(kind: EventType, score: float | None) -> None:
    fields = {name: VALUES.get(name, score if "score" in name else 7) for name in FIELDS[kind]}
    told = sentence(Event(type=kind, fields=fields, project_id="salt", task_id="t1"))
    assert told is None if kind == "deduplicating" else told
