"""Prompt templates: Jinja in a sandbox, where values are data and never part of the template (S000-SEC-01).

What this does against prompt injection is simple, and no more than this: a value is never rendered again, control characters and chat
markers in it lose their power, and the filter `block` puts a text between delimiters that the text itself cannot close.
A model may still be talked into things by what stands between them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError, UndefinedError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gather_pipeline.errors import InvalidInput

# Control characters but tab and newline, lone surrogates, and what is invisible and reorders or hides text (bidi, tag characters).
TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")  # colours, cursors, titles
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
CHAT_MARKER = re.compile(r"<\|(\w{1,40})\|>")  # <|im_end|> in a text would end the turn in local servers
TAG = re.compile(r"[a-z][a-z_]{0,40}")


def clean(text: str) -> str:
    """The text without control characters and sequences, with one kind of newline and with chat markers broken."""
    return CHAT_MARKER.sub(r"< |\1| >", HIDDEN.sub("", TERMINAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))))


def cleaned(value: Any) -> Any:
    """A JSON value with all its texts cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: cleaned(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(part) for part in value]
    return value


def variables(template: str) -> frozenset[str]:
    """Names that a template takes from outside.

    Raises:
        ValueError: It is no template, or it asks for another file.
    """
    try:
        tree = ENVIRONMENT.parse(template)
        ENVIRONMENT.from_string(template)  # finds filters that are not there
    except TemplateError as error:
        raise ValueError(f"is not a template: {error}") from None
    if list(meta.find_referenced_templates(tree)):
        raise ValueError("includes another template, expected one that stands alone")
    return frozenset(meta.find_undeclared_variables(tree))


def render(template: str, values: Mapping[str, Any], name: str = "template") -> str:
    """The template with the values in their places, white space around it removed; `name` says in a message what was rendered.

    Raises:
        InvalidInput: A value is missing, or the template does what the sandbox forbids.
    """
    try:
        return ENVIRONMENT.from_string(template).render(cleaned(values)).strip()
    except UndefinedError as error:
        raise InvalidInput(f"{name} needs a value that the input lacks: {error.message}") from None
    except (TemplateError, TypeError, ValueError) as error:
        raise InvalidInput(f"{name} cannot be filled in: {error}") from None


def _block(text: object, tag: str) -> str:
    if not TAG.fullmatch(tag):
        raise ValueError(f"block name is {tag!r}, expected small letters and '_'")
    inside = re.sub(rf"<\s*(/?)\s*{tag}\b[^>]*>?", rf"[\1{tag}]", clean(str(text)), flags=re.IGNORECASE)
    return f"<{tag}>\n{inside.strip()}\n</{tag}>"


def _quoted(text: object) -> str:
    inside = re.sub(r"\"{2,}", '"', clean(str(text)).strip())
    return f'"""{inside}"""'


ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: "" if value is None else value,
)
ENVIRONMENT.globals.clear()
ENVIRONMENT.filters = {name: ENVIRONMENT.filters[name] for name in ("join", "length", "lower", "upper", "first", "last", "trim")}
ENVIRONMENT.filters["block"] = _block
ENVIRONMENT.filters["quoted"] = _quoted  # the same for models so small that tags lead them to write HTML
