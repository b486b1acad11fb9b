"""Names, values and kept forms of documents."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.domain import documents as docs
from gather_pipeline.errors import DuplicateKey, InvalidInput

ANY_TEXT = st.text(st.characters(codec=None) | st.sampled_from("\x00\x01\x02\x03\ud7fe\ud7ff\ud800\udfff\ue000$"), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT
    | st.binary(max_size=8)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4), max_leaves=12)
NAMES = ANY_TEXT.filter(lambda name: bool(name) and name[0] not in "_$" and "." not in name)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=5)


@given(ANY_TEXT)
def test_a_kept_text_is_sound_unicode_without_nul_and_comes_back(text: str) -> None:
    kept = docs.escape(text)
    kept.encode()
    assert "\x00" not in kept
    assert docs.unescape(kept) == text


@given(st.lists(ANY_TEXT, max_size=8))
def test_kept_texts_sort_as_their_originals(texts: list[str]) -> None:
    assert [docs.escape(text) for text in sorted(texts)] == sorted((docs.escape(text) for text in texts), key=str.encode)


@given(ANY_TEXT)
def test_no_kept_key_begins_with_a_dollar(key: str) -> None:
    kept = docs.encode_key(key)
    assert not kept.startswith("$")
    assert docs.unescape(kept) == key


@given(FIELDS)
def test_fields_come_back_from_json(fields: dict[str, Any]) -> None:
    text = docs.to_json(fields)
    text.encode()
    json.loads(text)
    assert "\\u0000" not in text
    assert repr(docs.from_json(text)) == repr(fields)


@given(FIELDS)
def test_fields_come_back_from_plain_values(fields: dict[str, Any]) -> None:
    assert repr(docs.decode(docs.encode(fields))) == repr(fields)


@given(FIELDS)
def test_a_document_is_never_larger_than_it_is_counted(fields: dict[str, Any]) -> None:
    """Counted against BSON as pymongo writes it: a document that passes the check always fits MongoDB."""
    import bson

    size = len(bson.encode(docs.encode(fields)))
    assert size <= docs._weigh(fields) <= docs._bound(fields) == docs.check_fields("items", "1", fields)


def test_the_size_is_counted_exactly_only_where_it_may_be_too_much() -> None:
    assert docs.check_fields("items", "1", {"a": "é" * 4_000_000}) < 8_000_100
    with pytest.raises(InvalidInput, match=r"items '1' takes 16\d+ bytes, expected at most 16000000"):
        docs.check_fields("items", "1", {"a": "é" * 8_000_000})


@given(FIELDS)
def test_json_tells_what_a_document_takes_at_most(fields: dict[str, Any]) -> None:
    """So that an edit of a small field need not weigh the whole document again."""
    assert docs._bound(fields) <= 64 + docs.JSON_BYTES * len(docs.to_json(fields))
    assert docs.surely_fits(100, docs.to_json(fields))
    assert not docs.surely_fits(docs.SIZE_LIMIT_BYTES, docs.to_json(fields))


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"a": 1}'[:-1]])
def test_what_is_no_json_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="line 1 column"):
        docs.from_json(text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ok": 1, "score": math.nan}, r"score of items '1' is nan, expected a finite number"),
        ({"a": [{"b": {"c": {1, 2}}}]}, r"a of items '1' is \{1, 2\}, expected text, bytes, a number, true, false, none, or a list"),
        ({"a": 2**64}, r"a of items '1' is 18446744073709551616, expected a whole number of 64 bits"),
        ({"a": {"b": {3: 1}}}, r"a of items '1' is 3, expected a string as key"),
        ({"a.b": 1}, r"field name in items '1' is 'a\.b', expected a string without '\.'"),
    ],
)
def test_a_refusal_names_document_field_value_and_what_was_expected(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        docs.check_fields("items", "1", fields)


@pytest.mark.parametrize(("levels", "fits"), [(docs.DEPTH_LIMIT - 1, True), (docs.DEPTH_LIMIT, False), (2000, False)])
@pytest.mark.parametrize("kind", ["list", "mapping", "tuple"])
def test_nesting_has_a_limit_that_both_engines_reach(levels: int, fits: bool, kind: str) -> None:
    value: Any = 0
    for _ in range(levels):
        value = [value] if kind == "list" else {"a": value} if kind == "mapping" else (value,)
    if fits:
        docs.check_fields("items", "1", {"a": value})
    else:
        with pytest.raises(InvalidInput, match="levels of nesting"):
            docs.check_fields("items", "1", {"a": value})


def test_two_documents_of_one_call_cannot_have_one_id() -> None:
    with pytest.raises(DuplicateKey, match="two of the documents for items have _id 'a'"):
        docs.take_all_apart("items", [{"_id": "a"}, {"_id": "b"}, {"_id": "a"}])


def test_the_version_that_a_document_was_read_with_is_left_out() -> None:
    assert docs.take_apart("items", {"_id": "a", "x": 1, "_version": 7}) == ("a", {"x": 1})
