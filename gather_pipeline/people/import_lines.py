"""Lines of a file that are to be imported, each checked before the first is taken."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gather_pipeline.domain.item_lines import COLUMNS, TEXTS, Line, NoteFields, check_item, from_fields
from gather_pipeline.domain.items import Item
from gather_pipeline.errors import InvalidInput, shorten
from gather_pipeline.people.edit import Texts
from gather_pipeline.text.sentences import summary_line

ADOPT = "type --adopt to take its items into this one"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A line that was kept out."""

    line: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An item that a line stands for.

    Attributes:
        line: Number of the line.
        place: Of the item among those of its department and iteration.
        by_hand: A person made the line, so that it is judged against the other lines too.
    """

    line: int
    item: Item
    place: int
    by_hand: bool


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be imported.

    Attributes:
        project_id: The project.
        lines: Of the file.
        file: Its name, for messages.
        by: Who imports: the author of lines that name none.
        adopt: Take in items of another project.
        dry_run: Write nothing.
    """

    project_id: str
    lines: Iterable[Line]
    file: str
    by: str
    adopt: bool = False
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What the lines of a file are.

    Attributes:
        candidates: Items that lines stand for, in order.
        refused: Lines that cannot be items here, in order.
        ignored: Columns that no item has.
    """

    candidates: list[Candidate]
    refused: list[Refusal]
    ignored: list[str]


def check(order: Order, departments: set[str], now: str) -> Checked:
    """Checks every line of a file.

    Args:
        order: What is to be imported.
        departments: Slugs that items may belong to.
        now: When they come into the project.

    Raises:
        InvalidInput: No line could be an item, or all items are of another project.
    """
    reader = _Reader(order, departments, now)
    candidates: list[Candidate] = []
    refused: list[Refusal] = []
    foreign: list[Refusal] = []
    ignored: dict[str, None] = {}
    taken: dict[str, int] = {}
    at_home = False
    for line in order.lines:
        owner = line.fields.get("project_id") or order.project_id
        if not line.fault and not order.adopt and isinstance(owner, str) and owner != order.project_id:
            foreign.append(Refusal(line=line.number, reason=owner))
            continue
        at_home = at_home or not line.fault
        ignored |= dict.fromkeys(str(name) for name in line.fields if name not in COLUMNS)
        try:
            candidate = reader.candidate(line)
            id = candidate.item.id
            if id in taken:
                raise InvalidInput.field("id", id, f"an id of its own (line {taken[id]} has it already)")
        except InvalidInput as error:
            refused.append(Refusal(line=line.number, reason=str(error)))
            continue
        taken[id] = line.number
        candidates.append(candidate)
    if foreign and not at_home:
        raise InvalidInput(f"{order.file} is an export of project {foreign[0].reason}, expected one of project {order.project_id}; {ADOPT}")
    if refused and not reader.understood:
        first = refused[0]
        raise InvalidInput(
            f"{order.file} holds no line that could be an item (line {first.line}: {first.reason}), expected lines of gather export, or "
            "lines with department and content"
        )
    refused += [
        Refusal(line=one.line, reason=f"project_id is {shorten(one.reason)}, expected {order.project_id!r}; {ADOPT}") for one in foreign
    ]
    return Checked(candidates=candidates, refused=refused, ignored=list(ignored))


class _Reader:
    """Makes items of lines.

    Attributes:
        understood: True where at least one line has what an item needs.
    """

    def __init__(self, order: Order, departments: set[str], now: str) -> None:
        self._order, self._departments, self._now = order, departments, now
        self._copies: Counter[tuple[str, ...]] = Counter()
        self.understood = False

    def candidate(self, line: Line) -> Candidate:
        """The item of a line; raises `InvalidInput`."""
        if line.fault:
            raise InvalidInput(line.fault)
        if line.is_stored:
            item, place = from_fields(line.fields, self._order.project_id)
        else:
            item, place = self._made_by_hand(line), line.number
        self.understood = True
        if item.department not in self._departments:
            expected = f"one of {', '.join(sorted(self._departments))}"
            raise InvalidInput.field("department", item.department, expected)
        return Candidate(line=line.number, item=item, place=place, by_hand=not line.is_stored)

    def _made_by_hand(self, line: Line) -> Item:
        """A note that a person wrote into a file; its id follows from what it says, so that a repeat finds it."""
        fields = NoteFields.of({name: value for name, value in line.fields.items() if value not in (None, "")})
        texts = Texts(**{name: getattr(fields, name) or None for name in TEXTS}).checked()
        content = texts.content or ""
        values = (fields.department, content, texts.summary or summary_line(content), texts.context or "", texts.aspect or "")
        self._copies[values] += 1
        by = (fields.written_by or self._order.by).strip()
        key = json.dumps([self._order.project_id, *values, self._copies[values]])
        item = Item(
            id=fields.id or hashlib.sha256(key.encode()).hexdigest()[:24],
            project_id=self._order.project_id,
            department=fields.department,
            iteration=0,
            task_id="",
            user_id=self._order.by,
            created_at=self._now,
            origin="imported",
            written_by=by,
            content=content,
            summary=values[2],
            context=values[3],
            aspect=values[4],
            provenance={"generated_by": by, "file": self._order.file, "line": line.number},
        )
        check_item(item)
        return item
