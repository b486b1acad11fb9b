"""Masking: every form in which a secret travels, and no word of a language that merely looks like one."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from gather_pipeline.domain.secrets import Secrets, parts_of_address

KEY = "sk/Pl4nted+key=="
FORMS = (
    KEY,
    quote(KEY, safe=""),
    base64.b64encode(KEY.encode()).decode(),
    base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    json.dumps(KEY)[1:-1].replace("/", "\\/"),
)


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_masked_in_every_form_in_which_it_travels(form: str) -> None:
    secrets = Secrets([KEY])
    assert secrets.mask(f"The key is {form}, she says.").replace("=", "") == "The key is ***, she says."
    assert form not in secrets.line(f"Authorization: {form}\nrefused")
    assert KEY not in repr(secrets)


def test_a_key_that_is_no_text_is_masked_as_well() -> None:
    assert Secrets(["sk-k\udce9y-0123"]).mask("It is sk-k\udce9y-0123.") == "It is ***."


def test_a_login_is_masked_apart_together_and_in_base64() -> None:
    secrets = Secrets(parts_of_address("https://hera:pa%2Fss%20w0rd@host/v1?api-version=2024&key=0123456789abcdef"))
    packed = base64.b64encode(b"hera:pa/ss w0rd").decode()
    said = secrets.line(f"Authorization: Basic {packed}; {packed}; user hera, password pa/ss w0rd or pa%2Fss%20w0rd; key=0123456789abcdef")
    assert said == "Authorization: Basic ***; ***; user ***, password *** or ***; key=***"
    assert secrets.mask(f"She sang {packed} to hera in 2024.") == "She sang *** to hera in 2024."


def test_a_token_in_the_path_of_a_webhook_is_one_of_its_secrets() -> None:
    url = "https://hooks.example/services/T01234/Xy9Zw8Vu7T?token=t0ken!"
    assert Secrets(parts_of_address(url, path=True)).mask(url) == "https://hooks.example/services/***/***?token=***"


@pytest.mark.parametrize("value", ["none", "EMPTY", "ollama", "x", "", "tower"])
def test_what_may_be_a_word_is_left_in_a_note_and_not_in_an_error(value: str) -> None:
    note = "There is none in the tower, x marks it, and ollama is EMPTY."
    assert Secrets([value]).mask(note) == note
    assert not value or value not in Secrets([value]).line(note)


def test_words_come_to_a_person_in_one_short_line_without_secrets() -> None:
    said = "Key my-own-one, sk-abcdef123 and AIzaSyA12345 \x1b[31m at\nhttps://u:p@host \u202e" + "x" * 400
    shown = Secrets(["my-own-one"]).line(said)
    assert shown.startswith("Key ***, *** and *** [31m at https://***@host x") and len(shown) == 300 and shown.endswith("…")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Authorization: Basic aGVyYTpwYTU1", "Authorization: ***"),
        ("Basic authentication is off", "Basic authentication is off"),
        ("Basic Authentication is off", "Basic Authentication is off"),
        ("Bearer abc", "***"),
    ],
)
def test_a_header_that_a_server_repeats_is_masked_whoever_it_belongs_to(said: str, shown: str) -> None:
    assert Secrets().line(said) == shown
