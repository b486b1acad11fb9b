"""A brief is shown as its writer meant it, and does nothing."""

from __future__ import annotations

import re

import pytest

from gather_pipeline.domain.projects import Project
from gather_pipeline.report.brief import CHARACTERS, brief_parts
from gather_pipeline_tests.report.pages import BRIEF

SENTENCE = "The keeper writes with his left hand, as Dr. Holm did. "


def parts(brief: str, name: str = "N") -> tuple[str, str]:
    beginning, rest = brief_parts(Project(id="p", name=name, brief=brief))
    return str(beginning), str(rest)


def words(html: str) -> list[str]:
    return re.sub(r"<[^>]*>", " ", html).split()


def test_markdown_becomes_html_whose_headings_are_not_the_page_s() -> None:
    beginning, rest = parts("# Tone\n\nA *cold* mystery:\n\n- wind\n- sea\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    for expected in ('<p dir="auto" class="heading">Tone</p>', "<em>cold</em>", '<li dir="auto">wind</li>', '<td dir="auto">2</td>'):
        assert expected in beginning
    assert rest == ""


@pytest.mark.parametrize(
    "brief",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=y> b",
        "[x](javascript:alert(1))",
        "[x](  data:text/html;base64,eA== )",
        "[x](file:///etc/passwd)",
        "<javascript:alert(1)>",
        "![x](https://example.com/pixel.png)",
        "![x][y]\n\n[y]: https://example.com/pixel.png",
    ],
)
def test_nothing_is_executed_or_loaded(brief: str) -> None:
    html = "".join(parts(brief))
    assert not re.search(r"<script|<img|javascript:[^<]*\"|data:[^<]*\"|file:[^<]*\"", html)


def test_the_page_s_own_heading_is_not_repeated() -> None:
    beginning, rest = parts(BRIEF, "The Salt Ledger")
    assert "The Salt Ledger" not in beginning + rest
    assert "The Salt Ledger" in parts(BRIEF, "Another")[0]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_long_brief_is_cut_at_a_sentence_and_nothing_is_lost(end: str) -> None:
    for brief in (BRIEF, SENTENCE * 60, f"# Head\n\n{SENTENCE * 10}\n\n## Deep\n\n{SENTENCE * 20}"):
        beginning, rest = parts(brief.replace("\n", end))
        assert words(beginning) + words(rest) == re.sub("#", "", brief).split()
        assert words(beginning)[-1].endswith(".") and words(beginning)[-1] != "Dr."
        assert 0.7 * CHARACTERS < len(" ".join(words(beginning))) <= CHARACTERS


def test_sentences_of_other_scripts_end_too() -> None:
    beginning, rest = parts("海は暗い。" * 400)
    assert (beginning.count("海"), rest.count("海")) == (CHARACTERS // 5, 400 - CHARACTERS // 5)


def test_a_list_a_table_and_code_are_never_torn() -> None:
    for block in (
        "- One. Two.\n" * 200,
        "| One. | Two. |\n|---|---|\n" + "| 1. | 2. |\n" * 200,
        "```\nOne. Two.\n" * 1 + "Three.\n" * 300 + "```",
    ):
        beginning, rest = parts(f"First.\n\n{block}\n\nLast.")
        assert words(beginning) == ["First."]
        assert words(rest)[-1] == "Last."


def test_a_text_without_a_sentence_ends_with_its_paragraph() -> None:
    assert parts("word " * 500)[1] == ""
    assert words(parts(f"{'word ' * 500}\n\nmore")[1]) == ["more"]


def test_a_link_may_be_defined_in_the_other_part() -> None:
    beginning, _ = parts(f"See [the log][1]. {SENTENCE * 60}\n\n[1]: https://example.com/log")
    assert '<a href="https://example.com/log">the log</a>' in beginning


def test_an_empty_brief_is_empty() -> None:
    assert parts("") == ("", "")
