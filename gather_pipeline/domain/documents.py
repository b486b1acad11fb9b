"""What a document store takes, decided once for every body of `DocumentStore`: names, values, sizes, and the form strings are kept in.

Two engines must keep and compare the same strings alike. JSON in SQLite loses what follows a NUL, BSON refuses a lone surrogate (models do
answer with them) and reads a key ``$ref`` as a link. So a few characters are kept as pairs, chosen so that kept strings sort as their
originals do: NUL and U+0001 begin with U+0001, U+D7FF and the surrogates after it begin with U+D7FF, which has no letter of any script.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from json.scanner import make_scanner
from typing import Any

from gather_pipeline.errors import DuplicateKey, InvalidInput, shorten

DATABASE = re.compile(r"[A-Za-z0-9_-]{1,63}")
ENGINE_DATABASES = frozenset({"admin", "config", "local"})  # MongoDB keeps these for itself
COLLECTION = re.compile(r"(?!_|sqlite_)[a-z_]{1,63}")  # a store's own collections begin with "_", SQLite's with "sqlite_"
ID_LIMIT = 512  # characters
DEPTH_LIMIT = 64  # levels; MongoDB ends at 100
SIZE_LIMIT_BYTES = 16_000_000  # as BSON; MongoDB ends at 16,777,216, the rest is room for what a store adds
JSON_BYTES = 32  # that a character of JSON stands for at most: "0," is a number with its place, "x" a character in its longest form

LOWEST, HIGHEST = -(2**63), 2**63 - 1

_SPECIAL = re.compile("[\x00\x01\ud7ff-\udfff]")
_KEPT = re.compile("\x01[\x01\x02\x03]|\ud7ff[\x01-\u0801]")
_BYTES = "$bytes"  # a key of one's own that begins with "$" never comes to lie as such
_dump = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode
_decoder = json.JSONDecoder()
_scan: Callable[[str, int], tuple[Any, int]] = make_scanner(_decoder)  # type: ignore[arg-type]  # what `json.loads` does inside, without looking for spaces that are not there


def is_database(name: object) -> bool:
    """Whether that may be the name of a database of a store."""
    return isinstance(name, str) and DATABASE.fullmatch(name) is not None and name.lower() not in ENGINE_DATABASES


def check_database(name: str) -> str:
    """Returns the name of a database, or raises `InvalidInput` where it could not be a file's or a MongoDB database's."""
    if not is_database(name):
        raise InvalidInput.field("database", name, "1 to 63 of A-Z, a-z, 0-9, '_' and '-', not admin, config or local")
    return name


def check_collection(name: str) -> str:
    """Returns the name of a collection, or raises `InvalidInput`."""
    if not isinstance(name, str) or not COLLECTION.fullmatch(name):
        raise InvalidInput.field("collection", name, "1 to 63 of a-z and '_', beginning neither with '_' nor with 'sqlite_'")
    return name


def check_id(collection: str, id: object) -> str:
    """Returns a document's id, or raises `InvalidInput`."""
    if not isinstance(id, str) or not is_id(id):
        raise InvalidInput.field(f"_id of a document for {collection}", id, f"a string of 1 to {ID_LIMIT} characters")
    return str.__str__(id)


def is_id(value: str) -> bool:
    """True where a document could have that id; what a person typed may be longer, or nothing."""
    return 0 < len(value) <= ID_LIMIT


def check_limit(limit: int | None, lowest: int = 0) -> None:
    """Raises `InvalidInput` where a limit is no whole number from `lowest` on; None is no limit."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < lowest):
        raise InvalidInput.field("limit", limit, f"a whole number from {lowest} on")


def take_apart(collection: str, document: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A new document's id and its other fields, checked; a ``_version`` that it was read with is left out.

    Raises:
        InvalidInput: Something in it could not be stored, or not be read back the same.
    """
    if not isinstance(document, Mapping):
        raise InvalidInput.field(f"document for {collection}", document, "a mapping")
    id = check_id(collection, document.get("_id"))
    fields = {name: value for name, value in document.items() if name not in ("_id", "_version")}
    check_fields(collection, id, fields)
    return id, fields


