"""Lines of a file that are to be imported, each checked and put aside before the first is taken."""

from __future__ import annotations

import hashlib
import json
import pickle
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Self

from gather_pipeline.domain.item_lines import COLUMNS, Line, NoteFields, from_fields
from gather_pipeline.domain.items import TEXTS, Item
from gather_pipeline.domain.texts import clean, typed
from gather_pipeline.errors import InvalidInput, StoreError, listed
from gather_pipeline.people.edit import Texts
from gather_pipeline.text.sentences import summary_line

NAME_SHOWN = 100  # characters of a name that a file gives, in a message
ADOPT = "type --adopt to take its items into this one"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A line that was kept out."""

    line: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ImportedLine:
    """An item that a line stands for.

    Attributes:
        place: Of the item among those of its department and iteration.
        by_hand: A person made the line, so that it is judged against the other lines too.
    """

    number: int
    item: Item
    place: int
    by_hand: bool

    @property
    def is_judged(self) -> bool:
        """False for what is not active, and for what a person wrote in an export: neither is ever dropped as a duplicate."""
        return self.item.is_active and (self.by_hand or not self.item.is_persons)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be imported.

    Attributes:
        file: Name of the file, for messages.
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


class CheckedLines:
    """Lines that stand for an item, in files of the temporary folder: those of hundreds of megabytes are never in memory together.

    Attributes:
        numbers: Number of each line by id of its item.
        ids: Ids of the items by department.
        overruling: Items with drops that people overruled.
        counts: How many lines a person made by hand, and how many not.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.ids: dict[str, list[str]] = {}
        self.overruling: list[Item] = []
        self.counts = {False: 0, True: 0}
        with ExitStack() as opened, _disk():
            self._files = {by_hand: opened.enter_context(tempfile.TemporaryFile()) for by_hand in self.counts}
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, line: ImportedLine) -> None:
        """Puts a line aside whose id no other has."""
        with _disk():
            pickle.dump(line, self._files[line.by_hand])
        self.numbers[line.item.id] = line.number
        self.ids.setdefault(line.item.department, []).append(line.item.id)
        self.counts[line.by_hand] += 1
        if line.item.overruled:
            self.overruling.append(line.item)

    def windows(self, size: int, *, by_hand: bool) -> Iterator[list[ImportedLine]]:
        """Lines that a person made by hand or not, in order, so many at once."""
        file, count = self._files[by_hand], self.counts[by_hand]
        with _disk():
            file.seek(0)
        for start in range(0, count, size):
            with _disk():
                window = [pickle.load(file) for _ in range(min(size, count - start))]
            yield window


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        told = f"{tempfile.gettempdir()} cannot keep the lines that were read: {error.strerror or error}; TMPDIR names another folder"
        raise StoreError(told) from error


def check_lines(order: Order, departments: Collection[str], now: str, lines: CheckedLines) -> tuple[list[Refusal], list[str]]:
    """Checks every line of a file, and adds to `lines` what can be an item of one of these departments.

    Returns:
        Lines that cannot, and columns that no item has.

    Raises:
        InvalidInput: No line can be an item of this project.
    """
    reader = _Reader(order, departments, now, lines)
    refused: list[Refusal] = []
    foreign = ""
    ignored: dict[str, None] = {}
    for line in order.lines:
        owner = line.fields.get("project_id") or order.project_id
        if not order.adopt and isinstance(owner, str) and owner != order.project_id:
            foreign = foreign or owner
            wrong = InvalidInput.field("project_id", owner, f"{order.project_id!r}; {ADOPT}")
            refused.append(Refusal(line=line.number, reason=str(wrong)))
            continue
        ignored |= dict.fromkeys(str(name)[:NAME_SHOWN] for name in line.fields if name not in COLUMNS)
        try:
            lines.add(reader.read(line))
        except InvalidInput as error:
            refused.append(Refusal(line=line.number, reason=str(error)))
    if foreign and not lines:
        raise InvalidInput(
            f"{order.file} is an export of project {foreign[:NAME_SHOWN]}, expected one of project {order.project_id}; {ADOPT}"
        )
    if refused and not lines:
        raise InvalidInput(
            f"{order.file} holds no line that could be an item (line {refused[0].line}: {refused[0].reason}), expected lines of "
            "gather export, or lines with department and content"
        )
    return refused, list(ignored)


class _Reader:
    """Makes items of lines."""

    def __init__(self, order: Order, departments: Collection[str], now: str, lines: CheckedLines) -> None:
        self._order, self._departments, self._now, self._numbers = order, departments, now, lines.numbers
        self._copies: Counter[bytes] = Counter()

    def read(self, line: Line) -> ImportedLine:
        """The item of a line; raises `InvalidInput`."""
        if line.fault:
            raise InvalidInput(line.fault)
        if line.is_stored:
            item, place = from_fields(line.fields, self._order.project_id)
        else:
            item, place = self._made_by_hand(line), line.number
        if item.department not in self._departments:
            raise InvalidInput.field("department", item.department, f"one of {listed(sorted(self._departments))}")
        if number := self._numbers.get(item.id):
            raise InvalidInput.field("id", item.id, f"an id of its own (line {number} has it already)")
        return ImportedLine(number=line.number, item=item, place=place, by_hand=not line.is_stored)

    def _made_by_hand(self, line: Line) -> Item:
        """A note that a person wrote into a file; its id follows from what it says, so that a repeat finds it."""
        order = self._order
        given = {name: typed(value) if isinstance(value, str) else value for name, value in line.fields.items()}
        fields = NoteFields.of({name: value for name, value in given.items() if value not in (None, "")})
        Texts(**{name: getattr(fields, name) or None for name in TEXTS}).checked()
        texts = {name: getattr(fields, name) for name in TEXTS} | {"summary": fields.summary or summary_line(fields.content)}
        key = (fields.department, *texts.values())
        copy = hashlib.sha256(json.dumps(key).encode()).digest()
        self._copies[copy] += 1
        by = fields.written_by or order.by
        return Item(
            id=fields.id or hashlib.sha256(json.dumps([order.project_id, *key, self._copies[copy]]).encode()).hexdigest()[:24],
            project_id=order.project_id,
            department=fields.department,
            user_id=order.by,
            created_at=self._now,
            origin="imported",
            written_by=by,
            provenance={"generated_by": by, "file": clean(order.file), "line": line.number},
            **texts,
        )
