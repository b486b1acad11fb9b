"""`/session`: a page hands in its token once, and from then on the browser sends it in a cookie that no script can read."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import RedirectResponse, Response

from gather_pipeline.api.access import COOKIE, UNKNOWN_TOKEN
from gather_pipeline.api.deps import GivenServices
from gather_pipeline.api.pages.look import sign_in_page
from gather_pipeline.api.problems import faults_in
from gather_pipeline.errors import NotSignedIn

router = APIRouter(prefix="/session", tags=["session"])
KEPT_S = 30 * 24 * 3600
FORM = "application/x-www-form-urlencoded"


class SignIn(BaseModel):
    """The token that `gather token create` printed."""

    token: str = Field(max_length=200, examples=["gat_..."])
    next: str = Field("/", max_length=2000, pattern=r"^/([^/\\].*)?$", description="Path of this server that a form leads on to.")


BODY = {kind: {"schema": SignIn.model_json_schema()} for kind in ("application/json", FORM)}


async def _given(request: Request) -> SignIn:
    """The token in JSON, or from a form that works without a script."""
    data = await request.body()
    try:
        if _is_form(request):
            return SignIn.model_validate({name: value.strip() for name, value in parse_qsl(data.decode(errors="replace"))})
        return SignIn.model_validate_json(data)
    except ValidationError as error:
        raise faults_in(error, "body") from None


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith(FORM)


@router.post(
    "",
    status_code=204,
    responses={
        303: {"description": "The form's page is left for the one that it was for"},
        401: {"description": "The token opens nothing; a form gets its page again", "content": {"text/html": {}}},
    },
    openapi_extra={"requestBody": {"content": BODY, "required": True}, "x-problems": [401, 422]},
)
def sign_in(given: Annotated[SignIn, Depends(_given)], request: Request, services: GivenServices) -> Response:
    """Keep a token in an HttpOnly cookie for 30 days; a form is led on to the page that was asked for.

    The cookie is SameSite=Lax, so that a link from elsewhere finds who follows it signed in; nothing is changed by such a request, and
    those that change something are refused where they come from another origin.
    """
    if services.tokens.find(given.token) is None:
        if _is_form(request):
            return sign_in_page(request.scope, UNKNOWN_TOKEN, given.next)
        raise NotSignedIn(UNKNOWN_TOKEN)
    response = RedirectResponse(given.next, 303) if _is_form(request) else Response(status_code=204)
    is_secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, given.token, max_age=KEPT_S, httponly=True, samesite="lax", secure=is_secure)
    return response


@router.delete("", status_code=204)
def sign_out() -> Response:
    """Forget the cookie; the token stays valid."""
    return without_cookie(Response(status_code=204))


def without_cookie(response: Response) -> Response:
    """The answer, after which the browser has no token any more."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response
