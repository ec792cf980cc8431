"""Where foreseen troubles become answers, once for all handlers."""

import logging
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import hdrs, web

from tracker import db as database
from tracker import errors

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATUS: dict[type[errors.TrackerError], int] = {
    errors.BadInput: 400,
    errors.NotAuthenticated: 401,
    errors.Forbidden: 403,
    errors.BadSignature: 403,
    errors.ForeignOrigin: 403,
    errors.UnknownAddress: 404,
    errors.TooLarge: 413,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}


@web.middleware
async def errors_to_answers(
    request: web.Request, handler: Handler
) -> web.StreamResponse:
    """A TrackerError as JSON with its status; a bug as 500, with its traceback in the log."""
    try:
        response = await handler(request)
    except web.HTTPRequestEntityTooLarge:
        response = answer(errors.TooLarge("the body is too large"))
    except web.HTTPException:
        raise
    except Exception as error:
        response = _explain(request, error)
    origin = request.headers.get(hdrs.ORIGIN)
    if origin and request.path.startswith("/v1/"):
        # Also on refusals: without it the browser fills the page's console.
        response.headers["Access-Control-Allow-Origin"] = origin
        told = response.headers.get(hdrs.VARY)
        response.headers[hdrs.VARY] = f"{told}, Origin" if told else "Origin"
    return response


def _explain(request: web.Request, error: Exception) -> web.Response:
    if isinstance(error, errors.TrackerError):
        return answer(error)
    if isinstance(error, database.AWAY):
        log.warning("answered 503: a store is away", extra={"path": request.path})
        return answer(errors.Unavailable("a store is away; try again later"))
    log.error("handler crashed", extra={"path": request.path}, exc_info=error)
    return _json(500, "", "this is a fault of the server; it has been logged")


def answer(error: errors.TrackerError) -> web.Response:
    """The error as a JSON answer."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 400)
    field = error.field if isinstance(error, errors.BadInput) else ""
    response = _json(status, field, str(error))
    if isinstance(error, errors.TooMany):
        seconds = max(1, round(error.after.total_seconds()))
        response.headers["Retry-After"] = str(seconds)
    if isinstance(error, errors.NotAuthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _json(status: int, field: str, message: str) -> web.Response:
    body = msgspec.json.encode({"error": {"field": field, "message": message}})
    return web.Response(status=status, body=body, content_type="application/json")
