"""`POST /api/hooks/payload`: the CMS says that a department was changed, so that its list is read before a sensor's next look."""

from __future__ import annotations

import hmac
import logging
import threading
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, Field

from gather_pipeline.api.deps import GivenServices
from gather_pipeline.errors import GatherError, InvalidInput, NotAllowed, NotSignedIn
from gather_pipeline.services import Services

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/api/hooks", tags=["hooks"])
SETTLED_S = 1.0  # Payload runs its hooks before it commits, so that a look from within one would see the list as it was


class Change(BaseModel):
    """What an afterChange or afterDelete hook sends; the changed row in it is not needed, for the list is read anew."""

    collection: str = Field("departments", max_length=200, examples=["departments"])
    operation: str | None = Field(None, max_length=200, examples=["update"])


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


@router.post("/payload", status_code=202, openapi_extra={"x-problems": [401]})
def payload(
    change: Change,
    request: Request,
    services: GivenServices,
    x_payload_secret: Annotated[str | None, Header(description="PAYLOAD_WEBHOOK_SECRET; or as Authorization: Bearer.")] = None,
) -> Heard:
    """Hear of a change in the CMS. Needs no token but the hook's own secret."""
    settings = services.settings
    if settings.payload_webhook_secret is None:
        raise NotAllowed("PAYLOAD_WEBHOOK_SECRET is not set, expected the secret that the CMS's hook sends")
    given = x_payload_secret or request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), settings.payload_webhook_secret.get_secret_value().encode()):
        raise NotSignedIn("the hook's secret is another, expected PAYLOAD_WEBHOOK_SECRET in the header X-Payload-Secret")
    if not settings.reads_cms:
        raise InvalidInput("departments come from a file, expected NEXT_PUBLIC_APP_URL to be set and GATHER_DEPARTMENTS not to be")
    if change.collection != "departments":
        return Heard(status="ignored")
    looks: Looks = request.app.state.looks
    looks.soon()
    return Heard(status="looking")
