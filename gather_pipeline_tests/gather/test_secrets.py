"""Keys for every secret setting, and a model server that repeats what it was sent and more; `test_secrets` above has them planted."""

from __future__ import annotations

import base64
import json
from itertools import count
from typing import Any

from gather_pipeline.bootstrap import secrets_of
from gather_pipeline.settings import Settings, load_settings
from gather_pipeline_tests.fault_server import Exchange, FaultServer, completion, scripted_text

LOGIN = "hera:pa55w0rd/planted"
PLANTED: dict[str, Any] = {
    "openrouter_api_key": "sk-or-v1-planted0123456789",
    "openai_api_key": "planted.0123456789/key+",
    "mongodb_uri": "mongodb://hera:m0ngo-planted@host/?appName=gather",
    "payload_api_key": "c0ms-planted-0123456789",
    "payload_webhook_secret": "c0mshook-planted-0123456789",
    "brain_api_key": "br41n-planted-0123456789",
    "redis_url": "redis://hera:r3dis-planted@host/0",
    "webhook_url": "https://hooks.example/T0planted0/x?token=h00k-planted",
    "webhook_secret": "s1gning-planted-0123456789",
    "service_keys": {"facts.example": "f4cts-planted-0123"},
}
VALUES = (
    "c0ms-planted-0123456789",
    "c0mshook-planted-0123456789",
    "br41n-planted-0123456789",
    "s1gning-planted-0123456789",
    "r3dis-planted",
    "sk-or-v1-planted0123456789",
    "planted.0123456789/key+",
    "m0ngo-planted",
    "h00k-planted",
    "f4cts-planted-0123",
    "T0planted0",
    "pa55w0rd/planted",
    "pa55w0rd%2Fplanted",
    base64.b64encode(LOGIN.encode()).decode(),
    "q0123456789planted",
)


SET = [value for value in VALUES if value not in ("m0ngo-planted", "T0planted0")]  # in a studio whose store and receiver are here


def base_url(host: str) -> str:
    return f"http://hera:pa55w0rd%2Fplanted@{host}/v1?key=q0123456789planted"


def test_the_one_list_holds_what_is_planted_in_every_setting() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret == PLANTED.keys()
    settings = load_settings(_env_file=None, openai_base_url=base_url("host"), **PLANTED)
    for value in VALUES:
        assert secrets_of(settings).mask(f"It says {value}.") == "It says ***."
    assert not [value for value in VALUES if value in repr(settings)]


def echoing(server: FaultServer) -> None:
    """Makes a server answer with a note that repeats everything, and once with an error that does."""
    number = count()

    def reply(exchange: Exchange) -> None:
        said = f"{' '.join(SET)} {json.dumps(server.headers[-1])}"
        if next(number) == 2:
            exchange.send_json(500, {"error": {"message": f"Bad request: {said}", "headers": server.headers[-1]}})
            return
        note = json.loads(scripted_text(exchange.body))
        exchange.send_json(200, completion(json.dumps({**note, "content": f"{note['content']} She finds a note: {said}"}), model=VALUES[0]))

    server._then = reply
