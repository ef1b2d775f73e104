"""The ASGI application: routes, error answers, the middleware around them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from cbapi.envelope import failure
from cbapi.errors import ApiError
from cbapi.middleware import Observe
from cbapi.routes import ROUTES
from cbapi.services import Services

_HTTP_ERRORS = {
    404: ("VAL_ROUTE_NOT_FOUND", "There is nothing at this address."),
    405: ("VAL_METHOD_NOT_ALLOWED", "This address does not take this method."),
}


def create_app(services: Services) -> Starlette:
    """`services` is opened and closed by the caller: it must outlive the last request."""
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(Observe, services=services)],
        exception_handlers={HTTPException: _http_error, ApiError: _api_error},
    )
    app.router.redirect_slashes = False  # one address per resource
    app.state.services = services
    app.state.version = services.settings.version
    return app


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    default = ("VAL_REQUEST", "The request cannot be answered.")
    code, message = _HTTP_ERRORS.get(error.status_code, default)
    headers = dict(error.headers or {})
    return failure(request, ApiError(error.status_code, code, message, headers=headers))


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return failure(request, error)
