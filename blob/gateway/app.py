"""`make_app`: the gateway as an aiohttp application, to serve alone or inside another.

Every request goes the same way: its path, who signed it, which action it is, the
action's handler; whatever is raised on that way becomes an error of the dialect.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

try:
    # The one place for all modules of the gateway: its package imports this one first.
    import awscrt.checksums  # noqa: F401 - see above
    import defusedxml.ElementTree  # noqa: F401 - see above
    from aiohttp import web
except ModuleNotFoundError as error:
    _missing = str(error.name).partition(".")[0]
    raise ImportError(
        f"blob.gateway needs {_missing}: pip install 'aiostow[blob]'", name=_missing
    ) from error

from ..errors import InvalidArgumentError
from .auth import Authenticator
from .call import Call, random_ids, wants_continue
from .faults import INTERNAL_ERROR
from .headers import parse_query
from .s3 import DIALECTS
from .wire_errors import InvalidURIError

if TYPE_CHECKING:
    from ..driver import Driver
    from .keys import KeyStore
    from .s3 import Dialect

__all__ = ("make_app",)

_log = logging.getLogger("blob.gateway")


def make_app(
    driver: Driver,
    *,
    auth: KeyStore,
    dialect: str = "s3",
    region: str = "us-east-1",
) -> web.Application:
    """Return an application that serves the driver to S3 clients.

    `auth` holds the keys that may sign; a request that none of them signed is refused.
    The driver must be ready, and is not closed. Mount the application under a prefix
    with `add_subapp`, or serve it alone with `blob.gateway.Server`. Whatever runs it
    must not decompress request bodies: `Server` sees to it, an `AppRunner` of
    your own needs `auto_decompress=False` (a body that was decompressed is refused).
    """
    if dialect not in DIALECTS:
        raise ValueError(
            f"no dialect {dialect!r}: there is {', '.join(map(repr, DIALECTS))}."
        )
    gateway = _Gateway(
        driver=driver,
        auth=Authenticator(auth, region=region),
        dialect=DIALECTS[dialect],
        region=region,
    )
    app = web.Application()
    # Any method, any path: [\s\S] because a key may hold a line break.
    for path in (r"/{path:[\s\S]*}", ""):  # "": the mount itself, without a slash
        app.router.add_route("*", path, gateway.handle, expect_handler=_keep_waiting)
    return app


async def _keep_waiting(_request: web.Request) -> None:
    """Send no 100 yet: `RequestBody` does when there is a taker for the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gateway:
    driver: Driver
    auth: Authenticator
    dialect: Dialect
    region: str

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        request_id, id_2 = random_ids()
        common = {
            "Server": "aiostow",
            "x-amz-request-id": request_id,
            "x-amz-id-2": id_2,
        }
        call: Call | None = None
        try:
            call = await self._prove(request, common)
            response = await self._act(call)
        except Exception as error:  # noqa: BLE001 - every error has an answer
            response = self._answer_error(request, request_id, error)
        if not response.prepared:
            response.headers.update(common)
        if wants_continue(request) and (call is None or not call.is_invited):
            await _refuse_body(request, response)
        return response

    async def _prove(self, request: web.Request, common: dict[str, str]) -> Call:
        """Find out who asks; nothing else of the request counts before."""
        path, _, query = _origin_form(request.raw_path).partition("?")
        headers = list(request.headers.items())
        principal, verified = await self.auth.authenticate(
            method=request.method, path=path, query=query, headers=headers
        )
        bucket, key = self.dialect.split_path(_below_mount(request, path))
        return Call(
            request=request,
            driver=self.driver,
            region=self.region,
            principal=principal,
            verified=verified,
            bucket=bucket or "",
            key=key or "",
            query=_single(parse_query(query)),
            headers=headers,
            common=common,
        )

    async def _act(self, call: Call) -> web.StreamResponse:
        level = "object" if call.key else "bucket" if call.bucket else "service"
        action = self.dialect.find_action(
            call.request.method, level, call.query, call.header
        )
        return await action.handler(call)

    def _answer_error(
        self, request: web.Request, request_id: str, error: Exception
    ) -> web.StreamResponse:
        fault = self.dialect.to_fault(error)
        if fault is None:
            _log.error("request %s failed", request_id, exc_info=error)
            fault = INTERNAL_ERROR
        body = None
        if request.method != "HEAD" and fault.status != 304:
            path = _origin_form(request.raw_path).partition("?")[0]
            body = self.dialect.error_document(
                fault.code,
                fault.message,
                resource=path,
                request_id=request_id,
                extra=fault.extra,
            )
        response = web.Response(status=fault.status, body=body, headers=fault.headers)
        if body is not None:
            response.content_type = self.dialect.error_type
        return response


def _origin_form(target: str) -> str:
    """Return path and query of a request target that may be a whole URL."""
    if target.startswith("/"):
        return target
    _, scheme, rest = target.partition("://")
    slash = rest.find("/")
    if not scheme or slash < 0:
        return "/"
    return rest[slash:]


def _below_mount(request: web.Request, path: str) -> str:
    """Return the path without the prefix under which the application is mounted."""
    resource = request.match_info.route.resource
    prefix = resource.canonical.removesuffix("/{path}") if resource else ""
    if path == prefix:
        return "/"
    if not path.startswith(prefix + "/"):
        raise InvalidURIError
    return path[len(prefix) :]


def _single(query: list[tuple[str, str]]) -> dict[str, str]:
    """Refuse a parameter that is there twice: which one would be meant?"""
    parameters = dict(query)
    if len(parameters) != len(query):
        raise InvalidArgumentError("A query parameter was given twice.")
    return parameters


async def _refuse_body(request: web.Request, response: web.StreamResponse) -> None:
    """Answer a client that waits for a 100 in vain, and close.

    It may or may not send the body now, so the connection can carry nothing after it;
    and waiting for the body, as the HTTP server else does, would keep both sides.
    """
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    if not request.content.total_bytes and request.protocol is not None:
        request.protocol.force_close()
