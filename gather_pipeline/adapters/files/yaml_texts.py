"""YAML that people write. By aliases a few hundred bytes stand for gigabytes, so what a text stands for is counted before it is made.

Plain values are those of YAML 1.2, as in JSON: `no` and `on` are texts, as are dates and `12:30`, and `010` is ten.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import yaml

from gather_pipeline.domain.json_texts import DEEPEST, TOO_DEEP, whole_number

NODES = 100_000  # values and names, an alias counted as all that it stands for; four thousand departments
BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the second is five times as slow, and there everywhere


PLAIN = {  # by tag, in the order in which they are tried
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "merge": r"<<",
}


class _Loader(BASE):  # type: ignore[misc]
    yaml_implicit_resolvers: Any = {}  # not those of YAML 1.1

    def whole(self, node: yaml.ScalarNode) -> int:
        whole_number("0" * len(node.value))
        return int(node.value, {"0x": 16, "0o": 8}.get(node.value[:2], 10))

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        """A mapping; a name that stands in it twice is a slip, of which YAML would keep the second."""
        names = Counter(name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode) and name.value != "<<")
        if twice := next((name for name, count in names.items() if count > 1), None):
            raise ValueError(f"{twice!r} stands twice in one mapping, at line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


for tag, pattern in PLAIN.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), None)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole)


def read_yaml(text: str) -> Any:
    """The value of a YAML text; of several documents one list of what they list, or are.

    Raises:
        yaml.YAMLError: It is none.
        ValueError: It stands for too much, is nested too deep or without end, or has a number or date that is none.
    """
    _check_size(text)
    found = [document for document in yaml.load_all(text, _Loader) if document is not None]  # noqa: S506  # a safe one
    if len(found) < 2:
        return found[0] if found else None
    return [row for document in found for row in (document if isinstance(document, list) else [document])]


def _check_size(text: str) -> None:
    count = 0
    sizes: dict[str, int] = {}  # by anchor, of what is whole
    begun: list[tuple[str | None, int]] = []  # lists and mappings: anchor, and the count before
    for event in yaml.parse(text, Loader=BASE):
        match event:
            case yaml.AliasEvent():
                if event.anchor not in sizes:
                    raise ValueError(f"*{event.anchor} stands in what it stands for, or for nothing")
                count += sizes[event.anchor]
            case yaml.CollectionStartEvent():
                begun.append((event.anchor, count))
                count += 1
                if len(begun) > DEEPEST:
                    raise ValueError(TOO_DEEP)
            case yaml.CollectionEndEvent():
                anchor, before = begun.pop()
                if anchor:
                    sizes[anchor] = count - before
            case yaml.ScalarEvent():
                count += 1
                if event.anchor:
                    sizes[event.anchor] = 1
        if count > NODES:
            raise ValueError(f"it stands for more than {NODES} values, expected at most {NODES}")
