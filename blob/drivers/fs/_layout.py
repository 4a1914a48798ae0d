"""Where things lie under the root of a store, and the lock that orders its commits.

VERSION             the layout's version, as text
index.db            the SQLite index (and its -wal and -shm)
commit.lock         see `CommitLock`
processes/GEN       one file per open driver, see `_generation`
data/GEN/NNNN/N     immutable data files, see `_files`
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ...errors import CorruptDataError, DriverConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VERSION = "blob-fs 1\n"
_OURS = frozenset(
    {"VERSION", "VERSION.new", "index.db", "index.db-wal", "index.db-shm"}
    | {"commit.lock", "processes", "data", "keys.toml", "lost+found"}
)


class Layout:
    """The paths of one store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.version = root / "VERSION"
        self.index = root / "index.db"
        self.log = root / "index.db-wal"
        self.lock = root / "commit.lock"
        self.processes = root / "processes"
        self.data = root / "data"

    def make_root(self) -> None:
        """Create the root and its directories where they are missing, synced.

        Raises `StorageError` where there can be no such directory.
        """
        try:
            self._refuse_foreign()
            self._make_directories()
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise StorageError(
                "The root of the store cannot be created or written:"
                f" {os.strerror(error.errno or 0)}."
            ) from error

    def _refuse_foreign(self) -> None:
        """Raise `DriverConfigError` for a directory that is somebody else's.

        To spread a store among other files is a slip of the keyboard. Hidden files are
        nobody's, and the command line keeps its keys here.
        """
        if self.version.exists() or not self.root.exists():
            return
        names = {entry.name for entry in self.root.iterdir()}
        if any(name not in _OURS and not name.startswith(".") for name in names):
            raise DriverConfigError(
                "fs: the root holds other files and no store: choose an empty or a new"
                " directory, or a store."
            )

    def _make_directories(self) -> None:
        missing = []
        path = self.root
        while not path.exists():
            missing.append(path)
            path = path.parent
        for path in reversed(missing):
            make_directory(path, sync=True)
        make_directory(self.processes, sync=True)
        make_directory(self.data, sync=True)

    def check_version(self) -> None:
        """Accept or create VERSION; call it under the commit lock.

        Raises `DriverConfigError` for a layout this code does not know, and
        `CorruptDataError` where there is data but no index: opening would hide it.
        """
        try:
            found = self.version.read_text("ascii", "replace")
        except FileNotFoundError:
            if self.index.exists():
                raise DriverConfigError(
                    "fs: the root holds an index but no VERSION: not a store of ours."
                ) from None
            self._write_version()
            return
        if found != _VERSION:
            raise DriverConfigError(
                f"fs: the store has layout {found[:40].strip()!r}, and this release"
                f" knows only {_VERSION.strip()!r}. Use the release that wrote it."
            )
        if not self.index.exists() and any(self.data.iterdir()):
            raise CorruptDataError("The store holds data but its index is missing.")

    def _write_version(self) -> None:
        draft = self.root / "VERSION.new"
        with draft.open("w", encoding="ascii") as file:
            file.write(_VERSION)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.version)
        sync_directory(self.root)


class CommitLock:
    """`flock` on `commit.lock`: one holder among all threads of all processes.

    It encloses every group commit, every checkpoint, and every opening (which may
    recover the log) and closing (which checkpoints) of a connection. Two reasons:

    - SQLite's own busy handler sleeps and retries, so that writers of several
      processes stall each other for seconds; a flock wakes the next one at once.
    - SQLite before 3.53 can corrupt a database when one process resets the log at
      the end of a checkpoint while another begins to write. With checkpoints and
      commits never at the same time, that race cannot happen.

    Each object has its own open file: make one per thread.
    """

    def __init__(self, layout: Layout) -> None:
        self._fd = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; blocks the thread until it is free."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock's file; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def make_directory(path: Path, *, sync: bool) -> None:
    """Create a directory where it is missing, and make its name durable.

    Also one that is there: whoever made it may have died before its name was.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if sync:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
