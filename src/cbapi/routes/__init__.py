"""One module per subject; the table of all addresses is here."""

from __future__ import annotations

from starlette.routing import Route

from cbapi.routes import operations, program

ROUTES = [
    Route("/health", operations.health),
    Route("/ready", operations.ready),
    Route("/metrics", operations.metrics),
    Route("/v1/program", program.show),
]
