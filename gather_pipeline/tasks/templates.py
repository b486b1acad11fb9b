"""Prompt templates: Jinja in a sandbox, where values are data and never part of the template (S000-SEC-01).

What this does against prompt injection is simple, and no more than this: a value is never rendered again, control characters and chat
markers in it lose their power, and the filter `block` puts a text between delimiters that the text itself cannot close.
A model may still be talked into things by what stands between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from time import thread_time
from types import CodeType
from typing import Any

from jinja2 import StrictUndefined, TemplateError, UndefinedError, meta, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import make_attrgetter
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from gather_pipeline.errors import InvalidInput
from gather_pipeline.text.fences import fenced

# Control characters but tab and newline, lone surrogates, and what is invisible and reorders or hides text (bidi, tag characters).
TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")  # colours, cursors, titles
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
CHAT_MARKER = re.compile(r"<\|(\w{1,40})\|>")  # <|im_end|> in a text would end the turn in local servers
TAG = re.compile(r"[a-z][a-z_]{0,40}")

LONGEST = 20_000  # characters of a template
MOST_CHARACTERS = 8_000_000  # that one rendering writes; the largest budget of tokens is half of it
MOST_SECONDS = 0.5  # of computing in one rendering; the longest packaged prompt takes a hundredth
LARGEST = 10**18
METHODS = (
    *("upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith", "endswith", "split", "splitlines"),
    *("items", "keys", "values", "get", "index", "count"),
)
NESTED = (RecursionError, SyntaxError, MemoryError)  # what parsers raise for what is nested too deep, Jinja's and Python's


def clean(text: str) -> str:
    """The text without control characters and sequences, with one kind of newline and with chat markers broken."""
    return CHAT_MARKER.sub(r"< |\1| >", HIDDEN.sub("", TERMINAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))))


def cleaned(value: Any) -> Any:
    """A JSON value with all its texts and keys cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {cleaned(key): cleaned(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(part) for part in value]
    return value


def variables(template: str) -> frozenset[str]:
    """Names that a template takes from outside.

    Raises:
        ValueError: It is no template, or it asks for another file.
    """
    environment = _Environment()
    try:
        tree = environment.parse(template)
        environment.compile(tree)  # finds filters that are not there
    except (TemplateError, *NESTED) as error:
        raise ValueError(f"is not a template: {_reason(error)}") from None
    if list(meta.find_referenced_templates(tree)):
        raise ValueError("includes another template, expected one that stands alone")
    return frozenset(meta.find_undeclared_variables(tree))


def render(template: str, values: Mapping[str, Any], name: str = "template") -> str:
    """The template with the values in their places, white space around it removed; `name` says in a message what was rendered.

    Raises:
        InvalidInput: A value is missing, or the template does what the sandbox forbids, or more than it may.
    """
    given = cleaned(values)
    try:
        environment = _Environment()
        return environment.template_class.from_code(environment, _code(template), {}).render(given).strip()
    except UndefinedError as error:
        raise InvalidInput(f"{name} needs a value that the input lacks: {error.message}") from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, *NESTED) as error:
        raise InvalidInput(f"{name} cannot be filled in: {_reason(error)}") from None


@lru_cache(maxsize=1000)  # of a call of the openai client, compiling a prompt takes as much time again
def _code(template: str) -> CodeType:
    return _Environment().compile(template)


def _reason(error: BaseException) -> str:
    return "its parts are nested too deep, expected at most 20 loops in one another" if isinstance(error, NESTED) else str(error)


def _block(text: object, tag: str) -> str:
    if not TAG.fullmatch(tag):
        raise ValueError(f"block name is {tag!r}, expected small letters and '_'")
    return fenced(clean(str(text)).strip(), tag)


def _quoted(text: object) -> str:
    inside = re.sub(r"\"{2,}", '"', clean(str(text)).strip())
    return f'"""{inside}"""'


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja for one rendering, within limits of text and time.

    Both are looked at where a template can repeat itself or writes something: at each pass of a loop and each value, also within a filter's
    block. What could grow unwritten (texts put together, numbers) is bounded where it is made.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, finalize=self._written)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in ("length", "lower", "upper", "first", "last", "trim")}
        self.filters |= {"block": _block, "join": self._join, "passes": self._passes}
        self.filters["quoted"] = _quoted  # the same for models so small that tags lead them to write HTML
        self._characters = 0
        self._end = thread_time() + MOST_SECONDS

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > LONGEST:
            raise SecurityError(f"it has {len(source)} characters, expected at most {LONGEST}")
        bounded: nodes.Template = _Bounds().visit(super()._parse(source, name, filename))
        return bounded

    @pass_context  # also below: so that neither is called when the template is compiled
    def _passes(self, context: Context, values: Iterable[Any], written: int) -> Iterator[Any]:
        for value in values:
            self._spend(written)
            yield value

    @pass_context
    def _written(self, context: Context, value: Any) -> str:
        text = "" if value is None else str(value)
        self._spend(len(text))
        return text

    def _spend(self, characters: int) -> None:
        self._characters += characters
        _check_length(self._characters)
        if thread_time() > self._end:
            raise SecurityError(f"it takes more than {MOST_SECONDS:g} s, expected at most {MOST_SECONDS:g}")

    def _join(self, parts: Iterable[Any], between: str = "", attribute: str | None = None) -> str:
        texts = [str(part) for part in (parts if attribute is None else map(make_attrgetter(self, attribute), parts))]
        _check_length(sum(map(len, texts)) + len(between) * len(texts))
        return between.join(texts)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """A sum of two texts, or what two numbers give."""
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return self._join((left, right))
        if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError(f"it has {type(left).__name__} {operator} {type(right).__name__}, expected numbers, or texts with +")
        result = super().call_binop(context, operator, left, right)
        if abs(result) > LARGEST:
            raise SecurityError(f"it makes a number of more than {LARGEST}, expected at most that")
        return result


def _check_length(characters: int) -> None:
    if characters > MOST_CHARACTERS:
        raise SecurityError(f"it writes more than {MOST_CHARACTERS} characters, expected at most {MOST_CHARACTERS}")


class _Bounds(NodeTransformer):
    """Puts the counting into a template, and refuses in it what cannot be counted."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        written = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        node.iter = nodes.Filter(node.iter, "passes", [nodes.Const(written)], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes, lineno=node.lineno), "join", [], [], None, None, lineno=node.lineno)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        """Neither Python's functions, which make gigabytes of a number, nor macros, which may call themselves."""
        method = node.node.attr if isinstance(node.node, nodes.Getattr) else getattr(node.node, "name", "a value")
        if not isinstance(node.node, nodes.Getattr) or method not in METHODS:
            raise SecurityError(f"line {node.lineno} calls {method}, expected one of the methods {', '.join(METHODS)}")
        return self.generic_visit(node)

    def visit_List(self, node: nodes.List | nodes.Tuple | nodes.Dict) -> nodes.Node:
        """A list of lists of itself takes no memory until it is written."""
        try:
            if getattr(node, "ctx", "load") == "load":
                node.as_const()
        except nodes.Impossible:
            raise SecurityError(f"line {node.lineno} makes a list of values, expected texts and numbers alone in it") from None
        return node

    visit_Tuple = visit_Dict = visit_List
