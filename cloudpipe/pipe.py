"""The upload sink: takes writes of any size, keeps a memory bound, ends as a whole."""

from __future__ import annotations

import asyncio
import logging
import warnings
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from ._backoff import Backoff
from ._intake import Intake
from ._sizes import PartSizes
from ._subscribers import Events, Subscribers
from ._uploader import Policy, Uploader, guarded, without_frames
from .errors import AbortFailedError, ClosedError, CloudPipeError, ConfigError
from .events import End, Error, Event, Outcome, Ready
from .target import Data, Target, UploadOptions, UploadResult

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Self

    from types_aiobotocore_s3 import S3Client

    from ._integrity import Integrity
    from .targets.s3 import S3Target

__all__ = ("CloudPipe",)

_Stop: TypeAlias = Literal["abort", "terminate"]
_OUTCOMES: dict[_Stop, Outcome] = {"abort": "aborted", "terminate": "terminated"}

_log = logging.getLogger("cloudpipe")
_log.addHandler(logging.NullHandler())  # a library prints nothing unasked


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
        if max_retry < 0:
            raise ConfigError(f"max_retry is {max_retry}, and must be at least 0")
        if concurrency < 1:
            raise ConfigError(f"concurrency is {concurrency}, and must be at least 1")
        if abort_timeout <= 0:
            raise ConfigError(f"abort_timeout is {abort_timeout}, and must be above 0")
        sizes = PartSizes.plan(
            max_chunk_size, expected_size=expected_size, equal_parts=equal_parts
        )
        self._target = target
        self._owned: AbstractAsyncContextManager[object] | None = None
        self._key = key
        self._subscribers = Subscribers()
        tell = self._subscribers.tell
        self._intake = Intake(sizes, concurrency, expected_size, tell)
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
            tell,
            self._intake.release,
        )
        self._task: asyncio.Task[None] | None = None
        self._running = False
        self._ready = False
        self._stoppable = False
        self._stop: _Stop | None = None
        self._block: asyncio.Task[object] | None = None  # whose block it is
        self._stopped_by: asyncio.Task[object] | None = None
        self._cancelled: asyncio.CancelledError | None = None
        self._failure: CloudPipeError | None = None
        self._abort_failure: AbortFailedError | None = None
        self._residue = ""  # what may have been left at the store
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
        options = options or UploadOptions()
        if rrs:
            options = replace(options, storage_class="REDUCED_REDUNDANCY")
        target = _s3_target_class()(
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
        self._block = asyncio.current_task()
        self._task = asyncio.create_task(self._run(), name=f"cloudpipe {self._key}")
        try:
            while not (self._ready or self._task.done()):
                await self._intake.next_change()
        except asyncio.CancelledError:
            await self._leave(self._task)
            raise
        if self._failure is not None or self._stop is not None or not self._ready:
            await self._leave(self._task)
            raise self._failure or ClosedError("the pipe was stopped at its start")
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
        if exc is None and self._stopped_by is not self._block:
            raise ClosedError("the upload was stopped by another task")
        if exc is not None and exc is not self._failure and self._residue:
            exc.add_note(self._residue)

    def __del__(self) -> None:
        task = getattr(self, "_task", None)
        if task is not None and not task.done():
            warnings.warn(
                f"{self!r} was entered and never left", ResourceWarning, stacklevel=2
            )

    # -- writing -------------------------------------------------------------------

    async def write(self, data: Data, encoding: str = "utf-8") -> None:
        """Take all of `data`, waiting while memory is full.

        Bytes are kept without a copy where they fit the part being filled; what can
        change is copied. Several writers are served in turn, nobody's bytes come
        between those of one write. Cancelled, or failing, it took nothing of data no
        larger than a part (text: 1,048,576 characters); of larger data it may have
        taken the beginning (`bytes_taken` tells), and when `finish()` was called
        before that, the upload fails. Raises the upload's error once that has failed.
        """
        await self._intake.write(data, encoding)

    def write_nowait(self, data: Data, encoding: str = "utf-8") -> bool:
        """Take all of `data` if there is room; else nothing: False, wait for `Drained`.

        Nothing is taken while a `write()` is under way. Never blocks. Bytes too large
        for the memory are taken once no part is in flight, and kept as the one object
        they are, beside the bound. What has to be copied or encoded cannot be: buffers
        larger than `memory_limit` less one part, and text of more than 1,048,576
        characters, are TooLargeError.
        """
        return self._intake.write_nowait(data, encoding)

    async def finish(self) -> UploadResult:
        """Send what is left, finish the object and return what the store made of it.

        New writes are refused; those under way are waited for and belong to the
        object. Called again it returns, or raises, the same. A cancelled call changes
        nothing: finishing goes on, and can be waited for again.
        """
        task = self._entered()
        self._intake.finish()
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
        never `Drained`, `Error` and `End`.
        """
        return self._subscribers.add(maxsize)

    def unsubscribe(self, queue: asyncio.Queue[Event]) -> None:
        """Put no more events into a queue of `subscribe`; idempotent."""
        self._subscribers.remove(queue)

    def events(self, maxsize: int = 1000) -> Events:
        """Iterate over a subscription, to `End` and including it."""
        return Events(self._subscribers, maxsize)

    @property
    def bytes_taken(self) -> int:
        """Bytes taken from the producer so far: where the stream stands."""
        return self._intake.taken

    @property
    def bytes_held(self) -> int:
        """Bytes in memory now."""
        return self._intake.held

    @property
    def memory_limit(self) -> int:
        """The most that `bytes_held` may be at this part size."""
        return self._intake.limit

    # -- the owner task --------------------------------------------------------------

    async def _run(self) -> None:
        """Own the upload from `Ready` to `End`: everything it starts ends in here."""
        outcome: Outcome = "failed"
        self._running = True
        try:
            if self._stop is None:
                outcome = await guarded("upload", self._open_and_upload)
            else:
                outcome = _OUTCOMES[self._stop]
        except CloudPipeError as exc:
            if self._result is None:
                self._fail(exc)
            else:
                outcome = "finished"
                await _warn(
                    f"{self._key!r} is stored; closing its target failed: {exc}"
                )
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            outcome = _OUTCOMES[self._stop]
        finally:
            self._stoppable = False
            self._intake.discard()
            self._subscribers.tell(End(outcome, self._uploader.upload_id))
        if self._cancelled is not None:
            raise self._cancelled

    async def _open_and_upload(self) -> Outcome:
        async with self._owned or nullcontext():
            self._ready = True
            self._subscribers.tell(Ready())
            self._intake.open()
            return await self._upload()

    async def _upload(self) -> Outcome:
        try:
            self._result = await self._uploader.run(self._intake.parts())
        except CloudPipeError as exc:
            if self._stop is None:
                self._fail(exc)
        except asyncio.CancelledError as exc:
            if self._stop is None:  # the whole loop is being shut down
                self._stop, self._cancelled = "abort", exc
            # Taken note of: before 3.11.3 no asyncio.timeout works in a task that was
            # cancelled, and none of what follows is.
            task = asyncio.current_task()
            while task is not None and task.uncancel():
                pass
        self._stoppable = False
        self._intake.discard()
        if self._stop == "terminate":
            await self._to_its_end(self._uploader.stop_beginning)
            return "terminated"
        await self._to_its_end(self._clean_up)
        if self._result is not None:
            return "finished"
        return "failed" if self._failure else "aborted"

    async def _clean_up(self) -> None:
        try:
            residue = await self._uploader.clean_up()
        except AbortFailedError as exc:
            residue = str(exc)
            if self._result is None and self._failure is None:
                self._abort_failure = exc
                self._subscribers.tell(Error(exc))
        if residue:
            self._residue = residue
            if self._failure is not None:
                self._failure.add_note(residue)
            await _warn(residue)

    async def _to_its_end(
        self, call: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        """Run what is bounded to its end, whoever cancels, and remember the cancel.

        A loop that shuts down cancels every task, the one made here too: again then.
        """
        task: asyncio.Task[None] | None = None
        while task is None or task.cancelled():
            task = asyncio.create_task(call())
            while not task.done():
                try:
                    await asyncio.wait({task})
                except asyncio.CancelledError as exc:
                    self._cancelled = exc
        task.result()

    def _fail(self, error: CloudPipeError) -> None:
        if self._failure is None:
            self._failure = error
            without_frames(error)
            self._intake.close(error)
            self._subscribers.tell(Error(error))

    def _request_stop(self, stop: _Stop) -> bool:
        if self._task is None or not self._stoppable or self._failure is not None:
            return False
        self._stop = stop
        self._stoppable = False
        self._stopped_by = asyncio.current_task()
        if self._running:  # else it would never begin, and never tell its end
            self._task.cancel()
        self._intake.close(ClosedError("the pipe takes no more data: it was stopped"))
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

    def _entered(self) -> asyncio.Task[None]:
        if self._task is None:
            raise ClosedError("the pipe has not been entered: use `async with pipe:`")
        return self._task


async def _warn(message: str) -> None:
    """Log off the loop: handlers write to files and terminals."""
    await asyncio.to_thread(_log.warning, "%s", message)


def _s3_target_class() -> type[S3Target]:
    """Import it: pipes to other targets need no S3 library."""
    try:
        from .targets.s3 import S3Target  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        raise ImportError(
            f"CloudPipe.s3 needs {missing}: pip install 'aiostow[cloudpipe]'",
            name=missing,
        ) from error
    return S3Target
