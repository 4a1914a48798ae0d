"""A reverse proxy that spoils chosen S3 requests, and what the pipe's tests share."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from yarl import URL

from cloudpipe import Backoff, CloudPipe
from cloudpipe.targets import S3Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

MIB = 1 << 20

Fault: TypeAlias = Literal[
    "reset",  # break the connection instead of taking the request
    "reset after",  # the gateway has it, the answer is lost
    "stall",  # take nothing, answer nothing
    "stall after",  # the gateway has it, the answer never comes
    "hold",  # take it when `released` is set
    "late",  # the gateway has it half a second later, whoever waits
    "503",  # SlowDown instead of taking the request
    "balancer",  # the gateway has it, a 503 that is no S3 error is told
    "500 after",  # the gateway has it, InternalError is told
    "200 error",  # an error in a 200, as CompleteMultipartUpload may answer
    "403",  # AccessDenied
]


_TOLD_AFTER = ("500 after", "balancer")


def operation_of(method: str, query: Mapping[str, str]) -> str:
    """Name the request of an upload."""
    if "uploads" in query:
        return "create" if method == "POST" else "list uploads"
    if "uploadId" in query:
        part = f"part {query.get('partNumber')}"
        kinds = {"PUT": part, "POST": "complete", "DELETE": "abort", "GET": "list"}
        return kinds[method]
    return {"PUT": "put", "HEAD": "head"}.get(method, method)


@dataclass
class Faults:
    """Forwards to the gateway; `spoil` says which requests fail, and how often."""

    upstream: str
    endpoint: str = ""
    seen: list[str] = field(default_factory=list)
    hit: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    altered: dict[bytes, bytes] = field(default_factory=dict)  # in answers' bodies
    hidden: set[str] = field(default_factory=set)  # headers taken off answers
    late: asyncio.Task[web.Response] | None = None
    _plans: dict[str, tuple[Fault, int]] = field(default_factory=dict)
    _reached: dict[str, asyncio.Event] = field(default_factory=dict)

    def spoil(self, operation: str, fault: Fault, times: int = 1) -> None:
        self._plans[operation] = (fault, times)

    def reached(self, operation: str) -> asyncio.Event:
        """Set when such a request arrives."""
        return self._reached.setdefault(operation, asyncio.Event())

    def take(self, operation: str) -> Fault | None:
        self.seen.append(operation)
        self.reached(operation).set()
        fault, times = self._plans.get(operation, (None, 0))
        if not times:
            return None
        self._plans[operation] = (fault, times - 1)
        self.hit += 1
        return fault

    def app(self, session: aiohttp.ClientSession) -> web.Application:
        async def handle(request: web.Request) -> web.StreamResponse:
            fault = self.take(operation_of(request.method, request.query))
            if waits := {"stall": self.over, "hold": self.released}.get(fault or ""):
                await waits.wait()
            if fault == "reset" or self.over.is_set():
                return _reset(request)
            if fault in ("503", "403", "200 error"):
                return _error(fault)
            if fault == "late":
                # A task of its own: it outlives a client that goes.
                self.late = asyncio.create_task(self._late(session, request))
                return await asyncio.shield(self.late)  # noqa: TID251 - that is the fault
            answer = await self._forward(session, request)
            if fault == "stall after":
                await self.over.wait()
            if fault == "reset after" or self.over.is_set():
                return _reset(request)
            return _error(fault) if fault in _TOLD_AFTER else self._alter(answer)

        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{tail:.*}", handle)
        return app

    def _alter(self, answer: web.Response) -> web.Response:
        for old, new in self.altered.items():
            answer.body = re.sub(old, new, answer.body or b"")
        for name in self.hidden & answer.headers.keys():
            del answer.headers[name]
        return answer

    async def _late(
        self, session: aiohttp.ClientSession, request: web.Request
    ) -> web.Response:
        await request.read()
        await asyncio.sleep(0.5)
        return await self._forward(session, request)

    async def _forward(
        self, session: aiohttp.ClientSession, request: web.Request
    ) -> web.Response:
        path = request.raw_path.removeprefix(self.upstream)  # whole: as to a proxy
        url = URL(f"{self.upstream}{path}", encoded=True)
        async with session.request(
            request.method,
            url,
            headers=request.headers,  # Host too: it is signed
            data=_slices(await request.read()),
            allow_redirects=False,
        ) as answer:
            headers = answer.headers.copy()
            for name in ("Content-Length", "Transfer-Encoding"):
                headers.popall(name, None)
            body = await answer.read()
            if request.method == "HEAD" and "Content-Length" in answer.headers:
                headers["Content-Length"] = answer.headers["Content-Length"]
            return web.Response(status=answer.status, headers=headers, body=body)


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), MIB):
        yield body[start : start + MIB]


def _reset(request: web.Request) -> web.Response:
    transport = request.transport
    assert transport is not None
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()
    return web.Response()


def _error(fault: Fault) -> web.Response:
    if fault == "balancer":
        return web.Response(status=503, text="<html>Service Unavailable</html>")
    status, code = {
        "503": (503, "SlowDown"),
        "500 after": (500, "InternalError"),
        "200 error": (200, "InternalError"),
        "403": (403, "AccessDenied"),
    }[fault]
    text = f"<Error><Code>{code}</Code><Message>spoiled</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


@asynccontextmanager
async def _faults(gateway) -> AsyncIterator[Faults]:
    made = Faults(gateway.endpoint)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        # handler_cancellation: a stalled handler ends when its client goes.
        runner = web.AppRunner(
            made.app(session), handler_cancellation=True, shutdown_timeout=1
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        made.endpoint = f"http://127.0.0.1:{port}"
        yield made
        made.over.set()
        await runner.cleanup()


@pytest_asyncio.fixture
async def faults(gateway) -> AsyncIterator[Faults]:
    async with _faults(gateway) as made:
        yield made


@pytest_asyncio.fixture
async def more_faults(gateway) -> AsyncIterator[Callable[[], Awaitable[Faults]]]:
    """Make proxies of their own for pipes that run side by side."""
    async with AsyncExitStack() as stack:

        async def make() -> Faults:
            return await stack.enter_async_context(_faults(gateway))

        yield make


@pytest.fixture
def make_pipe(gateway, bucket) -> Callable[..., CloudPipe]:
    """Make a pipe to `gateway` with small parts, quick retries, and time to answer."""

    def make(key: str = "file.zip", size: int = 5 * MIB, **options: object):
        settings = {
            "end_point": gateway.endpoint,
            "region": gateway.region,
            "backoff": Backoff(first=0.01, longest=0.02),
            "abort_timeout": 10.0,
            "read_timeout": 30.0,
            **options,
        }
        return CloudPipe.s3(
            bucket, gateway.access_key, gateway.secret_key, key, size, **settings
        )

    return make


@pytest_asyncio.fixture
async def target(gateway, bucket) -> AsyncIterator[S3Target]:
    """An open target for many pipes: making a client takes longer than an upload."""
    async with S3Target(
        bucket,
        gateway.access_key,
        gateway.secret_key,
        end_point=gateway.endpoint,
        region=gateway.region,
    ) as made:
        yield made


@dataclass
class Store:
    """What stands in the bucket, asked of the gateway itself."""

    client: object
    bucket: str

    def read(self, key: str = "file.zip") -> bytes | None:
        """Return the object's bytes, None without one."""
        try:
            return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None

    def uploads(self) -> list[str]:
        """Return the keys of the multipart uploads that were left."""
        return [key for key, _ in self.upload_ids()]

    def upload_ids(self) -> list[tuple[str, str]]:
        """Return keys and ids of the multipart uploads that were left."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket)
        return [(each["Key"], each["UploadId"]) for each in found.get("Uploads", [])]


@pytest.fixture
def store(boto3_client, bucket) -> Store:
    return Store(boto3_client, bucket)


@pytest.fixture
def drain() -> Callable[[asyncio.Queue], list]:
    """Empty a subscriber's queue."""

    def empty(queue: asyncio.Queue) -> list:
        return [queue.get_nowait() for _ in range(queue.qsize())]

    return empty
