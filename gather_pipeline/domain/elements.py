"""What a prompt's context is made of, as a writer sends it (S003-CTX-01 to 05), and the layer that each kind belongs to (C55).

Each element is data: it has no place in a prompt but that of its kind, and is never obeyed unless it is a system instruction.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gather_pipeline.domain.items import content_hash
from gather_pipeline.domain.layers import LAYER_OF, Kind, Layer, Priority
from gather_pipeline.domain.texts import clean

Text = Annotated[str, BeforeValidator(lambda value: clean(value) if isinstance(value, str) else value)]
RECENT = ("scene", "chapter", "panel", "recent", "dialogue")  # types of plot elements that are the story itself, not what is said about it


class Element(BaseModel):
    """What all elements have.

    Attributes:
        id: Unique in its container; made from kind and text where it is not given.
        version: Of its source; a hash of the text where it is not given.
        agents: Agents that see it, all where empty.
        phases: Phases of the work in which it is seen, all where empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
    kind: ClassVar[Kind]

    id: str = ""
    priority: Priority = "medium"
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = Field(default_factory=dict)
    version: str = ""
    agents: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()

    @property
    @abstractmethod
    def text(self) -> str:
        """What a prompt shows of it."""

    @property
    def layer(self) -> Layer:
        """Where its tokens are counted."""
        return LAYER_OF[self.kind]

    @cached_property
    def key(self) -> str:
        """Its id, given or made."""
        return self.id or f"{self.kind}:{content_hash(self.text)[:12]}"

    def is_for(self, agent: str | None, phase: str | None) -> bool:
        """Whether an agent sees it in a phase; None stands for any."""
        return (agent is None or not self.agents or agent in self.agents) and (phase is None or not self.phases or phase in self.phases)


class _Content(Element):
    content: Text = Field(min_length=1)

    @property
    def text(self) -> str:
        return self.content


class PlotElement(_Content):
    """A scene, a chapter, an outline, a fact of the world."""

    kind = "plot"
    type: str = "plot"

    @property
    def layer(self) -> Layer:
        """The story itself is C, what is said about it E."""
        return "C" if self.type in RECENT else "E"


class UserRequest(_Content):
    """What the user asks for, in words."""

    kind = "request"
    type: str = "instruction"


class SystemInstruction(_Content):
    """What the system says to the model; the one kind that is no data."""

    kind = "instruction"
    type: str = "instruction"
    priority: Priority = "high"


class StyleGuide(_Content):
    """How the text is to sound."""

    kind = "style"


class Turn(_Content):
    """One turn of a conversation, or one entry of a history; those of a container are in their order in time."""

    kind = "history"
    speaker: Text = ""


class GatherItem(_Content):
    """A production note of a department."""

    kind = "item"
    department: Text = ""

    @property
    def text(self) -> str:
        """The note after its department."""
        return f"[{self.department}] {self.content}" if self.department else self.content


class CharacterContext(Element):
    """A character as the story has it now."""

    kind = "character"
    character_id: Text = Field(min_length=1)
    character_name: Text = Field(min_length=1)
    current_state: Text = ""
    goals: tuple[Text, ...] = ()

    @property
    def text(self) -> str:
        """Name, state and goals in two sentences."""
        state = f": {self.current_state}" if self.current_state else ""
        goals = f"\nGoals: {'; '.join(self.goals)}" if self.goals else ""
        return f"{self.character_name}{state}{goals}"

    @cached_property
    def key(self) -> str:
        """Its id, or the character's."""
        return self.id or f"character:{self.character_id}"


class StructuredContextContainer(BaseModel):
    """Everything that may go into a prompt, typed (S003-CTX-01); `metadata` is carried along."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plot_elements: tuple[PlotElement, ...] = ()
    character_contexts: tuple[CharacterContext, ...] = ()
    user_requests: tuple[UserRequest, ...] = ()
    system_instructions: tuple[SystemInstruction, ...] = ()
    style_guides: tuple[StyleGuide, ...] = ()
    history: tuple[Turn, ...] = ()
    items: tuple[GatherItem, ...] = ()
    metadata: Mapping[str, Any] = Field(default_factory=dict)

    @property
    def elements(self) -> tuple[Element, ...]:
        """All of them, by layer and in the order given."""
        return (
            *self.system_instructions,
            *self.style_guides,
            *self.user_requests,
            *self.plot_elements,
            *self.character_contexts,
            *self.items,
            *self.history,
        )
