"""The upload sink: takes writes of any size, keeps a memory bound, ends as a whole."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from ._backoff import Backoff
from ._buffer import Buffer
from ._sizes import PartSizes
from ._subscribers import EventQueue, Subscribers
from ._uploader import Policy, Uploader, guarded
from .errors import AbortFailedError, ClosedError, CloudPipeError, ConfigError
from .events import (
    Drained,
    End,
    Error,
    Event,
    Outcome,
    PartSizeGrown,
    Progress,
    Ready,
)
from .target import Target, UploadOptions, UploadResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Self

    from types_aiobotocore_s3 import S3Client

    from ._chunker import CutPart
    from ._integrity import Integrity
    from .target import Chunk

__all__ = ("CloudPipe", "Data")

Data: TypeAlias = bytes | bytearray | memoryview | str
_Stop: TypeAlias = Literal["abort", "terminate"]
_WRITES_PER_YIELD = 256  # under a millisecond of single bytes


class CloudPipe:
    """Streams what is written to it into one object, in bounded memory.

    Leaving the `async with` block normally finishes the object; leaving it by an
    exception or a cancellation aborts, so that the object is there whole or not at all
    (a previous one under the key stays). What fits one part is one plain PUT. Used from
    one event loop; several tasks may write.

    Args:
        target: where to; opened and closed by the caller (`CloudPipe.s3` makes one).
        key: the object's key.
        max_chunk_size: bytes of the first parts, raised to S3's 5 MiB. The pipe holds
            at most `max(max_chunk_size * (concurrency + 1), 2 * part size)` bytes,
            and one slice of 128 KiB for every part in flight beside them.
        max_retry: how often a failed request is sent again; 0 is never.
        concurrency: parts in flight at once.
        options: what the object is stored with.
        expected_size: bytes to come, if known: parts are planned so that they need not
            grow. Only a plan: more and less may come.
        equal_parts: never grow the parts, for stores that refuse it; the stream may
            then not exceed 10,000 of them.
        abort_timeout: seconds for removing an upload, after which it is left there.
        backoff: delays between the re-sends.
    """

    def __init__(
        self,
        target: Target,
        key: str,
        *,
        max_chunk_size: int = 10_000_000,
        max_retry: int = 3,
        concurrency: int = 4,
        options: UploadOptions | None = None,
        expected_size: int | None = None,
        equal_parts: bool = False,
        abort_timeout: float = 30.0,
        backoff: Backoff | None = None,
    ) -> None:
        if not key:
            raise ConfigError("a key is required")
        if max_retry < 0 or concurrency < 1 or abort_timeout <= 0:
            raise ConfigError(
                "max_retry must be at least 0, concurrency 1, abort_timeout above 0"
            )
        sizes = PartSizes.plan(
            max_chunk_size, expected_size=expected_size, equal_parts=equal_parts
        )
        self._target = target
        self._owned: AbstractAsyncContextManager[object] | None = None
        self._key = key
        self._expected = expected_size
        self._buffer = Buffer(sizes, concurrency)
        self._part_size = sizes.first  # as the subscribers know it
        self._subscribers = Subscribers()
        self._uploader = Uploader(
            target,
            key,
            options or UploadOptions(),
            Policy(
                max_retry=max_retry,
                backoff=backoff or Backoff(),
                concurrency=concurrency,
                abort_timeout=abort_timeout,
            ),
            self._subscribers.tell,
            self._release,
        )
        self._refused = 0  # bytes of the smallest write refused since the last Drained
        self._writers: deque[object] = deque()  # who waits for memory, in turn
        self._since_yield = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ready = False
        self._stoppable = False
        self._stop: _Stop | None = None
        self._cancelled: asyncio.CancelledError | None = None
        self._failure: CloudPipeError | None = None
        self._abort_failure: AbortFailedError | None = None
        self._result: UploadResult | None = None

    @classmethod
    def s3(  # noqa: PLR0913 - the seed's constructor, and the settings named
        cls,
        bucket: str,
        access_key: str | None,
        secret: str | None,
        key: str,
        max_chunk_size: int = 10_000_000,
        *,
        end_point: str | None = None,
        use_ssl: bool = True,
        max_retry: int = 3,
        data_integrity: bool = True,
        rrs: bool = False,
        concurrency: int = 4,
        options: UploadOptions | None = None,
        expected_size: int | None = None,
        equal_parts: bool = False,
        abort_timeout: float = 30.0,
        backoff: Backoff | None = None,
        region: str | None = None,
        client: S3Client | None = None,
        integrity: Integrity = "crc64nvme",
        compatible: bool = False,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        ca_file: str | None = None,
    ) -> CloudPipe:
        """Make a pipe with a target of its own: see `S3Target` and `CloudPipe`.

        `access_key` and `secret` of None leave credentials to the ordinary AWS chain.
        `data_integrity=False` is `integrity="none"`, `rrs=True` the storage class
        REDUCED_REDUNDANCY.
        """
        from .targets.s3 import S3Target  # noqa: PLC0415 - others need no S3 library

        options = options or UploadOptions()
        if rrs:
            options = replace(options, storage_class="REDUCED_REDUNDANCY")
        target = S3Target(
            bucket,
            access_key,
            secret,
            end_point=end_point,
            use_ssl=use_ssl,
            region=region,
            client=client,
            integrity=integrity if data_integrity else "none",
            compatible=compatible,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            ca_file=ca_file,
        )
        pipe = cls(
            target,
            key,
            max_chunk_size=max_chunk_size,
            max_retry=max_retry,
            concurrency=concurrency,
            options=options,
            expected_size=expected_size,
            equal_parts=equal_parts,
            abort_timeout=abort_timeout,
            backoff=backoff,
        )
        pipe._owned = target
        return pipe

    # -- the block -----------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise ClosedError("a pipe is entered once: it makes one object")
        self._stoppable = True
        self._task = asyncio.create_task(self._run(), name=f"cloudpipe {self._key}")
        try:
            while not (self._ready or self._task.done()):
                await self._next_change()
        except asyncio.CancelledError:
            await self._leave(self._task)
            raise
        if self._failure is not None:
            raise self._failure
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        task = self._entered()
        if exc is None and self._stop is None:
            try:
                await self.finish()
            except asyncio.CancelledError:
                await self._leave(task)
                raise
            return
        await self._leave(task)
        if exc is not None and self._abort_failure is not None:
            exc.add_note(str(self._abort_failure))

    # -- writing -------------------------------------------------------------------

    async def write(self, data: Data, encoding: str = "utf-8") -> None:
        """Take all of `data`, waiting while memory is full.

        Bytes are kept without a copy where they fit the part being filled; what can
        change is copied. Cancelled, or failing, it took nothing of data no larger than
        a part; of larger data it may have taken the beginning (`bytes_taken` tells).
        Raises the upload's error once that has failed.
        """
        self._check_open()
        chunk = _as_chunk(data, encoding)
        self._buffer.check(len(chunk))
        self._since_yield += 1
        if self._since_yield > _WRITES_PER_YIELD:
            # Parts that were cut should start, and tiny writes not keep the loop.
            self._since_yield = 0
            await asyncio.sleep(0)
            self._check_open()
        if not self._writers and len(chunk) <= self._buffer.free:
            if self._take(chunk):
                self._since_yield = _WRITES_PER_YIELD
            return
        turn = object()
        self._writers.append(turn)
        try:
            await self._write_in_turn(chunk, turn)
        finally:
            self._writers.remove(turn)
            self._notify()

    def write_nowait(self, data: Data, encoding: str = "utf-8") -> bool:
        """Take all of `data` if there is room; else nothing: False, wait for `Drained`.

        Data larger than all the memory of the pipe is taken once no part is in flight,
        and bytes are then kept as the one object they are. Never blocks.
        """
        self._check_open()
        chunk = _as_chunk(data, encoding)
        size = len(chunk)
        self._buffer.check(size)
        if not self._buffer.takes_now(size):
            self._refused = min(size, self._refused or size)
            return False
        self._take(chunk)
        return True

    async def finish(self) -> UploadResult:
        """Send what is left, finish the object and return what the store made of it.

        Called again it returns, or raises, the same. A cancelled call changes nothing:
        finishing goes on, and can be waited for again.
        """
        task = self._entered()
        if not self._buffer.ended:
            self._buffer.end()
            self._notify()
        await asyncio.wait({task})
        if self._failure is not None:
            raise self._failure
        if self._result is None:
            raise ClosedError("the upload was aborted or terminated")
        return self._result

    async def abort(self) -> None:
        """Stop and remove the upload; returns after `End`.

        Does nothing after `Error` or `End`. A completion in flight may have made the
        object, whole. AbortFailedError when the upload is still at the store.
        """
        task = self._entered()
        stopped = self._request_stop("abort")
        await asyncio.wait({task})
        if stopped and self._abort_failure is not None:
            raise self._abort_failure

    async def terminate(self) -> None:
        """Stop at once and keep the upload at the store: `End` tells its id.

        Does nothing after `Error` or `End`.
        """
        task = self._entered()
        self._request_stop("terminate")
        await asyncio.wait({task})

    # -- looking -------------------------------------------------------------------

    def public_url(self) -> str:
        """Return the object's address, unsigned; known from `Ready` on."""
        return self._target.public_url(self._key)

    def subscribe(self, maxsize: int = 1000) -> asyncio.Queue[Event]:
        """Return a queue of its own for the events from now on.

        It begins with `Ready`, `Error` and `End` if they have been. A reader who falls
        `maxsize` events behind loses the oldest `Progress`, then the oldest others,
        never `Error` and `End`.
        """
        return self._subscribers.add(maxsize)

    def events(self, maxsize: int = 1000) -> AsyncGenerator[Event]:
        """Iterate over a subscription, to `End` and including it."""
        return self._iterate(self._subscribers.add(maxsize))

    @property
    def bytes_taken(self) -> int:
        """Bytes taken from the producer so far: where the stream stands."""
        return self._buffer.taken

    @property
    def bytes_held(self) -> int:
        """Bytes in memory now."""
        return self._buffer.held

    @property
    def memory_limit(self) -> int:
        """The most that `bytes_held` may be at this part size."""
        return self._buffer.limit

    # -- taking --------------------------------------------------------------------

    async def _write_in_turn(self, chunk: Chunk, turn: object) -> None:
        whole = len(chunk) <= self._buffer.part[1]
        rest = memoryview(chunk)
        while rest:
            least = len(rest) if whole else 1
            while self._writers[0] is not turn or self._buffer.free < least:
                await self._next_change()
                self._check_open()
            if whole:
                self._take(chunk)
                return
            size = min(self._buffer.free, self._buffer.part[1])
            self._take(rest[:size])
            rest = rest[size:]
            if rest:
                await asyncio.sleep(0)  # copying a part took a moment
                self._check_open()

    def _take(self, chunk: Chunk) -> bool:
        if not self._buffer.add(chunk):
            return False
        number, size = self._buffer.part
        if size != self._part_size:
            self._part_size = size
            self._subscribers.tell(PartSizeGrown(number, size))
        self._notify()
        return True

    def _release(self, size: int) -> None:
        """A part is stored: told by the uploader."""
        buffer = self._buffer
        buffer.release(size)
        self._subscribers.tell(Progress(buffer.taken, buffer.stored, self._expected))
        if self._refused and not buffer.ended and buffer.takes_now(self._refused):
            self._refused = 0
            self._subscribers.tell(Drained())
        self._notify()

    async def _parts(self) -> AsyncGenerator[CutPart]:
        while True:
            while self._buffer.ready:
                yield self._buffer.pop()
            if self._buffer.ended:
                return
            await self._next_change()

    # -- the owner task --------------------------------------------------------------

    async def _run(self) -> None:
        """Own the upload from `Ready` to `End`: everything it starts ends in here."""
        outcome: Outcome = "failed"
        try:
            outcome = await guarded("upload", self._open_and_upload)
        except CloudPipeError as exc:
            self._fail(exc)
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            outcome = "aborted" if self._stop == "abort" else "terminated"
        finally:
            self._stoppable = False
            self._buffer.discard()
            self._subscribers.tell(End(outcome, self._uploader.upload_id))
            self._notify()
        if self._cancelled is not None:
            raise self._cancelled

    async def _open_and_upload(self) -> Outcome:
        async with self._owned or nullcontext():
            self._ready = True
            self._subscribers.tell(Ready())
            self._notify()
            return await self._upload()

    async def _upload(self) -> Outcome:
        try:
            self._result = await self._uploader.run(self._parts())
        except CloudPipeError as exc:
            if self._stop is None:
                self._fail(exc)
        except asyncio.CancelledError as exc:
            if self._stop is None:  # the whole loop is being shut down
                self._stop, self._cancelled = "abort", exc
        self._stoppable = False
        self._buffer.discard()
        if self._stop == "terminate":
            await self._uploader.stop_beginning()
            return "terminated"
        try:
            await self._uploader.clean_up()
        except AbortFailedError as exc:
            if self._result is None:
                self._abort_failed(exc)
        if self._result is not None:
            return "finished"
        return "failed" if self._failure else "aborted"

    def _fail(self, error: CloudPipeError) -> None:
        if self._failure is None and self._result is None:
            self._failure = error
            self._subscribers.tell(Error(error))
            self._notify()

    def _abort_failed(self, error: AbortFailedError) -> None:
        self._abort_failure = error
        if self._failure is None:
            self._subscribers.tell(Error(error))
        else:
            self._failure.add_note(str(error))

    def _request_stop(self, stop: _Stop) -> bool:
        if self._task is None or not self._stoppable or self._failure is not None:
            return False
        self._stop = stop
        self._stoppable = False
        self._task.cancel()
        self._notify()
        return True

    async def _leave(self, task: asyncio.Task[None]) -> None:
        """Abort and wait for the end, however often cancelled: both are bounded."""
        self._request_stop("abort")
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as exc:
                cancelled = exc
        if cancelled is not None:
            raise cancelled

    # -- helpers -------------------------------------------------------------------

    def _entered(self) -> asyncio.Task[None]:
        if self._task is None:
            raise ClosedError("the pipe has not been entered")
        return self._task

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if not self._ready:
            raise ClosedError("the pipe has not been entered")
        if self._stop is not None or self._buffer.ended:
            raise ClosedError("the pipe takes no more data: finished or aborted")

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _next_change(self) -> None:
        await self._changed.wait()

    async def _iterate(self, queue: EventQueue) -> AsyncGenerator[Event]:
        try:
            while True:
                event = await queue.get()
                yield event
                if isinstance(event, End):
                    return
        finally:
            self._subscribers.remove(queue)


def _as_chunk(data: Data, encoding: str) -> Chunk:
    """Return bytes as they are, and what may change as a view of bytes."""
    if isinstance(data, str):
        return data.encode(encoding)
    if type(data) is bytes:
        return data
    view = memoryview(data)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")
