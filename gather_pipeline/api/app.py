"""The application: its routes by a table, what stands before them, and how errors are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from gather_pipeline import __version__
from gather_pipeline.api.access import SIGN_IN, Gate
from gather_pipeline.api.openapi import document
from gather_pipeline.api.pages import routes as pages
from gather_pipeline.api.pages.look import sign_in_page
from gather_pipeline.api.problems import add_handlers
from gather_pipeline.api.routes import events, executions, health, items, projects, reports, reviews, session
from gather_pipeline.bootstrap import build_services
from gather_pipeline.services import Services

ROUTERS = (
    health.router,
    session.router,
    projects.router,
    items.router,
    events.router,
    reports.router,
    reviews.router,
    executions.router,
    pages.router,
)


def create_app(services: Services) -> FastAPI:
    """The application over these services, which whoever made them closes."""
    app = FastAPI(
        title="gather_pipeline",
        version=__version__,
        description="Grows a creative project from a brief: starts and watches runs, reads and edits what they wrote.",
        docs_url="/docs",
        redoc_url=None,
    )
    app.state.services = services
    setattr(app.state, SIGN_IN, sign_in_page)
    for router in ROUTERS:
        app.include_router(router)
    document(app)
    add_handlers(app, services.secrets, [route for router in ROUTERS for route in router.routes])
    app.add_middleware(Gate, services=services)
    if services.settings.api_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=services.settings.api_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Retry-After"],
        )
    return app


def from_environment() -> FastAPI:
    """The application that `gather serve` hands to uvicorn, over the services that the environment names; they are closed at its end."""
    services = build_services()
    app = create_app(services)

    @asynccontextmanager
    async def closing(app: FastAPI) -> AsyncIterator[None]:
        yield
        services.close()

    app.router.lifespan_context = closing
    return app
