"""Streaming one signed S3 PUT by aiohttp from a list of chunks: beside `s3wire`.

botocore's own upload calls hash a body twice, copy it twice and refuse a list of
chunks; here it is read in slices from the caller's bytes, as often as it is sent.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from .errors import (
    CertificateError,
    ClosedError,
    ConnectionLostError,
    StalledError,
    UnreachableError,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType
    from typing import Self

    from .s3wire import SignedRequest
    from .target import Body

__all__ = ("PutStream", "Response")

# What one write hands to the transport: it may keep a copy of what the socket does not
# take at once, and a stall is told by a slice that does not get through.
_SLICE = 128 << 10


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with its whole (short) body; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class PutStream:
    """A connection pool for PUTs; `async with` it.

    `connect_timeout` is for making a connection, `read_timeout` for every 128 KiB sent
    and for the answer: both in seconds, `UnreachableError` and `StalledError` when they
    pass. `tls` is for https addresses, `proxy` the URL of an HTTP proxy for all.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        proxy_headers: Mapping[str, str] | None = None,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._tls = tls
        self._proxy = proxy
        self._proxy_headers = proxy_headers
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls or True),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._connect_timeout
            ),
            skip_auto_headers=("Content-Type", "Accept-Encoding"),
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; idempotent."""
        if self._session is not None:
            await self._session.close()

    async def put(self, request: SignedRequest, body: Body) -> Response:
        """Send the request once. A cancelled one may have been applied by the store."""
        if self._session is None or self._session.closed:
            raise ClosedError("the target is not open")
        try:
            async with asyncio.timeout(
                self._connect_timeout + self._read_timeout
            ) as deadline:
                async with self._session.put(
                    URL(request.url, encoded=True),
                    headers=request.headers,
                    data=self._slices(body, deadline),
                    allow_redirects=False,
                    proxy=self._proxy,
                    proxy_headers=self._proxy_headers,
                ) as answer:
                    text = await answer.read()
        except aiohttp.ConnectionTimeoutError as exc:
            raise UnreachableError(
                f"no connection within {self._connect_timeout} s"
            ) from exc
        except TimeoutError as exc:
            raise StalledError(f"no progress for {self._read_timeout} s") from exc
        except aiohttp.ClientConnectorCertificateError as exc:
            raise CertificateError(f"not trusted: {exc}") from exc
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as exc:
            raise UnreachableError(f"no connection: {exc}") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise ConnectionLostError(f"the connection broke: {exc}") from exc
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status, headers, text)

    async def _slices(
        self, body: Body, deadline: asyncio.Timeout
    ) -> AsyncIterator[bytes | memoryview]:
        """Read the body once more; every slice that got through moves the deadline."""
        loop = asyncio.get_running_loop()
        for chunk in body.chunks:
            view = memoryview(chunk)
            for start in range(0, len(view), _SLICE):
                deadline.reschedule(loop.time() + self._read_timeout)
                yield view[start : start + _SLICE]
        deadline.reschedule(loop.time() + self._read_timeout)
