"""Fails a test for what it leaves behind or does to the event loop.

- tasks still pending when its event loop closes;
- file descriptors and threads it opened and did not close (what fixtures of a wider
  scope open belongs to them);
- a blocking call on the event loop, made by a package named in `strict_packages`, even
  when the code swallowed the error;
- anything logged as an error by `asyncio` or `aiohttp.server`: an exception nobody
  retrieved, a callback or a request handler that raised;
- a callback that kept the loop busy for more CPU time than `strict_cpu_seconds`.
  Wall-clock lag is only reported: the machine is shared with the servers.

Warnings and unraisable exceptions fail by `filterwarnings = error`, time limits by
pytest-timeout.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import blockbuster.blockbuster as bb
import pytest
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from _pytest.fixtures import FixtureDef, SubRequest

T = TypeVar("T")

_TICK = 0.01  # seconds between two looks at the clocks of a loop
_TASK_GRACE = 0.3  # seconds for cancelled tasks to end

# Blocking calls that blockbuster does not know, and that matter to a store.
_MORE_BLOCKING = (
    "builtins.open",
    "io.open",
    "fcntl.flock",
    "os.fdatasync",
    "os.fsync",
    "os.open",
    "os.pread",
    "os.preadv",
    "os.pwrite",
    "os.pwritev",
    "sqlite3.connect",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "strict_packages",
        "packages that may not make a blocking call on the event loop",
        type="args",
        default=[],
    )
    parser.addini(
        "strict_cpu_seconds",
        "CPU seconds that one callback may keep the event loop busy",
        default="0.5",
    )
    parser.addini(
        "strict_grace_seconds",
        "seconds that threads and transports have to finish closing after a test",
        default="2",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Strict(config), "strict")


@dataclass(slots=True)
class Lag:
    """The longest time a loop was kept from its next callback, and by which test."""

    seconds: float = 0.0
    test: str = "-"

    def note(self, seconds: float, test: str) -> None:
        if seconds > self.seconds:
            self.seconds, self.test = seconds, test


@dataclass(slots=True)
class Findings:
    """What went wrong in the running test; detectors of any thread append to it."""

    problems: list[str] = field(default_factory=list)
    cpu: float = 0.0
    wall: float = 0.0

    def add(self, problem: str) -> None:
        self.problems.append(problem)


def things_open() -> set[str]:
    """Name every descriptor and thread; sockets and pipes have numbers of their own."""
    found = {f"thread {each.ident} {each.name}" for each in threading.enumerate()}
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            target = str(entry.readlink())
            if not target.endswith("/fd"):  # that of this very listing
                found.add(f"descriptor {entry.name} {target}")
    return found


class ErrorLog(logging.Handler):
    """Takes the errors that asyncio and aiohttp can only log."""

    loggers = ("asyncio", "aiohttp.server")

    def __init__(self, add: Callable[[str, BaseException | None], None]) -> None:
        super().__init__(logging.ERROR)
        self._add = add

    def emit(self, record: logging.LogRecord) -> None:
        text = f"stray exception, logged by {record.name}: {record.getMessage()}"
        error = record.exc_info[1] if record.exc_info else None
        if error:
            text += "\n" + "".join(traceback.format_exception(error))
        self._add(text, error)


class LoopClock:
    """Looks at a loop's clocks every `_TICK`: the thread's CPU time, and the wall."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.cpu = self.wall = 0.0
        self._cpu, self._due = time.thread_time(), time.monotonic()
        self._handle = loop.call_soon(self._tick)

    def _look(self) -> None:
        cpu, now = time.thread_time(), time.monotonic()
        self.cpu = max(self.cpu, cpu - self._cpu)
        self.wall = max(self.wall, now - self._due)
        self._cpu, self._due = cpu, now + _TICK

    def _tick(self) -> None:
        self._look()
        self._handle = self._loop.call_later(_TICK, self._tick)

    def stop(self) -> None:
        """Take a last look, in the thread of the loop."""
        self._look()
        self._handle.cancel()


