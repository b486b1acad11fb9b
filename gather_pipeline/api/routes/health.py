"""`GET /health`: whether the server answers and reaches its store; open to everyone."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from gather_pipeline import __version__
from gather_pipeline.api.deps import GivenServices

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """The server works; where its store does not answer, the answer is 503 and a problem document."""

    status: Literal["ok"] = "ok"
    version: str = __version__


@router.get("/health")
def health(services: GivenServices) -> Health:
    """Say whether the server works. Needs no token."""
    services.projects.find("health")
    return Health()
