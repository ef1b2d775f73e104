"""GET /v1/program: the program's configuration on the chain."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from cbapi.envelope import success
from cbapi.services import Services


async def show(request: Request) -> Response:
    """200 with a ProgramView; 503 with SYS_CHAIN_UNAVAILABLE, SYS_PROGRAM_NOT_INITIALIZED or
    SYS_PROGRAM_UNREADABLE. Not 404: the address is right, the platform behind it is not there yet.
    """
    services: Services = request.app.state.services
    return success(request, await services.program.read())
