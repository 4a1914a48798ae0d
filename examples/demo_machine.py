"""What the demo needs of the machine: processes that tell JSON, and their memory."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

PATIENCE = 90  # seconds that any process of the demo may take


def peak_memory(pid: int) -> int:
    """Bytes of memory the process held at most (VmHWM), while it lives."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


class DemoError(Exception):
    """The demo did not show what it promised; the message says what."""


class Process:
    """A Python process that tells what it does as JSON lines on its stdout."""

    def __init__(self, *command: str, log: Path | None = None, **env: str) -> None:
        self.name = " ".join(Path(word).name for word in command[:3])
        self._log = log
        stderr = log.open("ab") if log else None
        self._popen = subprocess.Popen(  # noqa: S603 - our own programs
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, **env},
        )
        if stderr:
            stderr.close()
        self._watchdog = threading.Timer(PATIENCE, self._popen.kill)
        self._watchdog.daemon = True
        self._watchdog.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def told(self) -> Iterator[dict[str, Any]]:
        """What it tells, as it tells it, until it ends."""
        assert self._popen.stdout  # noqa: S101 - for the type checker: it is a pipe
        for line in self._popen.stdout:
            yield json.loads(line)

    def next_told(self) -> dict[str, Any]:
        """The next thing it tells; `DemoError` with its log where it ended instead."""
        for message in self.told():
            return message
        status = self._popen.wait(10)
        self.kill()
        log = self._log.read_text()[-2000:] if self._log else ""
        raise DemoError(f"{self.name} ended with {status}\n{log}")

    def peak(self) -> int:
        """Bytes of memory at most, so far."""
        return peak_memory(self.pid)

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up. Harmless where it has ended."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, as a service manager would; return the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        if self._popen.poll() is None:
            self._popen.send_signal(how)
        status = self._popen.wait()
        self._watchdog.cancel()
        if self._popen.stdout:
            self._popen.stdout.close()
        return status
