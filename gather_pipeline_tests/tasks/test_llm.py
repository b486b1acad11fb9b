"""The model of seed S002: `get_llm_model(task_name, temperature, model).invoke(prompt)` (C07)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from gather_pipeline import bootstrap
from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.services import Services
from gather_pipeline.tasks import get_llm_model
from gather_pipeline_tests.harness import Counting, make_settings


class Sting(BaseModel):
    """A piece of music."""

    title: str
    bars: int


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build_services(make_settings(tmp_path))
    yield replace(made, model=Counting(made.model))
    made.close()


def test_a_prompt_is_sent_as_it_stands_and_the_reply_is_logged_and_paid_once(services: Services) -> None:
    assert isinstance(services.model, Counting)
    model = get_llm_model("correction", services=services)
    first, again, other = model.invoke("Your prompt here"), model.invoke("Your prompt here"), asyncio.run(model.ainvoke("{{ other }}"))
    assert first.content == again.content and (first.execution.cached, again.execution.cached) == (False, True)
    assert [(one.messages[-1].content, one.temperature, one.model) for one in services.model.requests] == [
        ("Your prompt here", 0.3, "scripted"),
        ("{{ other }}", 0.3, "scripted"),
    ]
    stored = services.executions.get(other.execution.id)
    assert (stored.output, stored.tags) == (other.content, {"task_name": "correction"})
    model.close()


def test_arguments_win_over_the_task_and_a_tasks_own_parameters_hold_without_them(services: Services) -> None:
    assert isinstance(services.model, Counting)
    get_llm_model("summary", temperature=0.5, model="scripted:b", services=services).invoke("a")
    get_llm_model("distil_plot", services=services).invoke("a")
    own = services.catalogue.get("distil_plot").generation
    asked = [(one.model, one.temperature, one.max_tokens) for one in services.model.requests]
    assert asked == [("scripted:b", 0.5, 2000), ("scripted", own.temperature, own.max_tokens)]
    with pytest.raises(UnknownEntity, match="task is 'corection', expected one of"):
        get_llm_model("corection", services=services)
    with pytest.raises(InvalidInput, match="option temperature is 2"):
        get_llm_model(temperature=2, services=services)


@pytest.mark.parametrize("schema", [Sting, Sting.model_json_schema()], ids=["class", "schema"])
def test_a_structured_reply_fits_its_schema(services: Services, schema: type[BaseModel] | dict[str, object]) -> None:
    reply = get_llm_model(services=services).with_structured_output(schema).invoke("Name a sting.")
    assert set(reply.content) == {"title", "bars"} and Sting.model_validate(reply.content)
    assert isinstance(services.model, Counting) and services.model.requests[0].response_schema is not None


def test_a_structured_reply_is_had_where_nobody_holds_the_model_that_it_was_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"GATHER_HOME": str(tmp_path), "GATHER_MODEL": "scripted", "GATHER_EMBEDDER": "hashing"}.items():
        monkeypatch.setenv(name, value)
    model = get_llm_model().with_structured_output(Sting)
    gc.collect()
    assert Sting.model_validate(model.invoke("Name a sting.").content)
    model.close()
