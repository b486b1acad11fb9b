"""What text may hold, and what is made of a text that a person or a file gives."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence

from gather_pipeline.errors import InvalidInput

# But line ends and tabs; controls of direction may show what follows backwards, and lone surrogates can be sent to no terminal.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")  # of a byte that is no UTF-8, or of JSON that was cut
NAME_LIMIT = 200
UNSEEN = ("Cc", "Cf", "Mn", "Zl", "Zp", "Zs")  # Unicode categories: controls, joiners, direction marks, marks without a letter, spaces
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a pattern in name only
ENCODINGS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # by the mark at the beginning


def clean(text: str) -> str:
    """Text from outside as every engine can keep it: without NUL, and with U+FFFD for each lone surrogate."""
    return LONE_SURROGATE.sub("\ufffd", text.replace("\x00", ""))


def typed(text: str) -> str:
    """A person's text as it is kept: clean, each line end one character, nothing around it; empty where nothing of it can be seen."""
    kept = clean(text).replace("\r\n", "\n").replace("\r", "\n").strip()
    return kept if any(unicodedata.category(char) not in UNSEEN and char not in BLANKS for char in kept) else ""


def decode(data: bytes) -> str:
    """Text in UTF-8, or in UTF-16 or UTF-32 where their mark is before it; raises `UnicodeDecodeError`."""
    return data.decode(next((name for mark, name in ENCODINGS.items() if data.startswith(mark)), "utf-8-sig"))


def decoded(data: bytes, source: str) -> str:
    """Text as `decode` reads it; raises `InvalidInput` that names the source and the first byte that is none."""
    try:
        return decode(data)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{source} has byte {data[error.start]:#04x} at {error.start}, expected UTF-8 text") from None


def checked_name(field: str, name: str) -> str:
    """A name of somebody or something, without white space around it; raises `InvalidInput` where it is empty, too long or of two lines."""
    if not name.strip() or len(name) > NAME_LIMIT or not name.isprintable():
        raise InvalidInput.field(field, name, f"a name of 1 to {NAME_LIMIT} characters on one line")
    return name.strip()


def counted(number: int, noun: str) -> str:
    """So many of something, such as ``1 item`` or ``2,000 items``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def check_texts(texts: Sequence[str]) -> None:
    """Raises `InvalidInput` unless these are several texts: a list of strings, not one string."""
    if isinstance(texts, str):
        raise InvalidInput.field("texts", texts, "a list of strings, not one string")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidInput.field(f"texts[{position}]", text, "a string")