def take_all_apart(collection: str, documents: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Fields of new documents by id, in order; raises as `take_apart` does, and where two have one id."""
    apart: dict[str, dict[str, Any]] = {}
    for document in documents:
        id, fields = take_apart(collection, document)
        if id in apart:
            raise DuplicateKey(f"two of the documents for {collection} have _id {shorten(id)}")
        apart[id] = fields
    return apart


def check_fields(collection: str, id: str, fields: Mapping[str, Any]) -> int:
    """Bytes that top-level fields take as BSON.

    Raises:
        InvalidInput: They could not be stored, or not be read back the same; names the first such field.
    """
    for name in fields:
        if not isinstance(name, str) or not name or name[0] in "_$" or "." in name:
            raise InvalidInput.field(f"field name in {collection} {id!r}", name, "a string without '.', beginning neither with '_' nor '$'")
    try:
        size = _bound(fields)
    except _Unfit:
        _name_unfit(collection, id, fields)
        raise
    if size > SIZE_LIMIT_BYTES:  # perhaps: so count exactly
        size = _weigh(fields)
    if size > SIZE_LIMIT_BYTES:
        raise InvalidInput(f"{collection} {id!r} takes {size} bytes, expected at most {SIZE_LIMIT_BYTES}")
    return size


def surely_fits(size: int, text: str) -> bool:
    """Whether fields of so many bytes may be set in a document with that JSON text, whatever they replace; False tells nothing."""
    return size + JSON_BYTES * len(text) <= SIZE_LIMIT_BYTES


def _name_unfit(collection: str, id: str, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        try:
            _bound({name: value})
        except _Unfit as unfit:
            raise InvalidInput.field(f"{name} of {collection} {id!r}", unfit.value, unfit.expected) from None


class _Unfit(Exception):
    """A value that cannot be stored."""

    def __init__(self, value: object, expected: str) -> None:
        super().__init__(expected)
        self.value = value
        self.expected = expected


def _bound(members: Mapping[str, Any] | list[Any], depth: int = 1) -> int:
    """A size that the members do not exceed as BSON. Every document goes through here, so the common types are told apart inline."""
    size = 8 + 24 * len(members)
    if depth > DEPTH_LIMIT:
        raise _Unfit("nested deeper", f"at most {DEPTH_LIMIT} levels of nesting")
    for key in members if isinstance(members, Mapping) else ():
        if not isinstance(key, str):
            raise _Unfit(key, "a string as key")
        size += 6 * len(key)
    for value in members.values() if isinstance(members, Mapping) else members:
        kind = type(value)
        if kind is str:
            size += 6 * len(value)  # the longest that `escape` and UTF-8 make of a character
        elif kind is dict or kind is list:
            size += _bound(value, depth + 1)
        elif kind is int:
            if not LOWEST <= value <= HIGHEST:
                raise _Unfit(value, "a whole number of 64 bits")
        elif kind is not bool and value is not None:
            size += _weigh(value, depth)
    return size


def _weigh(value: object, depth: int = 0) -> int:
    """Bytes that a value takes as BSON, its type, its place in a list and its end counted generously."""
    if isinstance(value, str):
        return 8 + (len(value) + value.count("\x00") + value.count("\x01") if value.isascii() else len(escape(value).encode()))
    if value is None or isinstance(value, bool):
        return 8
    if isinstance(value, int):
        if not LOWEST <= value <= HIGHEST:
            raise _Unfit(value, "a whole number of 64 bits")
        return 16
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _Unfit(value, "a finite number")
        return 16
    if isinstance(value, bytes):
        return 8 + len(value)
    if depth >= DEPTH_LIMIT:
        raise _Unfit("nested deeper", f"at most {DEPTH_LIMIT} levels of nesting")
    if isinstance(value, Mapping):
        size = 8
        for key, inner in value.items():
            if not isinstance(key, str):
                raise _Unfit(key, "a string as key")
            size += _weigh(key) + _weigh(inner, depth + 1)
        return size
    if isinstance(value, (list, tuple)):
        return 8 + sum(8 + _weigh(inner, depth + 1) for inner in value)
    raise _Unfit(value, "text, bytes, a number, true, false, none, or a list or mapping of these")


def escape(text: str) -> str:
    """The form in which a string is kept; nearly always the string itself."""
    return _SPECIAL.sub(_keep, str.__str__(text))


def _keep(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "\x01" + chr(code + 1) if code < 2 else "\ud7ff" + chr(code - 0xD7FF + 1)


def unescape(text: str) -> str:
    """The string that `escape` was given."""
    return _KEPT.sub(_restore, text) if "\x01" in text or "\ud7ff" in text else text


def _restore(found: re.Match[str]) -> str:
    first, code = found[0][0], ord(found[0][1])
    if first == "\ud7ff":
        return chr(0xD7FF + code - 1)
    return "$" if code == 3 else chr(code - 1)


def encode(value: Any, *, tag_bytes: bool = False) -> Any:
    """A checked value in plain types with its strings escaped; bytes stay bytes, or become ``{"$bytes": base64}``."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()} if tag_bytes else value
    if isinstance(value, Mapping):
        return {encode_key(key): encode(inner, tag_bytes=tag_bytes) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(inner, tag_bytes=tag_bytes) for inner in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value) if isinstance(value, int) else float(value)
    return value


def encode_key(key: str) -> str:
    """The form in which a key is kept: as `escape`, and a leading ``$`` as a pair too, because engines give it a meaning."""
    return "\x01\x03" + escape(key[1:]) if key.startswith("$") else escape(key)


def decode(value: Any) -> Any:
    """The value that `encode` was given, lists for tuples."""
    if isinstance(value, str):
        return unescape(value)
    if isinstance(value, dict):
        if value.keys() == {_BYTES}:
            return base64.b64decode(value[_BYTES])
        return {unescape(key): decode(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [decode(inner) for inner in value]
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value  # pymongo has an int class of its own


def to_json(fields: Mapping[str, Any]) -> str:
    """Checked fields as JSON, from which `from_json` gives them back."""
    try:
        text = _dump(fields)
        if "\\u000" not in text and '"$' not in text:  # the first finds NUL and U+0001
            if text.isascii():
                return text
            text.encode()
            if "\ud7ff" not in text:
                return text
    except (TypeError, UnicodeEncodeError):
        pass  # bytes, a mapping that is no dict, or a lone surrogate
    return _dump(encode(fields, tag_bytes=True))


def from_json(text: str) -> dict[str, Any]:
    """The fields of a JSON text made by `to_json`."""
    try:
        fields, _ = _scan(text, 0)
    except StopIteration:  # no JSON: says so, and where
        fields = _decoder.decode(text)
    special = (
        ("\\" in text and "\\u0001" in text) or ("$" in text and '"$bytes"' in text) or "\ud7ff" in text
    )  # one character is found sooner
    return decode(fields) if special else fields  # type: ignore[no-any-return]
