"""Data files: written once under a name nobody knows yet, then never changed.

`data/GENERATION/NNNN/NUMBER`: numbers count up, 4096 to a directory. A draft has no
name (O_TMPFILE) until it is whole and synced. Where the file system has no nameless
files, or /proc is not mounted, a draft is `NUMBER.draft`, which a sweep removes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import threading
from typing import TYPE_CHECKING

from ...errors import CorruptDataError, StorageError
from ._footer import encode_footer
from ._layout import make_directory, sync_directory
from ._records import now_ns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ._footer import Label
    from ._options import Durability
    from ._room import Room

DRAFT_SUFFIX = ".draft"
_PER_DIRECTORY = 4096
# Fewer, larger updates and writes: above this many pieces a copy is cheaper.
_MAX_PIECES = 64


class DataFiles:
    """The data files of a store; new ones belong to one generation."""

    def __init__(
        self, data: Path, generation: str, durability: Durability, room: Room
    ) -> None:
        self.room = room
        self._data = data
        self._generation = generation
        self._sync_data = durability != "none"
        self._sync_names = durability == "full"
        self._numbers = itertools.count()
        self._made = -1
        self._guard = threading.Lock()
        self._nameless: bool | None = None

    def draft(self) -> Draft:
        """Begin a data file; nothing is on disk before its first write."""
        return Draft(self, next(self._numbers))

    def open(self, generation: str, number: int, size: int) -> int:
        """Open a data file for reading `size` bytes; raises `CorruptDataError`."""
        try:
            fd = os.open(self.path(generation, number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise CorruptDataError from error
        if os.fstat(fd).st_size < size:
            os.close(fd)
            raise CorruptDataError
        return fd

    def directory(self, generation: str, number: int) -> Path:
        """Return the directory of a data file."""
        return self._data / generation / f"{number // _PER_DIRECTORY:04x}"

    def path(self, generation: str, number: int) -> Path:
        """Return where a data file is."""
        return self.directory(generation, number) / str(number)

    def unlink(self, generation: str, number: int) -> None:
        """Remove a data file; one that is not there is no error."""
        self.path(generation, number).unlink(missing_ok=True)

    def unlink_own(self, number: int) -> None:
        """Remove a data file of this generation."""
        self.unlink(self._generation, number)

    def sync_names(self, directories: set[Path]) -> None:
        """Make removed names stay removed, where this store syncs names."""
        if self._sync_names:
            for directory in directories:
                try:
                    sync_directory(directory)
                except FileNotFoundError:
                    continue

    def remove_empty_directories(self) -> None:
        """Remove the directories of this generation that hold nothing."""
        home = self._data / self._generation
        if home.exists():
            for directory in home.iterdir():
                remove_empty(directory)
            remove_empty(home)

    def make_directory(self, number: int) -> Path:
        """Return the directory of a new data file, created where it is missing."""
        directory = self.directory(self._generation, number)
        with self._guard:
            if self._made < number // _PER_DIRECTORY:
                make_directory(directory.parent, sync=self._sync_names)
                make_directory(directory, sync=self._sync_names)
                self._made = number // _PER_DIRECTORY
        return directory

    def create(self, directory: Path, number: int) -> tuple[int, str | None]:
        """Create a draft; return its descriptor, and its name if it has one."""
        if self._nameless is None:
            self._nameless = _can_be_nameless(directory)
        flags = os.O_RDWR | os.O_CLOEXEC
        if self._nameless:
            return os.open(directory, flags | os.O_TMPFILE, 0o600), None
        name = f"{number}{DRAFT_SUFFIX}"
        return os.open(directory / name, flags | os.O_CREAT | os.O_EXCL, 0o600), name

    def publish(self, fd: int, directory: Path, name: str | None, number: int) -> None:
        """Sync a draft and give it its name, durably as far as the store is."""
        if self._sync_data:
            os.fdatasync(fd)
        at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if name is None:
                _link(fd, at, str(number))
            else:
                os.rename(name, str(number), src_dir_fd=at, dst_dir_fd=at)
            if self._sync_names:
                os.fsync(at)
        finally:
            os.close(at)


class Draft:
    """A data file on its way: written, then finished or abandoned.

    Its methods block, and may be called from any thread: one works at a time, and
    after `abandon` nothing is written any more.
    """

    def __init__(self, files: DataFiles, number: int) -> None:
        self.number = number
        self._files = files
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._guard = threading.Lock()
        self._directory: Path | None = None
        self._fd = -1
        self._name: str | None = None
        self._abandoned = False
        self._linked = False

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append to the payload; raises `StorageFullError` before the disk is full."""
        with self._guard:
            self._check()
            self._files.room.check()
            if self._directory is None:
                self._directory = self._files.make_directory(self.number)
                self._fd, self._name = self._files.create(self._directory, self.number)
            if len(pieces) > _MAX_PIECES:
                pieces = [b"".join(pieces)]
            for piece in pieces:
                self._md5.update(piece)
            _write(self._fd, pieces)

    def finish(self, pieces: Sequence[bytes], size: int, label: Label) -> str:
        """Append the last of the payload and the footer, sync, give it its name.

        Returns the MD5 of the payload in hex.
        """
        self.write(pieces)
        with self._guard:
            self._check()
            assert self._directory is not None  # noqa: S101 - `write` has set it
            digest = self._md5.hexdigest()
            footer = encode_footer(label, md5=digest, size=size, written_ns=now_ns())
            _write(self._fd, [footer])
            self._linked = True
            self._files.publish(self._fd, self._directory, self._name, self.number)
            self._close()
            return digest

    def abandon(self) -> None:
        """Leave nothing behind; idempotent."""
        with self._guard:
            self._abandoned = True
            self._close()
            if self._directory is not None and self._name is not None:
                (self._directory / self._name).unlink(missing_ok=True)
            if self._linked:
                self._files.unlink_own(self.number)

    def _check(self) -> None:
        if self._abandoned:
            raise StorageError("The upload was abandoned.")

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def remove_empty(directory: Path) -> None:
    """Remove a directory, if it holds nothing."""
    with contextlib.suppress(OSError):  # not empty, or gone
        directory.rmdir()


def _write(fd: int, pieces: Sequence[bytes]) -> None:
    rest: list[bytes | memoryview] = [piece for piece in pieces if piece]
    while rest:
        written = os.writev(fd, rest)
        while rest and written >= len(rest[0]):
            written -= len(rest.pop(0))
        if written:
            rest[0] = memoryview(rest[0])[written:]


def _link(fd: int, at: int, name: str) -> None:
    # With a dir_fd CPython calls linkat(AT_SYMLINK_FOLLOW), which follows /proc to the
    # nameless file. Without one it calls link(2), which links the symlink: EXDEV.
    os.link(
        f"/proc/self/fd/{fd}", name, src_dir_fd=at, dst_dir_fd=at, follow_symlinks=True
    )


def _can_be_nameless(directory: Path) -> bool:
    """Whether O_TMPFILE and linking it work here."""
    name = f"{os.getpid()}.{threading.get_ident()}{DRAFT_SUFFIX}"
    try:
        fd = os.open(directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            return False
        raise
    try:
        at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _link(fd, at, name)
            os.unlink(name, dir_fd=at)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            return False
        else:
            return True
        finally:
            os.close(at)
    finally:
        os.close(fd)
