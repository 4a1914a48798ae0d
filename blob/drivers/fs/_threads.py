"""The store's own bounded executor for file work; used by whatever touches files."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ._errors import translate

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Most of this work waits for a disk: more threads than cores let syncs overlap.
_WORKERS = 16


class Threads:
    """Runs blocking calls in threads; a call that began is always waited for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="blob-fs")

    def submit(
        self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> ThreadFuture[_T]:
        """Begin the call now, for whatever loop; nobody can cancel it."""
        outcome: ThreadFuture[_T] = ThreadFuture()
        outcome.set_running_or_notify_cancel()

        def run() -> None:
            try:
                outcome.set_result(call(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - told to whoever waits
                outcome.set_exception(translate(error))

        self._pool.submit(run)
        return outcome

    def start(
        self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> asyncio.Future[_T]:
        """Begin the call now; `join` the future."""

        def run() -> _T:
            try:
                return call(*args, **kwargs)
            except Exception as error:
                ours = translate(error)
                if ours is error:
                    raise
                raise ours from error

        return asyncio.get_running_loop().run_in_executor(self._pool, run)

    async def done(self, job: asyncio.Future[_T]) -> None:
        """Wait for the job, also when cancelled meanwhile: then raise that at its end.

        So whoever was cancelled knows that no thread works on its file any more.
        """
        cancelled: asyncio.CancelledError | None = None
        while not job.done():
            try:
                await asyncio.wait((job,))
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            job.exception()  # else asyncio reports it as never retrieved
            raise cancelled

    async def join(self, job: asyncio.Future[_T]) -> _T:
        """Wait for the job as `done` does, and return its result."""
        await self.done(job)
        return job.result()

    async def run(
        self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Begin the call and wait for it, as `join` does."""
        return await self.join(self.start(call, *args, **kwargs))

    def shutdown(self) -> None:
        """Let the idle threads go; nothing may run."""
        self._pool.shutdown(wait=False)
