from __future__ import annotations

import pytest

from gather_pipeline.adapters.models.thoughts import split_thoughts


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("<think>", "</think>"),
        ("<THINK>", "</THINK>"),
        ("<thinking>\n", "</thinking>"),
        ("<reasoning>", "</reasoning>"),
        ("<seed:think>", "</seed:think>"),
        ("&lt;think&gt;", "&lt;/think&gt;"),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|channel>thought\n", "<channel|>"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>"),
        ("analysisThe ", "assistantfinal"),
    ],
)
def test_what_follows_the_thoughts_is_said_whether_or_not_their_beginning_is_marked(begin: str, end: str) -> None:
    assert split_thoughts(f'{begin}First {{"a": 1}}, no.{end}\n\nThe answer.')[0] == "The answer."
    assert split_thoughts(f'First {{"a": 1}}, no.{end}The answer.')[0] == "The answer."
    assert split_thoughts(f'{begin}First {{"a": 1}}, and then it was cut')[0] == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" Nothing is thought. ", " Nothing is thought. "),
        ("<think></think>Said.", "Said."),
        ("<think>a</think><think>b</think>Said.", "Said."),
        ("<think>a</think>A draft.<think>no</think>Said.", "Said."),
        ("<think>a <think>b</think> c</think>Said.", "Said."),
        ("<think>a <think>b</think> c</think>", ""),
        ("Said.<think>And what else</think>", "Said."),
        ("Said.<think>And what el", "Said."),
        ("<think>a</think>Said.<think>And what else</think>", "Said."),
        ("all of it</think>", ""),
        ("She is [thinking] of the reason; analysis comes later.", "She is [thinking] of the reason; analysis comes later."),
    ],
)
def test_thoughts_in_any_place_are_not_said(text: str, said: str) -> None:
    assert split_thoughts(text)[0] == said


def test_the_thoughts_are_kept_apart_without_their_marks() -> None:
    assert split_thoughts("<think>One.</think>Two.") == ("Two.", "One.")


def test_a_hostile_number_of_marks_takes_no_long_time() -> None:
    assert split_thoughts("<think></think>" * 5_000) == ("", "")
