"""`GET /metrics`: what a Prometheus server asks for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response

from gather_pipeline.api.deps import ForAll

router = APIRouter(tags=["operations"])
EXAMPLE = 'gather_quality_score{department="story",project="salt-ledger"} 81.5\n'


@router.get(
    "/metrics",
    dependencies=[ForAll],
    status_code=200,
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE}}}},
)
def metrics(request: Request, accept: Annotated[str, Header()] = "") -> Response:
    """Export every metric of the store and of this server, in Prometheus' text format or OpenMetrics'.

    Those of the store are of all projects, and at most ten seconds old.
    """
    encode, media_type = choose_encoder(accept)
    return Response(encode(request.app.state.measures.registry), media_type=media_type)
