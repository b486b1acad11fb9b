"""Two places that cannot both hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """Two places that cannot both hold.

    Attributes:
        first: What a note says.
        second: What the brief or another note says.
        evidence: Ids of the notes.
    """

    first: str
    second: str
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.first}, against {self.second}."
