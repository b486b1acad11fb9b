"""The application: its routes, the middleware before them, and its end."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from importlib import import_module

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from gather_pipeline import __version__
from gather_pipeline.api.access import Gate, Lenient
from gather_pipeline.api.executing import Executing
from gather_pipeline.api.limits import Bounded
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


def create_app(services: Services, closing: ExitStack | None = None) -> FastAPI:
    """The application.

    Args:
        services: The engines; whoever made them closes them.
        closing: What is closed at the application's end, after what the application opened itself.
    """
    app = FastAPI(
        title="gather_pipeline",
        version=__version__,
        description="Grows a creative project from a brief: starts and watches runs, reads and edits what they wrote.",
        docs_url=None,  # FastAPI's page takes its script from another server; the pages have one of their own
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.services, app.state.closing, app.state.live = services, closing or ExitStack(), Live(services)
    app.state.executing, app.state.looks = Executing(services), hooks.Looks(services)
    app.state.closing.callback(app.state.executing.close)
    app.state.closing.callback(app.state.looks.close)
    app.state.measures = OfServer(services.metrics, app.state.live)
    for router in ROUTERS:
        app.include_router(router)
    document(app)
    add_handlers(app, services.secrets, [route for router in ROUTERS for route in router.routes])
    app.add_middleware(Bounded, most=services.settings.api_body_bytes, secrets=services.secrets)
    app.add_middleware(Gate, services=services, sign_in=sign_in_page)
    if origins := services.settings.api_origins:
        shown = ["ETag", "Link", "Location", "Retry-After"]
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=shown)
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
    services, closing = build_services(), ExitStack()
    closing.callback(services.close)
    # Dagster takes seconds to load, which the first run would wait for.
    threading.Thread(target=import_module, args=("gather_pipeline.defs.starting",), name="load-dagster", daemon=True).start()
    return create_app(services, closing)
