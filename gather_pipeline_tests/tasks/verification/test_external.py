"""What a service answers, read generously."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gather_pipeline.adapters.web.service import HttpService
from gather_pipeline.errors import InvalidInput, ServiceUnavailable
from gather_pipeline.tasks.runner import Support
from gather_pipeline_tests.fault_server import FaultServer
from gather_pipeline_tests.tasks.builders import Bench, StepClock, define
from gather_pipeline_tests.tasks.verification.cases import TOOLS, case, ruled

URL = "https://facts.example.org/check"
GOOD = {"greeting": "Good evening, Mara."}


class Service:
    """Answers one thing, or raises; keeps what it was sent."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.sent: list[tuple[str, Any, float, int]] = []

    async def post(self, url: str, body: Any, *, timeout_s: float, retries: int) -> Any:
        self.sent.append((url, body, timeout_s, retries))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def said(answer: Any, **parameters: Any) -> Any:
    return ruled("external", case(GOOD), {"url": URL, **parameters}, replace(TOOLS, web=Service(answer)))


def test_a_service_is_sent_task_input_and_output():
    service = Service({"passed": True, "confidence": 0.9, "reasons": ["found in two sources"], "suggestions": []})
    verdict = ruled("external", case(GOOD), {"url": URL, "timeout_s": 3, "retries": 0}, replace(TOOLS, web=service))
    assert (verdict.ruling, verdict.confidence, verdict.reasons) == ("accept", 0.9, ("found in two sources",))
    body = {"task": "greeting", "version": "1.0.0", "input": {"who": "Mara", "mood": "kind"}, "output": GOOD}
    assert service.sent == [(URL, body, 3.0, 0)]


@pytest.mark.parametrize(
    ("answer", "ruling", "confidence", "reasons"),
    [
        ({"passed": False, "reasons": ["the date is wrong"]}, "reject", None, ("the date is wrong",)),
        ({"valid": True, "score": "87%"}, "accept", 0.87, ()),
        ({"ok": "no", "errors": [{"message": "line 3", "code": 7}, "line 9"]}, "reject", None, ("line 3", "line 9")),
        ({"status": "PASSED", "confidence": 95, "message": "fine"}, "accept", 0.95, ("fine",)),
        ({"result": 0}, "reject", None, ()),
        ({"passed": None, "reason": "no source"}, "undecided", None, ("no source",)),
        (True, "accept", None, ()),
        ({"passed": True, "confidence": "very"}, "accept", None, ()),
    ],
)
def test_an_answer_is_read_in_its_usual_forms(answer: Any, ruling: str, confidence: float | None, reasons: tuple[str, ...]):
    verdict = said(answer)
    assert (verdict.ruling, verdict.confidence, verdict.reasons) == (ruling, confidence, reasons)


@pytest.mark.parametrize("answer", [{}, [], "fine", 7, None, {"passed": "perhaps"}, {"passed": {"ok": True}}])
def test_an_answer_without_a_verdict_is_undecided(answer: Any):
    verdict = said(answer)
    assert verdict.ruling == "undecided" and 'expected an object with "passed": true or false' in verdict.reasons[0]


def test_a_checker_that_is_down_is_undecided():
    assert said(ServiceUnavailable("facts.example.org cannot be reached")).reasons == ("facts.example.org cannot be reached",)
    assert said(InvalidInput("HTTPS_PROXY is no address of a proxy")).ruling == "undecided"


def test_too_little_confidence_in_an_acceptance_escalates():
    assert said({"passed": True, "confidence": 0.4}, min_confidence=0.8).ruling == "escalate"
    assert said({"passed": True}, min_confidence=0.8).reasons == ("the service accepts it without a confidence, expected at least 0.8",)
    assert said({"passed": True, "confidence": 0.8}, min_confidence=0.8).ruling == "accept"


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"url": "ftp://x"}, "parameter url is 'ftp://x', expected "),
        ({"timeout_s": 0}, "parameter timeout_s is 0, expected greater than 0"),
        ({"header": "x"}, "parameter header is not known, expected one of url, timeout_s, retries, min_confidence"),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters: dict[str, Any], told: str):
    with pytest.raises(InvalidInput) as refused:
        said(True, **parameters)
    assert told in str(refused.value)


def test_a_url_is_needed_and_a_way_to_it():
    with pytest.raises(InvalidInput, match="verification external: parameter url is missing"):
        ruled("external", case(GOOD), {}, replace(TOOLS, web=Service(True)))
    with pytest.raises(InvalidInput, match="expected a way to services"):
        ruled("external", case(GOOD), {"url": URL})


def test_a_task_is_checked_over_http_and_goes_on_where_the_checker_is_down():
    output = json.dumps(GOOD)
    with FaultServer(
        [lambda exchange: exchange.send_json(200, {"passed": True})], then=lambda exchange: exchange.send_json(503, {})
    ) as server:
        verification = {
            "method": "external",
            "parameters": {"url": server.base_url, "retries": 1},
            "fallback_strategy": "use_highest_ranked_model",
        }
        support = Support(tools=replace(TOOLS, web=HttpService(StepClock())))
        bench = Bench(output, output, definition=define(verification=verification), support=support)
        assert bench.run() == bench.run() == GOOD
    first, second = bench.records
    assert (first.verified, second.verified, second.fallback) == (True, False, "use_highest_ranked_model")
    assert second.verdicts[0].reasons == ("127.0.0.1 answers HTTP 503, tried 2 times",)
