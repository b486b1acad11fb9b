"""Claims about scores as values: unknown is not zero, and whoever reads one learns whether a judge had a part in it."""

from __future__ import annotations

import pytest

from gather_pipeline.domain.quality import Contradiction, Part, Quality, is_judged, told, total


def test_weights_of_known_parts_are_scaled_up() -> None:
    assert total({"coverage": 50.0, "depth": None, "coherence": 80.0, "actionability": None}) == 60.0
    assert total({"coverage": None, "depth": None, "coherence": None, "actionability": None}) == 0.0


def test_a_deduction_never_takes_a_score_below_zero() -> None:
    assert total({"coverage": 20.0}, 45.0) == 0.0


def test_a_score_is_told_with_a_word_where_no_judge_read_it() -> None:
    assert (told(71.5, True), told(60.0, False)) == ("71.5", "60 (unjudged)")


@pytest.mark.parametrize(
    ("document", "judged"), [({}, False), ({"unjudged": None}, False), ({"unjudged": 50.0}, True), ({"judged": True}, True)]
)
def test_scores_of_earlier_versions_say_by_their_fields_whether_a_judge_had_a_part(document: dict[str, object], judged: bool) -> None:
    assert is_judged(document) is judged


def test_a_document_holds_each_contradiction_as_a_sentence() -> None:
    clash = Contradiction(first="'Elias is 48' gives 48", second="61 in the brief")
    quality = Quality(parts={"depth": Part(value=50.0, reasons=("x",))}, scorer="s", version="2", contradictions=(clash,), deduction=5.0)
    assert quality.to_document()["contradictions"] == ["'Elias is 48' gives 48, against 61 in the brief."]
    assert quality.value == 45.0
