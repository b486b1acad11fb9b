"""What goes wrong, by prompt and model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.errors import ModelTimeout, OutputInvalid
from gather_pipeline.tasks.execution import Feedback
from gather_pipeline.tasks.learning import kind_of, patterns
from gather_pipeline_tests.tasks.builders import Bench

GOOD = '{"greeting": "Good evening."}'


def test_complaints_of_one_kind_are_counted_with_an_interval() -> None:
    bench = Bench(*['{"warmth": 1}', GOOD] * 2, *[GOOD] * 6)
    for _ in range(8):
        bench.run()
    [found] = patterns(bench.records[::-1])
    assert (found.count, found.of, found.model, found.prompt) == (2, 8, "small", "standard")
    assert found.kind.startswith("wrong form: ") and "greeting" not in found.kind
    assert 0 < found.low < found.share == 0.25 < found.high < 1
    assert found.executions == tuple(one.id for one in bench.records[:2][::-1])


def test_failures_and_what_people_reject_are_told_by_model() -> None:
    bench = Bench(*["no JSON at all"] * 3, GOOD)
    with pytest.raises(OutputInvalid):
        bench.run()
    bench.run(model="large")
    said = Feedback(by="ana", at="2026-11-21T08:00:00+00:00", accepted=False, note="too cold")
    bench.records[1] = replace(bench.records[1], feedback=(said,))
    found = {(one.model, one.kind): one for one in patterns(bench.records)}
    assert found["large", "rejected by a person"].examples == ("too cold",)
    assert found["small", "no JSON"].count == 1


def test_what_people_say_of_an_output_is_told_of_the_model_whose_it_is() -> None:
    taken = Verdict(ruling="accept", method="consensus", replacement={"greeting": "Ho."}, replaced_by="large")
    said = Feedback(by="ana", at="2026-11-21T08:00:00+00:00", accepted=False, note="too cold")
    bench = Bench(GOOD)
    bench.run()
    found = patterns([replace(bench.record, verdicts=(taken,), feedback=(said,))])
    assert [(one.model, one.kind, one.count, one.of) for one in found] == [("large", "rejected by a person", 1, 1)]


def test_what_cannot_be_had_is_told_of_the_model_that_was_asked_for_it() -> None:
    bench = Bench(ModelTimeout("no answer in 5 s"), GOOD)
    bench.run(fallback_models=["large"])
    [found] = patterns(bench.records)
    assert (found.model, found.kind, found.count, found.of) == ("small", "not had", 1, 1)


def test_numbers_and_quoted_words_do_not_tell_kinds_apart() -> None:
    first, second = (kind_of(f"the answer does not fit: score is {n}, expected at most 10") for n in (11, 12.5))
    assert first == second
    assert kind_of("ModelTimeout: no answer within 60 s") == "not had"
    assert kind_of("the answer is 'the cup is empty', expected JSON and nothing else") == "no JSON"
    assert kind_of("the answer does not fit: title: 'JSON' is too short") == "wrong form: title: _ is too short"
