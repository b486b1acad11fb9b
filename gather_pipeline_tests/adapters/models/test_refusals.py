from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.adapters.models.refusals import read_refusal
from gather_pipeline.domain.waits import parse_wait

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RAW = json.dumps({"error": {"message": "This model has one temperature.", "param": "temperature"}})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, "", "key"),
        (400, {"error": {"code": "invalid_api_key", "message": "Look at your account"}}, "key"),
        (400, [{"error": {"message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]}}], "key"),
        (403, {"error": "Invalid authentication credentials"}, "key"),
        (402, {"error": {"message": "Add more."}}, "quota"),
        (400, {"error": {"message": "Your credit balance is too low"}}, "quota"),
        (403, {"code": 30001, "message": "the account balance is insufficient"}, "quota"),
        (429, {"error": {"type": "insufficient_quota", "message": "spent"}}, "quota"),
        (429, {"error": {"code": "1113", "message": "Please recharge."}}, "quota"),
        (429, [{"error": {"message": "See plan and billing", "details": [{"retryDelay": "2s"}]}}], "wait"),
        (429, {"error": {"message": "slow down"}}, "wait"),
        (503, {"error": {"message": "loading", "retry_after": 3}}, "wait"),
        (404, {"error": {"message": "model 'x' not found"}}, "model"),
        (500, "<h1>Oh</h1>", "busy"),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "busy"),
        (408, {}, "busy"),
        (400, {"error": {"message": "the prompt is too long"}}, "other"),
        (403, "<title>403 Forbidden</title>", "other"),
        (413, {"error": {"message": "Request too large: limit 6000 tokens per minute", "code": "rate_limit_exceeded"}}, "other"),
        (
            400,
            {"error": {"message": "max_tokens", "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            "content",
        ),
        (307, "", "other"),
    ],
)
def test_what_a_refusal_is_about_is_seen_whatever_its_shape(status: int, body: Any, kind: str) -> None:
    assert read_refusal(status, body, now=NOW).kind == kind


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"error": {"message": "Not with this model", "param": "temperature"}}, "temperature"),
        ({"error": {"message": "The upstream failed", "metadata": {"raw": RAW}}}, "temperature"),
        ({"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 11}]}, "seed"),
        ('unknown field "seed"', "seed"),
        ([{"error": {"details": [{"fieldViolations": [{"field": "seed", "description": "Unknown name"}]}]}}], "seed"),
        ({"error": {"message": "No endpoints found that support response_format"}}, "response_format"),
        ({"message": "Structured outputs need a newer model"}, "response_format"),
        ({"error": {"message": "No endpoints found that can handle the requested parameters."}}, "response_format"),
        ({"error": {"message": "Use max_completion_tokens"}}, "max_tokens"),
        ({"message": "You requested 2500 tokens (1000 in the messages, 1500 in the completion)."}, "max_tokens"),
        ({"error": {"param": "messages[0].role", "message": "Unsupported value"}}, "system"),
        ({"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user' or 'assistant'"}]}, "system"),
        ({"message": "Conversation roles must alternate user/assistant"}, "system"),
        ({"message": "The chat template knows no system turn"}, "system"),
        ({"message": "Developer instruction is not enabled"}, "system"),
        ({"message": "The system failed"}, None),
    ],
)
@pytest.mark.parametrize("status", [400, 404, 422, 500])
def test_the_parameter_to_blame_is_found_wherever_it_is_named(status: int, body: Any, parameter: str | None) -> None:
    refusal = read_refusal(status, body, now=NOW)
    assert next(iter(refusal.parameters), None) == parameter
    assert (refusal.kind == "parameter") is (parameter is not None)


def test_a_place_that_is_named_comes_before_what_the_words_mention() -> None:
    body = {"error": {"message": "temperature is fine, this is not", "param": "seed"}}
    assert read_refusal(400, body, now=NOW).parameters == ("seed", "temperature")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "Failed", "metadata": {"raw": "the pool is busy"}}}, "Failed: the pool is busy"),
        ({"error": {"message": "Failed", "metadata": {"raw": RAW}}}, "Failed: This model has one temperature."),
        ({"errors": {"messages": ["are too many"]}}, "messages: are too many"),
        ({"detail": {"error": "not nice"}}, "not nice"),
        ("<html><head><title>Login &amp; more</title></head><body>x</body></html>", "Login & more"),
        ("<html><body><script>x()</script><h1>Bad <b>gateway</b></h1></body></html>", "Bad gateway"),
        ("Service\nunavailable", "Service unavailable"),
        ({"foo": {"bar": "odd"}}, "bar: odd"),
    ],
)
def test_the_providers_own_words_are_kept(body: Any, words: str) -> None:
    assert read_refusal(500, body, now=NOW).words == words


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("-5", 0.0),
        ("1s", 1.0),
        ("800ms", 0.8),
        ("1m2.5s", 62.5),
        ("2 minutes", 120.0),
        ("1h", 3600.0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 13:00:30 +0100", 30.0),
        ("2026-01-01T12:01:00Z", 60.0),
        (str(NOW.timestamp() + 40), 40.0),
        (str((NOW.timestamp() + 40) * 1000), 40.0),
        *((value, None) for value in (None, "", "later", "inf", "nan", "5 apples", "Thu, 99 Jan 2026 12:00:30 GMT")),
    ],
)
def test_a_wait_is_read_in_every_form_that_it_is_told_in(value: str | None, seconds: float | None) -> None:
    assert parse_wait(value, NOW) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after-ms": "800", "retry-after": "1"}, {}, 0.8),
        ({"retry-after": "7", "x-ratelimit-reset-tokens": "1s"}, {}, 7.0),
        ({"x-ratelimit-reset-requests": "1.2s", "x-ratelimit-reset-tokens": "6m0s"}, {}, 1.2),
        ({"anthropic-ratelimit-requests-reset": (NOW + timedelta(seconds=9)).isoformat()}, {}, 9.0),
        ({}, {"error": {"message": "Please try again in 7.2s."}}, 7.2),
        ({}, {"error": {"message": "Please retry after 20 seconds and be patient"}}, 20.0),
        ({}, {"error": {"details": [{"retryDelay": "34s"}]}}, 34.0),
        ({}, {"error": {"metadata": {"retry_after_seconds": 3}}}, 3.0),
        ({}, {"error": {"metadata": {"headers": {"X-RateLimit-Reset": str(int((NOW.timestamp() + 20) * 1000))}}}}, 20.0),
        ({}, {"error": {"message": "slow down"}}, None),
    ],
)
def test_the_wait_is_found_in_headers_body_and_words(headers: dict[str, str], body: Any, seconds: float | None) -> None:
    assert read_refusal(429, body, now=NOW, headers=headers).retry_after_s == seconds


@given(st.text(max_size=60), st.integers(100, 599))
def test_any_text_is_some_refusal(body: str, status: int) -> None:
    assert read_refusal(status, body, now=NOW).kind
    parse_wait(body, NOW)
