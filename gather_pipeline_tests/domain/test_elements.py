from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gather_pipeline.domain.elements import CharacterContext, GatherItem, PlotElement, StructuredContextContainer, SystemInstruction


def test_what_is_told_now_and_what_is_told_about_it_are_two_layers() -> None:
    assert [PlotElement(type=type, content="x").layer for type in ("scene", "chapter", "outline", "world")] == ["C", "C", "E", "E"]


def test_a_system_instruction_must_be_included_unless_it_says_otherwise() -> None:
    assert SystemInstruction(content="x").priority == "high" and SystemInstruction(content="x", priority="low").priority == "low"


def test_an_element_without_an_id_is_known_by_what_it_says() -> None:
    one, same, other = (PlotElement(content=text) for text in ("The lamp.", "The lamp.", "The sea."))
    assert one.key == same.key != other.key and PlotElement(id="7", content="The lamp.").key == "7"
    assert CharacterContext(character_id="hero", character_name="Aria").key == "character:hero"


def test_a_note_is_told_with_its_department_and_a_character_with_what_is_known() -> None:
    assert GatherItem(content="Blue.", department="visual").text == "[visual] Blue."
    assert CharacterContext(character_id="a", character_name="Aria").text == "Aria"


@pytest.mark.parametrize(
    ("agent", "phase", "seen"), [(None, None, True), ("writer", None, True), ("editor", None, False), ("writer", "outline", False)]
)
def test_an_element_is_for_its_agents_in_its_phases(agent: str | None, phase: str | None, seen: bool) -> None:
    assert PlotElement(content="x", agents=("writer",), phases=("chapter",)).is_for(agent, phase) is seen


def test_text_is_cleaned_at_the_border() -> None:
    assert PlotElement(content=" a\x00b\ud800 ").content == "ab\ufffd"


@pytest.mark.parametrize("wrong", [{"content": "x", "mood": "blue"}, {"content": " "}, {}])
def test_an_element_of_another_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StructuredContextContainer.model_validate({"plot_elements": [wrong]})
