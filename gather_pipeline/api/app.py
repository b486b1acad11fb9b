"""The application: its routes by a table, what stands before them, and how errors are told."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from gather_pipeline import __version__
from gather_pipeline.api.access import SIGN_IN, Gate, Lenient
from gather_pipeline.api.executing import Executing
from gather_pipeline.api.live import Live
from gather_pipeline.api.measures import Measuring, OfServer
from gather_pipeline.api.openapi import document
from gather_pipeline.api.pages import routes as pages
from gather_pipeline.api.pages.look import sign_in_page
from gather_pipeline.api.problems import add_handlers
from gather_pipeline.api.routes import events, executions, health, hooks, items, metrics, projects, reports, reviews, session, stored, tasks
from gather_pipeline.bootstrap import build_services
from gather_pipeline.services import Services

ROUTERS = (
    health.router,
    hooks.router,
    session.router,
    tasks.router,
    projects.router,
    items.router,
    stored.router,
    events.router,
    reports.router,
    reviews.router,
    executions.router,
    metrics.router,
    pages.router,
)


def create_app(services: Services) -> FastAPI:
    """The application over these services, which whoever made them closes.

    Whatever a room of it opens, it puts on `app.state.closing`, which is closed at the application's end.
    """
    app = FastAPI(
        title="gather_pipeline",
        version=__version__,
        description="Grows a creative project from a brief: starts and watches runs, reads and edits what they wrote.",
        docs_url=None,  # FastAPI's page takes its script from another server; the pages have one of their own
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.services, app.state.closing, app.state.live = services, ExitStack(), Live(services)
    app.state.executing, app.state.looks = Executing(services), hooks.Looks(services)
    app.state.closing.callback(app.state.executing.close)
    app.state.closing.callback(app.state.looks.close)
    app.state.measures = OfServer(services.metrics, app.state.live)
    setattr(app.state, SIGN_IN, sign_in_page)
    for router in ROUTERS:
        app.include_router(router)
    document(app)
    add_handlers(app, services.secrets, [route for router in ROUTERS for route in router.routes])
    app.add_middleware(Gate, services=services)
    if origins := services.settings.api_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=["Location", "Retry-After"]
        )
    app.add_middleware(Measuring, of_server=app.state.measures)
    app.add_middleware(Lenient)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    with app.state.live.closing_at_signals():
        yield
    await run_in_threadpool(app.state.closing.close)


def from_environment() -> FastAPI:
    """The application that `gather serve` has uvicorn serve, over the services that the environment names."""
    services = build_services()
    app = create_app(services)
    whole = ExitStack()
    whole.callback(services.close)
    whole.push(app.state.closing)
    app.state.closing = whole
    threading.Thread(target=_load_dagster, name="load-dagster", daemon=True).start()
    return app


def _load_dagster() -> None:
    """Loads what takes seconds before the first run is asked for."""
    from gather_pipeline.defs import starting  # noqa: F401
