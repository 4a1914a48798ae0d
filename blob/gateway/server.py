"""The gateway on a site of its own: listen, serve, stop without cutting anyone off.

Used by the command line, and by applications that give the gateway its own port. An
application that mounts it beside its own pages needs only `make_app`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self

__all__ = ("READ_BUFFER", "Server")

_log = logging.getLogger("blob.gateway")

_CANCEL_SECONDS = 1.0
_CLOSE_SECONDS = 2.0
_LOOK_SECONDS = 0.02

READ_BUFFER = 2**20
"""Bytes buffered of each body on its way in: measured, a quarter faster than 64 KiB."""


class Server:
    """Serves an application on one address; `async with` starts and stops it.

    Stopping refuses new connections at once, lets the requests in flight finish for up
    to `grace` seconds and cancels what is left. The application gets a middleware that
    counts them, so it must not have been started elsewhere. The application's driver is
    not closed: who made it does.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        grace: float = 30.0,
    ) -> None:
        app.middlewares.insert(0, self._count)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            # An object is the bytes that came, whatever their Content-Encoding.
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            shutdown_timeout=_CANCEL_SECONDS,
        )
        self._host = host
        self._port = port
        self._ssl = ssl_context
        self._grace = grace
        self._busy: set[object] = set()
        self._is_stopping = False

    @property
    def port(self) -> int:
        """The port it listens on: the one asked for, or the free one found for 0."""
        return self._port

    @property
    def endpoint(self) -> str:
        """The URL to give to an S3 client."""
        host = f"[{self._host}]" if ":" in self._host else self._host or "localhost"
        return f"{'https' if self._ssl else 'http'}://{host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError where the address cannot be had."""
        await self._runner.setup()
        try:
            for address in await self._addresses():
                site = web.TCPSite(
                    self._runner, address, self._port, ssl_context=self._ssl
                )
                await site.start()
                # Found free for the first address, asked for on the others.
                self._port = self._runner.addresses[0][1]
        except BaseException:
            await self._runner.cleanup()
            raise

    async def _addresses(self) -> list[str]:
        """Return the addresses of the host: a name like localhost may have two."""
        found = await asyncio.get_running_loop().getaddrinfo(
            self._host or None,
            self._port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def aclose(self) -> None:
        """Stop as the class says; idempotent."""
        # The runner's own shutdown drops what uploads still send, so it comes after.
        self._is_stopping = True
        for site in list(self._runner.sites):
            await site.stop()
        await asyncio.sleep(0)  # requests that are already here begin
        await self._wait(lambda: bool(self._busy), self._grace)
        if self._busy:
            _log.warning("%d requests did not end in time", len(self._busy))
        # An idle TLS client need not answer the goodbye: it is not waited for.
        await self._wait(lambda: self._close_idle() > 0, _CLOSE_SECONDS)
        await self._runner.cleanup()

    async def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait while the condition holds, `seconds` at most, and close what is idle."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while condition() and loop.time() < deadline:
            self._close_idle()
            # Of the last byte leaving no event tells: look again.
            await asyncio.sleep(_LOOK_SECONDS)

    def _close_idle(self) -> int:
        """Close connections without a request; return how many there were."""
        server = self._runner.server
        connections = server.connections if server is not None else []
        idle = [each for each in connections if each not in self._busy]
        for connection in idle:
            connection.force_close()  # sends what is written
        return len(idle)

    @web.middleware
    async def _count(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Mark the connection busy until the answer is written."""
        connection = request.protocol
        self._busy.add(connection)  # HTTP/1: one request at a time
        try:
            response = await handler(request)
            await _write(request, response)
        except web.HTTPException as answer:
            await _write(request, answer)
            raise
        finally:
            self._busy.discard(connection)
        return response

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()


async def _write(request: web.Request, response: web.StreamResponse) -> None:
    """Send the answer to its last byte, as far as this process can know."""
    # A client that goes before its answer is no error, and not worth a log line:
    # aiohttp sees it too, right after, and closes.
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write_eof()
        transport = request.transport
        if transport is not None and transport.get_write_buffer_size():
            transport.set_write_buffer_limits(high=0)
            await request.writer.drain()
            transport.set_write_buffer_limits()
