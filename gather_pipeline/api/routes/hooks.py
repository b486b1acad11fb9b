"""`POST /api/hooks/payload`: the CMS says that a department was changed, so that its list is read before a sensor's next look."""

from __future__ import annotations

import hmac
import logging
import re
import threading
from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from gather_pipeline.api.deps import GivenServices
from gather_pipeline.errors import GatherError, InvalidInput, NotAllowed, NotSignedIn
from gather_pipeline.services import Services

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/api/hooks", tags=["hooks"])
SETTLED_S = 1.0  # Payload runs its hooks before it commits, so that a look from within one would see the list as it was


def _slug(collection: object) -> object:
    """The slug of a collection that a hook hands on as Payload gives it, with its whole configuration; where it names none, of ours."""
    return (collection.get("slug") if isinstance(collection, Mapping) else collection) or "departments"


class Change(BaseModel):
    """What an afterChange or afterDelete hook sends; the changed row in it is not needed, for the list is read anew."""

    collection: Annotated[str, BeforeValidator(_slug)] = Field("departments", max_length=200, examples=["departments"])
    operation: str | None = Field(None, max_length=200, examples=["update"])


async def _change(request: Request) -> Change:
    """What the body says, whatever it is called: JavaScript's `fetch` calls a text plain."""
    try:
        return Change.model_validate_json((await request.body()).strip() or b"{}")
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]) from None


class Heard(BaseModel):
    """What follows: the list is read, or nothing where the collection is another."""

    status: Literal["looking", "ignored"]


class Looks:
    """Reads the list of departments once, `SETTLED_S` after the last of several hooks."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: threading.Timer | None = None

    def soon(self) -> None:
        """Reads it in a moment; a read that is still waiting is put off."""
        self.close()
        self._waiting = threading.Timer(SETTLED_S, self._look)
        self._waiting.daemon = True
        self._waiting.start()

    def close(self) -> None:
        """Cancels a read that has not begun."""
        if self._waiting is not None:
            self._waiting.cancel()

    def _look(self) -> None:
        from gather_pipeline.defs.launch import report_departments  # Dagster takes seconds to load

        try:
            logger.info("[AutoGather] The CMS told of a change: %d departments, %d of them changed", *report_departments(self._services))
        except GatherError as error:
            logger.warning("[AutoGather] The CMS told of a change, and the list could not be read: %s", error)


BODY = {"content": {"application/json": {"schema": Change.model_json_schema()}}}


@router.post("/payload", status_code=202, openapi_extra={"requestBody": BODY, "x-problems": [401, 422]})
def payload(
    change: Annotated[Change, Depends(_change)],
    request: Request,
    services: GivenServices,
    x_payload_secret: Annotated[str | None, Header(description="PAYLOAD_WEBHOOK_SECRET; or as Authorization: Bearer.")] = None,
) -> Heard:
    """Hear of a change in the CMS. Needs no token but the hook's own secret."""
    settings = services.settings
    if settings.payload_webhook_secret is None:
        raise NotAllowed("PAYLOAD_WEBHOOK_SECRET is not set, expected the secret that the CMS's hook sends")
    given = x_payload_secret or re.sub(r"(?i)^bearer\s+", "", request.headers.get("authorization", ""))
    if not hmac.compare_digest(given.encode("latin-1"), settings.payload_webhook_secret.get_secret_value().encode()):
        raise NotSignedIn("the hook's secret is another, expected PAYLOAD_WEBHOOK_SECRET in the header X-Payload-Secret")
    if not settings.reads_cms:
        raise InvalidInput("departments come from a file, expected NEXT_PUBLIC_APP_URL to be set and GATHER_DEPARTMENTS not to be")
    if change.collection != "departments":
        return Heard(status="ignored")
    looks: Looks = request.app.state.looks
    looks.soon()
    return Heard(status="looking")
