"""The processes that have a store open, and how old the index is that they still read.

Each open driver is a *generation*: a random name, a directory of data files, a row in
the index, and a file `processes/NAME` that it keeps locked (flock) for its life, so
that it is alive exactly while it is, whatever became of its process id. The file holds
8 bytes: the sequence number of the oldest state of the index that a reader of that
process may still see, or IDLE. Data files doomed later than that must stay.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import struct
import threading
from typing import TYPE_CHECKING

from ._layout import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IDLE = 2**63 - 1
"""Published by a process that reads nothing."""

_NUMBER = struct.Struct("=q")


def is_alive(processes: Path, name: str) -> bool:
    """Whether the driver of a generation still runs.

    A driver creates and locks its file under the commit lock: hold that, or accept
    that a driver which is just opening seems dead.
    """
    try:
        fd = os.open(processes / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who ask at once do not take each other for its owner.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def oldest_reader(processes: Path, *, needed: int, but: str) -> int:
    """Return the oldest sequence number that a living process may still read.

    Numbers of `needed` or more hinder nobody, so their owners are not looked at, and
    neither is the generation `but`.
    """
    oldest = IDLE
    with os.scandir(processes) as entries:
        names = [entry.name for entry in entries if entry.name != but]
    for name in names:
        seq = _published(processes / name)
        if seq < min(oldest, needed) and is_alive(processes, name):
            oldest = seq
    return oldest


def _published(path: Path) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return IDLE
    try:
        raw = os.pread(fd, _NUMBER.size, 0)
    finally:
        os.close(fd)
    # A file that is shorter belongs to a driver that has not read anything yet.
    return int(_NUMBER.unpack(raw)[0]) if len(raw) == _NUMBER.size else IDLE


class Generation:
    """This driver's own registration, and the snapshots its readers hold."""

    def __init__(self, processes: Path) -> None:
        """Register; call it under the commit lock, before any file is written."""
        self.name = secrets.token_hex(8)
        self.number = 0
        self._path = processes / self.name
        self._fd = os.open(
            self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            os.pwrite(self._fd, _NUMBER.pack(IDLE), 0)
            sync_directory(processes)
            self._map = mmap.mmap(self._fd, _NUMBER.size)
        except BaseException:
            os.close(self._fd)
            raise
        # One store of 8 bytes: another process sees the old number or the new one.
        self._published = memoryview(self._map).cast("q")
        self._held: dict[int, int] = {}
        self._next = 0
        self._guard = threading.Lock()
        self.on_release: Callable[[], None] | None = None

    @property
    def oldest(self) -> int:
        """The oldest sequence number that a reader of this process may still see."""
        with self._guard:
            return min(self._held.values(), default=IDLE)

    def hold(self, seq: int) -> int:
        """Publish that a reader may see the index as of `seq`; before it looks."""
        with self._guard:
            self._next += 1
            self._held[self._next] = seq
            self._published[0] = min(self._held.values())
            return self._next

    def release(self, token: int) -> None:
        """End what `hold` began; idempotent."""
        with self._guard:
            if self._held.pop(token, None) is not None:
                self._published[0] = min(self._held.values(), default=IDLE)
        if self.on_release is not None:
            self.on_release()

    def close(self) -> None:
        """Give up the registration: the generation is dead from here on."""
        self._published.release()
        self._map.close()
        self._path.unlink(missing_ok=True)
        os.close(self._fd)
