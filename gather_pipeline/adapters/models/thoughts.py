"""Tells what a model thinks aloud from what it says, in the notations that servers leave in a text."""

from __future__ import annotations

import re

TAG = r"(?:\w+:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad)"
BEGIN = (  # of thoughts: tags, special tokens, the channels of gpt-oss (also where their tokens were stripped) and of Gemma
    rf"(?:<\|?|&lt;|◁){TAG}\s*(?:\|?>|&gt;|▷)|<[|｜](?:begin.of.th(?:ought|inking)|start_thinking)[|｜]>|<unused94>"
    r"|<\|channel\|?>\s*(?:analysis|commentary|thought)|\Aanalysis(?-i:(?=[A-Z]))|(?-i:\[THINK\])"
)
END = (
    rf"(?:<\|?|&lt;|◁)/{TAG}\s*(?:\|?>|&gt;|▷)|<[|｜]end.(?:of.th(?:ought|inking)|thinking)[|｜]>|<unused95>"
    r"|<\|channel\|>\s*final\b[^{}]{0,40}?<\|message\|>|<channel\|>|assistantfinal|\[BEGIN FINAL RESPONSE\]|(?-i:\[/THINK\])"
)
MARK = re.compile(rf"(?P<begin>{BEGIN})|{END}", re.IGNORECASE)


def split_thoughts(text: str) -> tuple[str, str]:
    """What is said, empty where all of it is thought, and the thoughts.

    What follows the last thoughts counts, whether or not their beginning is marked; where nothing follows, what stands before them.
    """
    end, thinking = len(text), False
    for mark in reversed(list(MARK.finditer(text))):
        if mark["begin"]:
            end, thinking = mark.start(), False
        elif not thinking and text[mark.end() : end].strip():
            return text[mark.end() : end].strip(), MARK.sub("", text[: mark.start()]).strip()
        else:
            thinking = True
    place = 0 if thinking else end
    return text[:place], MARK.sub("", text[place:]).strip()
