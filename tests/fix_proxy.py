"""A TCP proxy that loses the network on purpose.

It runs an event loop of its own in a thread, so that it serves clients of any kind: in
this process or another, asynchronous or not. Its methods may be called from anywhere.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import pytest

Direction: TypeAlias = Literal["up", "down"]
"""`up` is from the client to the server."""

Action: TypeAlias = Literal["cut", "reset", "stall"]
"""End both sides (FIN), break both sides (RST), or let nothing through any more."""

StartProxy: TypeAlias = Callable[[str, int], "Proxy"]

T = TypeVar("T")

_CHUNK = 64 * 1024
_LINGER_NOTHING = struct.pack("ii", 1, 0)  # close() then sends RST


@dataclass(slots=True)
class _Trap:
    """What happens once, when bytes going in a direction reach a count or a pattern."""

    action: Action
    direction: Direction
    left: int | None = None
    pattern: bytes = b""

    def spring(self, data: bytes) -> int | None:
        """Return how many bytes still pass before the action, or None: not yet."""
        if self.left is None:
            found = data.find(self.pattern)
            return found if found >= 0 else None
        if len(data) < self.left:
            self.left -= len(data)
            return None
        return self.left


class _Connection:
    """One client and its connection to the server."""

    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        task: asyncio.Task[None],
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.task = task
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def run(self) -> None:
        """Forward both ways until both sides ended or somebody cut."""
        try:
            await self._proxy.wait_open(self)
            self._server = await asyncio.open_connection(*self._proxy.target)
            for _, writer in (self._client, self._server):
                # Then drain() means handed to the kernel, so counts are exact.
                writer.transport.set_write_buffer_limits(0)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump("up", self._client[0], self._server[1]))
                group.create_task(self._pump("down", self._server[0], self._client[1]))
        except* OSError:
            self._shut(reset=True)  # one side broke: break the other
        finally:
            self._shut(reset=False)

    async def _pump(
        self,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        while data := await reader.read(_CHUNK):
            await self._proxy.wait_open(self)
            action, passing = self._proxy.check(direction, data)
            if passing:
                writer.write(passing)
                await writer.drain()
            if action:
                self.act(action)
                if action != "stall":
                    return
                await self._proxy.wait_open(self)
                writer.write(data[len(passing) :])
        with suppress(OSError):
            writer.write_eof()

    def act(self, action: Action) -> None:
        """Do it to this connection."""
        if action == "stall":
            self.flowing.clear()
            return
        self._shut(reset=action == "reset")
        self.task.cancel()

    def _shut(self, *, reset: bool) -> None:
        for side in (self._client, self._server):
            if side is None:
                continue
            transport = side[1].transport
            if reset and not transport.is_closing():
                transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING
                )
                transport.abort()
            transport.close()


class Proxy:
    """Forwards `host:port` to `target`, and fails as it is told.

    `target` may be set anew (a server restarted on another port); it counts for the
    connections made after. `delay` is the seconds each chunk waits, either way.
    `accepted` counts the connections ever made.
    """

    host = "127.0.0.1"

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.delay = 0.0
        self.accepted = 0
        self.port = 0
        self._traps: list[_Trap] = []
        self._connections: set[_Connection] = set()
        self._stalled = False
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="proxy")
        self._thread.start()
        self._call(self._start())

    # -- what a test tells it ------------------------------------------------------

    @property
    def open_connections(self) -> int:
        """The connections open now."""
        return len(self._connections)

    def cut(self) -> None:
        """End every connection (FIN); new ones are accepted."""
        self._call(self._act("cut"))

    def reset(self) -> None:
        """Break every connection (RST); new ones are accepted."""
        self._call(self._act("reset"))

    def stall(self) -> None:
        """Let nothing through, either way, on connections old and new."""
        self._call(self._stall())

    def resume(self) -> None:
        """Let through what was held, and all that comes; disarm what is armed."""
        self._call(self._resume())

    def refuse(self) -> None:
        """Break every connection and refuse new ones, as if nothing listened."""
        self._call(self._refuse())

    def accept(self) -> None:
        """Listen again, on the same port."""
        self._call(self._start())

    def after(self, count: int, action: Action, *, direction: Direction = "up") -> None:
        """Once `count` more bytes went in a direction, do it to the one they went by.

        The bytes of all connections count together. A stalled connection holds the
        rest back; it goes on with `resume`.
        """
        self._call(self._arm(_Trap(action, direction, left=count)))

    def on(
        self, pattern: bytes, action: Action, *, direction: Direction = "up"
    ) -> None:
        """The next time the bytes hold `pattern`, do it there, just before them.

        A pattern that is split between two reads is not seen.
        """
        self._call(self._arm(_Trap(action, direction, pattern=pattern)))

    def close(self) -> None:
        """Cut everything and stop."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    # -- in its own thread ---------------------------------------------------------

    def _call(self, coro: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coro, self._loop).result(10)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        await self._stop.wait()
        if self._server:
            self._server.close()
        await self._act("reset")

    async def _start(self) -> None:
        self._server = await asyncio.start_server(
            self._accepted, self.host, self.port, limit=_CHUNK
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accepted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task
        connection = _Connection(self, (reader, writer), task)
        if self._stalled:
            connection.flowing.clear()
        self.accepted += 1
        self._connections.add(connection)
        try:
            await connection.run()
        except asyncio.CancelledError:
            pass  # it was cut: that is how this task ends
        finally:
            self._connections.discard(connection)

    async def _act(self, action: Action) -> None:
        tasks = [connection.task for connection in self._connections]
        for connection in tuple(self._connections):
            connection.act(action)
        if tasks and action != "stall":
            await asyncio.wait(tasks)

    async def _stall(self) -> None:
        self._stalled = True
        await self._act("stall")

    async def _resume(self) -> None:
        self._stalled = False
        self._traps.clear()
        for connection in self._connections:
            connection.flowing.set()

    async def _refuse(self) -> None:
        if self._server:
            self._server.close()
        await self._act("reset")

    async def _arm(self, trap: _Trap) -> None:
        self._traps.append(trap)

    # -- for its connections -------------------------------------------------------

    async def wait_open(self, connection: _Connection) -> None:
        """Wait out the delay, and a stall."""
        if self.delay:
            await asyncio.sleep(self.delay)
        await connection.flowing.wait()

    def check(self, direction: Direction, data: bytes) -> tuple[Action | None, bytes]:
        """Say what is to be done, and which bytes pass before it."""
        for trap in self._traps:
            if trap.direction != direction:
                continue
            passing = trap.spring(data)
            if passing is not None:
                self._traps.remove(trap)
                return trap.action, data[:passing]
        return None, data


@pytest.fixture
def start_proxy() -> Iterator[StartProxy]:
    """Start proxies to `(host, port)`; they are closed after the test."""
    proxies: list[Proxy] = []

    def start(host: str, port: int) -> Proxy:
        proxies.append(Proxy(host, port))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.close()
