from __future__ import annotations

import pytest

from gather_pipeline.text.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The keeper trims the lamp before the storm.", "en"),
        ("Lamp room, dawn, salt on lens.", "en"),
        ("Torch; wet slate; Ines's drawing; bell x11.", "en"),
        ("Cut to black", "en"),
        ("", "en"),
        ("12 34", "en"),
        ("Der Turm steht im Nebel, und niemand wartet auf das Boot.", "de"),
        ("El farero espera en la torre mientras el viento golpea la puerta.", "es"),
        ("夜が明ける", "ja"),
        ("Сестры живут в Москве.", "ru"),
    ],
)
def test_a_text_is_english_unless_it_speaks_clearly_for_another_language(text: str, language: str) -> None:
    assert language_of(text) == language
