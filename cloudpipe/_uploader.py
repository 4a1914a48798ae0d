"""One upload at a target: parts in flight, retries, finish, removal. Used by `pipe`.

It knows nothing of producers and memory: it is given parts, and tells when one is done.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .errors import (
    AbortFailedError,
    CloudPipeError,
    NoSuchKeyError,
    NoSuchUploadError,
    ObjectIntegrityError,
    OutcomeUnknownError,
    TargetError,
)
from .events import Event, PartDone, PartRetried, PartStarted
from .target import (
    Body,
    ObjectInfo,
    Part,
    Span,
    Target,
    Upload,
    UploadOptions,
    UploadResult,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from ._backoff import Backoff
    from ._chunker import CutPart

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How hard to try: re-sends of each request, and seconds for removing an upload."""

    max_retry: int
    backoff: Backoff
    concurrency: int
    abort_timeout: float


class Uploader:
    """Begins late: one part is a plain PUT, so a small object has no upload at all."""

    def __init__(
        self,
        target: Target,
        key: str,
        options: UploadOptions,
        policy: Policy,
        tell: Callable[[Event], None],
        released: Callable[[int], None],
    ) -> None:
        self._target = target
        self._key = key
        self._options = options
        self._policy = policy
        self._tell = tell
        self._released = released
        self._parts: dict[int, Part] = {}
        self._beginning: asyncio.Task[Upload] | None = None
        self._upload: Upload | None = None
        self._lost: list[Span] = []  # when a begin ran whose answer never came
        self._deadline: float | None = None
        self._in_doubt = False

    @property
    def upload_id(self) -> str:
        """The multipart upload that is at the store now; empty when there is none."""
        return self._upload.upload_id if self._upload else ""

    async def run(self, parts: AsyncGenerator[CutPart]) -> UploadResult:
        """Upload all the parts and finish the object."""
        async with aclosing(parts):
            first = await anext(parts)
            if first.last:
                return await self._put(first)
            await self._begin()
            try:
                async with asyncio.TaskGroup() as group:
                    slots = asyncio.Semaphore(self._policy.concurrency)
                    await self._start(group, slots, first)
                    del first  # or the first part would stay in memory to the end
                    async for part in parts:
                        await self._start(group, slots, part)
                        del part
            except ExceptionGroup as errors:
                # The first failure cancelled the other parts: it is the one to tell.
                raise errors.exceptions[0] from errors.exceptions[0].__cause__
        return await self._complete()

    async def clean_up(self) -> str:
        """Remove what is left at the store; return what may be left all the same.

        S3, AbortMultipartUpload: parts in flight may still arrive after an abort, so
        it is sent again until ListParts says that the upload is gone. Bounded by the
        policy's `abort_timeout` from the first call on; raises AbortFailedError after
        it. Retries are not told: this may come after `Error`.
        """
        budget = self._policy.abort_timeout
        now = asyncio.get_running_loop().time()
        self._deadline = self._deadline or now + budget
        try:
            async with asyncio.timeout_at(self._deadline):
                await self._settle_beginning(budget / 2)
                await self._look_for_lost()
                if upload := self._upload:
                    await self._quietly(
                        "AbortMultipartUpload", lambda: self._remove(upload)
                    )
                return await self._remove_all_lost()
        except (TimeoutError, CloudPipeError) as exc:
            await self.stop_beginning()
            raise AbortFailedError(
                f"the upload {self.upload_id or '(id unknown)'} of {self._key!r} could"
                f" not be removed: {str(exc) or 'out of time'}",
                upload_id=self.upload_id,
            ) from exc

    async def stop_beginning(self) -> None:
        """Give up a CreateMultipartUpload in flight, whatever it leaves."""
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.wait({self._beginning})

    # -- requests ------------------------------------------------------------------

    async def _put(self, part: CutPart) -> UploadResult:
        self._tell(PartStarted(1, part.body.size))
        self._in_doubt = False

        async def send() -> UploadResult:
            return await self._target.put(self._key, part.body, self._options)

        try:
            result = await self._retried("PutObject", 1, send)
        except CloudPipeError as exc:
            result = await self._look(exc, part.body)
        self._tell(PartDone(1, part.body.size, result.etag))
        self._released(part.body.size)
        return result

    async def _begin(self) -> None:
        async def begin() -> Upload:
            # A task of its own: when the pipe is stopped meanwhile, `clean_up` waits
            # for it, or the upload would stay for ever with an id nobody knows.
            self._beginning = asyncio.create_task(self._begin_once())
            await asyncio.wait({self._beginning})
            return self._beginning.result()

        self._upload = await self._retried("CreateMultipartUpload", 0, begin)

    async def _begin_once(self) -> Upload:
        now = asyncio.get_running_loop().time
        since = now()
        try:
            return await self._target.begin(self._key, self._options)
        except (CloudPipeError, asyncio.CancelledError) as exc:
            if getattr(exc, "ambiguous", True):
                self._lost.append((since, now()))
            raise

    async def _start(
        self, group: asyncio.TaskGroup, slots: asyncio.Semaphore, part: CutPart
    ) -> None:
        await slots.acquire()
        group.create_task(self._send(part, slots))

    async def _send(self, part: CutPart, slots: asyncio.Semaphore) -> None:
        upload = self._begun()
        number, body = part.number, part.body
        self._tell(PartStarted(number, body.size))

        async def send() -> Part:
            return await self._target.put_part(upload, number, body)

        done = await self._retried("UploadPart", number, send)
        self._parts[number] = done
        self._tell(PartDone(number, body.size, done.etag))
        slots.release()
        self._released(body.size)

    async def _complete(self) -> UploadResult:
        upload = self._begun()
        parts = [self._parts[number] for number in sorted(self._parts)]
        await self._look_for_lost()
        self._in_doubt = False

        async def complete() -> UploadResult:
            return await self._target.complete(upload, parts)

        try:
            result = await self._retried("CompleteMultipartUpload", 0, complete)
        except ObjectIntegrityError:
            self._forget()  # wrong as it is
            raise
        except CloudPipeError as exc:
            # Also when it was sent once: whoever stands between may have sent it twice.
            self._in_doubt |= isinstance(exc, NoSuchUploadError)
            result = await self._look(exc, parts)
        self._forget()
        return result

    def _forget(self) -> None:
        self._upload = None
        self._beginning = None

    def _begun(self) -> Upload:
        if self._upload is None:
            raise AssertionError("no upload was begun")
        return self._upload

    async def _retried(
        self, operation: str, number: int, call: Callable[[], Awaitable[T]]
    ) -> T:
        attempt = 0
        while True:
            try:
                return await guarded(operation, call)
            except CloudPipeError as exc:
                attempt += 1
                self._in_doubt |= exc.ambiguous
                if not exc.retryable or attempt > self._policy.max_retry:
                    if attempt > 1:
                        exc.add_note(f"{operation} was sent {attempt} times")
                    raise
                delay = self._delay(attempt)
                without_frames(exc)
                self._tell(PartRetried(number, operation, attempt, delay, exc))
            await asyncio.sleep(delay)

    def _delay(self, attempt: int) -> float:
        jitter = random.random()  # noqa: S311 - nothing secret
        return self._policy.backoff.delay(attempt, jitter)

    # -- looking, when an answer is missing ------------------------------------------

    async def _look(
        self, error: CloudPipeError, content: Body | list[Part]
    ) -> UploadResult:
        """Find out what became of a write that failed; raise `error` if nothing did.

        An attempt without an answer, or with a 5xx, may have been applied; the next
        completion is then answered NoSuchUpload.
        """
        if not self._in_doubt:
            raise error
        try:
            async with asyncio.timeout(self._policy.abort_timeout):
                found = await self._find(content)
        except (TimeoutError, CloudPipeError) as exc:
            why = str(exc) or "out of time"
            if not isinstance(exc, OutcomeUnknownError):
                why = f"looking failed too: {why}"
            raise OutcomeUnknownError(
                f"{self._key!r} may or may not have been stored: {error}; {why}"
            ) from error
        if found is None:
            raise error
        return found

    async def _find(self, content: Body | list[Part]) -> UploadResult | None:
        """Return the object if it is the one sent, None if it was not stored."""
        if await self._upload_remains():
            return None
        try:
            info = await self._retried("HeadObject", 0, self._head)
        except NoSuchKeyError:
            info = None
        if info and await self._target.matches(info, content):
            return UploadResult(
                self._key, info.size, info.etag, info.version_id, info.checksum
            )
        if self._upload is not None:
            raise OutcomeUnknownError(
                "the upload is gone, and the object is not it: finished and replaced"
                " since, or aborted by somebody else"
            )
        return None

    async def _head(self) -> ObjectInfo:
        return await self._target.head(self._key)

    async def _upload_remains(self) -> bool:
        upload = self._upload
        if upload is None:
            return False

        async def list_parts() -> Sequence[Part]:
            return await self._target.list_parts(upload)

        try:
            await self._retried("ListParts", 0, list_parts)
        except NoSuchUploadError:
            return False
        return True

    # -- removing --------------------------------------------------------------------

    async def _settle_beginning(self, seconds: float) -> None:
        """Wait for the id of an upload being begun; without one, count it lost."""
        beginning = self._beginning
        if beginning is None:
            return
        await asyncio.wait({beginning}, timeout=seconds)
        await self.stop_beginning()
        if self._upload is None and not (
            beginning.cancelled() or beginning.exception()
        ):
            self._upload = beginning.result()

    async def _quietly(
        self, operation: str, call: Callable[[], Awaitable[bool]]
    ) -> None:
        """Call until it says True, again after what passes; the caller bounds it."""
        attempt = 0
        while True:
            try:
                if await guarded(operation, call):
                    return
            except CloudPipeError as exc:
                if not exc.retryable:
                    raise
            attempt += 1
            await asyncio.sleep(self._delay(attempt))

    async def _remove(self, upload: Upload) -> bool:
        """Abort once and look; True, and the upload forgotten, when it is gone."""
        with suppress(NoSuchUploadError):
            await self._target.abort(upload)
            try:
                await self._target.list_parts(upload)
            except CloudPipeError as exc:
                # Gone; or listing is not allowed here: then the abort's word must do.
                if exc.retryable:
                    raise
            else:
                return False
        self._forget()
        return True

    async def _remove_lost(self) -> bool:
        if self._lost and await self._target.abort_lost(
            self._key, self._options, tuple(self._lost)
        ):
            self._lost.clear()
        return not self._lost

    async def _look_for_lost(self) -> None:
        """Try once while an upload of ours is there: it shows what ours look like."""
        if self._lost and self._upload is not None:
            with suppress(TimeoutError, CloudPipeError):
                async with asyncio.timeout(self._policy.abort_timeout / 4):
                    await guarded("ListMultipartUploads", self._remove_lost)

    async def _remove_all_lost(self) -> str:
        try:
            await self._quietly("ListMultipartUploads", self._remove_lost)
        except CloudPipeError as exc:
            # Not allowed to list, or nothing tells which one it is: removing another's
            # would be worse than leaving ours.
            return (
                f"an upload of {self._key!r} may be left, for an answer to"
                f" CreateMultipartUpload was lost: {exc}"
            )
        return ""


async def guarded(operation: str, call: Callable[[], Awaitable[T]]) -> T:
    """Call a target; what it raises beside the package's errors becomes one of them."""
    try:
        return await call()
    except CloudPipeError:
        raise
    except Exception as exc:
        error = TargetError(f"{operation}: {exc!r}", operation=operation)
        for line in traceback.format_tb(exc.__traceback__, limit=-3):
            error.add_note(line.rstrip())  # the frames themselves will be let go
        raise error from exc


def without_frames(error: BaseException) -> None:
    """Take the tracebacks off an error that will be kept: their frames hold bodies."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = None
        todo += (each.__cause__, each.__context__)
        if isinstance(each, BaseExceptionGroup):
            todo += each.exceptions
