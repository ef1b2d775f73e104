"""For those who run the service: /health, /ready, /metrics. No envelope: probes read these."""

from __future__ import annotations

from time import monotonic

from starlette.requests import Request
from starlette.responses import Response

from cbapi.domain.readiness import overall
from cbapi.envelope import JsonResponse, now
from cbapi.metrics import Metrics
from cbapi.services import Services
from cbapi.storage.postgres import MAX_CONNECTIONS


async def health(request: Request) -> Response:
    """200 as long as the process answers. `uptime` in seconds."""
    services = _services(request)
    return JsonResponse(
        {
            "status": "healthy",
            "timestamp": now(),
            "uptime": round(monotonic() - services.started, 3),
            "version": services.settings.version,
        }
    )


async def ready(request: Request) -> Response:
    """200 healthy or degraded; 503 unhealthy (the database) or draining (about to stop)."""
    services = _services(request)
    if services.draining:
        return JsonResponse({"status": "draining", "timestamp": now(), "checks": []}, 503)
    results = await services.check()
    status = overall(results)
    body: dict[str, object] = {"status": status, "timestamp": now(), "checks": results}
    return JsonResponse(body, 503 if status == "unhealthy" else 200)


async def metrics(request: Request) -> Response:
    """Prometheus text. The gauges of the systems behind are measured now, not remembered."""
    services = _services(request)
    await services.check()
    services.metrics.in_flight.set(services.in_flight)
    services.metrics.pool({"pool_max": MAX_CONNECTIONS} | services.postgres.stats())
    return Response(services.metrics.render(), media_type=Metrics.content_type)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services
