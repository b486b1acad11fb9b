"""YAML that people write. By aliases a few hundred bytes stand for gigabytes, so what a text stands for is counted before it is made."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml

from gather_pipeline.domain.json_texts import DEEPEST, TOO_DEEP, whole_number

NODES = 100_000  # values and names, an alias counted as all that it stands for; four thousand departments
BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the second is five times as slow, and there everywhere


class _Loader(BASE):  # type: ignore[misc]
    def whole(self, node: yaml.ScalarNode) -> Any:
        """A number, which YAML may also write in parts of sixty."""
        whole_number("0" * len(node.value))
        return self.construct_yaml_int(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        """A mapping; a name that stands in it twice is a slip, of which YAML would keep the second."""
        names = Counter(name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode) and name.value != "<<")
        if twice := next((name for name, count in names.items() if count > 1), None):
            raise ValueError(f"{twice!r} stands twice in one mapping, at line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole)


def read_yaml(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        yaml.YAMLError: It is none.
        ValueError: It stands for too much, is nested too deep or without end, or has a number or date that is none.
    """
    _check_size(text)
    return yaml.load(text, _Loader)  # noqa: S506  # a safe one


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
