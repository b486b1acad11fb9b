"""The kinds of what a context is made of, the layers that they are counted in, and their priorities (C55).

A is system instructions and style, B the requests of the user, C the recent story, D characters and scene, E the world and all else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Priority = Literal["high", "medium", "low"]
Layer = Literal["A", "B", "C", "D", "E"]
Kind = Literal[
    "instruction",
    "style",
    "request",
    "plot",
    "character",
    "history",
    "item",
    "brief",
    "department",
    "own",
    "predecessor",
    "brain",
    "source",
]
PRIORITIES: tuple[Priority, ...] = ("high", "medium", "low")
LAYER_OF: Mapping[Kind, Layer] = {
    "instruction": "A",
    "style": "A",
    "brief": "A",
    "department": "A",
    "request": "B",
    "own": "C",
    "history": "C",
    "plot": "E",
    "character": "D",
    "predecessor": "E",
    "item": "E",
    "brain": "E",
    "source": "E",
}
