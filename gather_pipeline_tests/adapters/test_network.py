from __future__ import annotations

import gzip
from pathlib import Path

import certifi
import httpx2
import pytest

from gather_pipeline.adapters.network import Address, unpacked
from gather_pipeline.errors import InvalidInput

URL = "https://models.example/v1"


@pytest.fixture(autouse=True)
def _no_network_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_an_address_is_taken_apart_and_hides_its_secrets() -> None:
    address = Address.read("https://hera:pa%20ss@host:8443/openai/v1/chat/completions?api-version=2024&key=a%2Bb")
    assert (address.url, address.login) == ("https://host:8443/openai/v1", ("hera", "pa ss"))
    assert address.query == (("api-version", "2024"), ("key", "a+b"))
    assert "pa ss" not in repr(address) and "a+b" not in repr(address)


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"https_proxy": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, None),
        ({"ALL_PROXY": "socks://127.0.0.1:7891/"}, "socks5://127.0.0.1:7891/"),
        ({"ALL_PROXY": "socks4://x", "HTTPS_PROXY": "socks5h://proxy"}, "socks5h://proxy"),
        ({"ALL_PROXY": "socks4://x", "NO_PROXY": "models.example"}, None),
        ({"ALL_PROXY": "socks4://x", "NO_PROXY": ".example"}, None),
        ({"ALL_PROXY": "socks4://x", "NO_PROXY": "*"}, None),
    ],
)
def test_the_proxy_is_the_one_that_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxy: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Address.read(URL).proxy() == proxy


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "http://127.8.8.8/v1", "http://LOCALHOST/v1", "http://[::1]/v1", "http://10.1.2.3/v1"]
)
def test_no_proxy_stands_before_this_machine_and_the_networks_left_out(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks4://x")
    monkeypatch.setenv("NO_PROXY", "nonsense/9, 10.0.0.0/8")
    assert Address.read(url).proxy() is None


@pytest.mark.parametrize("value", ["socks4://proxy", "http://", "http://proxy:99999", "http://[", "ftp://proxy"])
def test_a_proxy_that_cannot_be_used_is_refused_by_the_name_of_its_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(InvalidInput, match="ALL_PROXY is no address of a proxy"):
        Address.read(URL).check()


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_cannot_be_read_are_refused_by_the_name_of_their_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "empty.pem").write_text("no certificate", encoding="utf-8")
    for value in (str(tmp_path / "gone.pem"), str(tmp_path / "empty.pem")):
        monkeypatch.setenv(name, value)
        with pytest.raises(InvalidInput, match=f"{name} is .*, expected a file or folder of certificates"):
            Address.read(URL).check()
        Address.read("http://models.example/v1").check()
    monkeypatch.setenv(name, certifi.where())
    Address.read(URL).check()


@pytest.mark.parametrize(
    ("body", "unpacked_to"),
    [
        (b'{"a": 1}', b'{"a": 1}'),
        (gzip.compress(b"[1]"), b"[1]"),
        (gzip.compress(b" " * 99), b" " * 11),
        (b"\x1f\x8b" + b"x" * 20, b"\x1f\x8b" + b"x" * 20),
        (b"", b""),
    ],
    ids=["plain", "packed", "packed, over the limit", "packed by its mark alone", "empty"],
)
def test_a_body_is_unpacked_by_what_it_is_and_no_further_than_the_limit_shows(body: bytes, unpacked_to: bytes) -> None:
    assert unpacked(body, 10) == unpacked_to


def test_a_socks_proxy_is_one_that_a_client_can_be_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9")
    assert httpx2.AsyncClient(proxy=Address.read("http://models.example/v1").proxy(), trust_env=False)