class Strict:
    """The plugin: one per session, with the findings of the test that runs now."""

    def __init__(self, config: pytest.Config) -> None:
        self._cpu_limit = float(config.getini("strict_cpu_seconds"))
        self._grace = float(config.getini("strict_grace_seconds"))
        self._timeout: BaseException | None = None
        self._findings = Findings()
        self._worst_cpu, self._worst_wall = Lag(), Lag()
        self._known: set[str] = set()
        self._log = ErrorLog(self._logged)
        self._patch = pytest.MonkeyPatch()
        self._guard = self._make_guard(config.getini("strict_packages"))

    # -- switching on and off ------------------------------------------------------

    def _make_guard(self, packages: list[str]) -> bb.BlockBuster | None:
        if not packages:
            return None
        guard = bb.BlockBuster(packages)
        for name in _MORE_BLOCKING:
            guard.functions[name] = bb.BlockBusterFunction(
                None, name, scanned_modules=packages
            )
        return guard

    def pytest_sessionstart(self) -> None:
        for name in ErrorLog.loggers:
            logging.getLogger(name).addHandler(self._log)
        self._watch_runners()
        uvloop.new_event_loop().close()  # libuv's first loop opens a lasting pipe
        if self._guard:
            self._watch_blocking()
            self._guard.activate()

    def pytest_sessionfinish(self) -> None:
        if self._guard:
            self._guard.deactivate()
        self._patch.undo()
        for name in ErrorLog.loggers:
            logging.getLogger(name).removeHandler(self._log)

    def _watch_blocking(self) -> None:
        add = self._found

        class Recorded(bb.BlockingError):
            """Told even where the code under test swallows it."""

            def __init__(self, func: str) -> None:
                super().__init__(func)
                stack = "".join(traceback.format_stack(limit=8)[:-2])
                add(f"blocking call to {func} on the event loop\n{stack}")

        self._patch.setattr(bb, "BlockingError", Recorded)

    def _watch_runners(self) -> None:
        """Every loop of a test is driven by an asyncio.Runner, whichever loop it is."""
        run, close, strict = asyncio.Runner.run, asyncio.Runner.close, self

        def watched_run(
            runner: asyncio.Runner, coro: Coroutine[Any, Any, T], **options: Any
        ) -> T:
            clock = LoopClock(runner.get_loop())
            try:
                return run(runner, coro, **options)
            except RuntimeError:
                if strict._timeout:
                    raise strict._timeout from None
                raise
            finally:
                clock.stop()
                strict._took(clock)

        def watched_close(runner: asyncio.Runner) -> None:
            with suppress(RuntimeError):  # closed before: nothing to look at
                loop = runner.get_loop()
                if not loop.is_closed():
                    strict._look_for_tasks(loop)
            close(runner)

        self._patch.setattr(asyncio.Runner, "run", watched_run)
        self._patch.setattr(asyncio.Runner, "close", watched_close)

    # -- detectors -----------------------------------------------------------------

    def _found(self, problem: str) -> None:
        self._findings.add(problem)

    def _logged(self, text: str, error: BaseException | None) -> None:
        if isinstance(error, pytest.fail.Exception):
            # pytest-timeout raised in a signal handler, and the loop (uvloop always,
            # asyncio inside a callback) took it for the callback's: end the run.
            self._timeout = error
            asyncio.get_running_loop().stop()
        else:
            self._found(text)

    def _took(self, clock: LoopClock) -> None:
        self._findings.cpu = max(self._findings.cpu, clock.cpu)
        self._findings.wall = max(self._findings.wall, clock.wall)

    def _look_for_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        async def settle() -> set[asyncio.Task[Any]]:
            deadline = loop.time() + _TASK_GRACE
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                if loop.time() > deadline:
                    return others
                await asyncio.sleep(0.001)
            return set()

        for task in loop.run_until_complete(settle()):
            self._found(f"leaked task {task.get_name()}: {task.get_coro()!r}")

    def _look_for_leaks(self) -> None:
        deadline = time.monotonic() + self._grace
        while leaks := things_open() - self._known:
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
            gc.collect()
        for leak in sorted(leaks):
            self._found(f"leaked {leak}")

    # -- around each test ----------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None]:
        # What is there now stays: the collection after the test looks at what is new,
        # else it costs a third of the suite's time.
        gc.collect()
        gc.freeze()
        self._findings = Findings()
        self._timeout = None
        self._known = things_open()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: FixtureDef[Any], request: SubRequest
    ) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        before = things_open()
        try:
            return (yield)
        finally:
            self._known |= things_open() - before

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        yield
        gc.collect()
        self._look_for_leaks()
        findings, self._findings = self._findings, Findings()
        self._worst_cpu.note(findings.cpu, item.nodeid)
        self._worst_wall.note(findings.wall, item.nodeid)
        if findings.cpu > self._cpu_limit:
            findings.add(
                f"the event loop was kept busy for {findings.cpu:.2f} s of CPU time"
                f" (limit {self._cpu_limit} s)"
            )
        if findings.problems:
            pytest.fail("strict: " + "\n".join(findings.problems), pytrace=False)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        cpu, wall = self._worst_cpu, self._worst_wall
        terminalreporter.write_line(
            f"event loops: longest callback {cpu.seconds:.3f} s of CPU ({cpu.test}),"
            f" longest wait {wall.seconds:.3f} s of wall clock ({wall.test})"
        )
