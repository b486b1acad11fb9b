"""Syntax: whether a text, or a part of an output, can be read as what it is meant to be; nothing of it is ever run."""

from __future__ import annotations

import ast
import json
import re
import textwrap
import tomllib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.tasks.definition import Part, Text, VerificationParameters
from gather_pipeline.tasks.parsing import refuse_constant
from gather_pipeline.tasks.verification import Case, Tools, Verifier
from gather_pipeline.tasks.verification.parameters import read_parameters

METHOD = "syntax"
FENCED = re.compile(r"\s*```[\w+-]*[ \t]*\n(.*?)\n?```\s*", re.DOTALL)
LIMIT = 100_000  # characters; some readers take time that grows with the square of it


def _python(text: str) -> None:
    with warnings.catch_warnings(action="ignore"):  # an unknown escape is no wrong syntax
        ast.parse(text)


def _yaml(text: str) -> None:
    for _ in yaml.parse(text, Loader=yaml.CSafeLoader):  # without building values, so that aliases stay small
        pass


def _json(text: str) -> None:
    json.loads(text, parse_constant=refuse_constant)


LANGUAGES: Mapping[str, Callable[[str], object]] = {"json": _json, "python": _python, "toml": tomllib.loads, "yaml": _yaml}


class Syntax(Part):
    """What is read as what.

    Attributes:
        language: json, python, toml or yaml.
        field: Place in the output, such as ``code`` or ``parts.0.code``; the output itself if left out.
    """

    language: Text
    field: Text | None = None


def make(parameters: VerificationParameters, _: Tools) -> Verifier:
    """The check; raises `ValueError` where a parameter is wrong."""
    given = read_parameters(Syntax, parameters)
    if given.language not in LANGUAGES:
        raise ValueError(f"parameter language is {given.language!r}, expected one of {', '.join(LANGUAGES)}")

    async def verify(case: Case) -> Verdict:
        text = _part(case.output, given.field)
        if not isinstance(text, str):
            return Verdict(ruling="undecided", method=METHOD, reasons=(f"{given.field or 'the output'} is no text that could be read",))
        wrong = complaint(given.language, text)
        if wrong is None:
            return Verdict(ruling="accept", method=METHOD, confidence=1.0)
        return Verdict(
            ruling="reject", method=METHOD, confidence=0.0, reasons=(f"{given.field or 'the output'} is no {given.language}: {wrong}",)
        )

    return verify


def complaint(language: str, text: str) -> str | None:
    """Why a text, also one between code fences, is not of a language; None where it is."""
    if len(text) > LIMIT:
        return f"it has {len(text)} characters, expected at most {LIMIT}"
    fenced = FENCED.fullmatch(text)
    try:
        LANGUAGES[language](fenced[1] if fenced else text)
    except (ValueError, SyntaxError, yaml.YAMLError, RecursionError, MemoryError) as error:
        return textwrap.shorten(str(error) or type(error).__name__, 200, placeholder="...")
    return None


def _part(output: Any, field: str | None) -> Any:
    """The part of an output at a place, None where there is none."""
    for name in field.split(".") if field else ():
        match output:
            case Mapping():
                output = output.get(name)
            case list() if name.isdigit() and int(name) < len(output):
                output = output[int(name)]
            case _:
                return None
    return output
