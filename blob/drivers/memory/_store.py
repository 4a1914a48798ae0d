"""The state of a memory driver, and each change of it as one step without `await`.

Used by `_driver` and `_multipart`. A step first checks all that can fail, then changes
everything: what raises has changed nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from ..._intake import now
from ...errors import (
    ContainerExistsError,
    ContainerNotEmptyError,
    NoSuchContainerError,
    NoSuchFileError,
    NoSuchUploadError,
    OptionsChangedError,
    UsageExceededError,
)
from ...rules import check_delete, check_version, check_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from ...types import (
        Conditions,
        DeleteGuard,
        FileInfo,
        Part,
        Principal,
        Upload,
    )


@dataclass(frozen=True, slots=True)
class Data:
    """Immutable bytes, shared by whatever files, parts and readers refer to them."""

    chunks: tuple[bytes, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, chunks: tuple[bytes, ...]) -> Data:
        """Wrap chunks that nobody else changes."""
        return cls(chunks, tuple(accumulate(map(len, chunks))))

    @property
    def size(self) -> int:
        """All its bytes."""
        return self.ends[-1] if self.ends else 0

    def cut(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `stop`, chunk by chunk."""
        index = bisect_left(self.ends, start + 1)
        while start < stop:
            chunk, end = self.chunks[index], self.ends[index]
            begin = end - len(chunk)
            yield chunk[start - begin : min(stop, end) - begin]
            start, index = end, index + 1


@dataclass(frozen=True, slots=True)
class File:
    """One version of a file."""

    info: FileInfo
    data: Data


@dataclass(slots=True)
class PendingUpload:
    """An upload that was begun; its parts by number."""

    upload: Upload
    parts: dict[int, tuple[Part, Data]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all its parts."""
        return sum(part.size for part, _ in self.parts.values())


@dataclass(slots=True)
class Container:
    """A container; `keys` are those of `files` as UTF-8, sorted."""

    name: str
    created: datetime
    owner: Principal | None
    documents: dict[str, str]
    version: int = 1
    keys: list[bytes] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    uploads: dict[str, PendingUpload] = field(default_factory=dict)


class Store:
    """Containers, and exact accounts: bytes of files and parts, number of files."""

    def __init__(self, quota: int | None, obj_limit: int | None) -> None:
        self.containers: dict[str, Container] = {}
        self._quota = quota
        self._obj_limit = obj_limit
        self._used = 0
        self._count = 0

    def clear(self) -> None:
        """Let go of everything."""
        self.containers.clear()

    def container(self, name: str) -> Container:
        """Return the container, or raise `NoSuchContainerError`."""
        try:
            return self.containers[name]
        except KeyError:
            raise NoSuchContainerError from None

    def file(self, name: str, key: str, version_id: str | None = None) -> File:
        """Return a file, or raise what it lacks: container, file or version."""
        found = self.container(name).files.get(key)
        if found is None:
            raise NoSuchFileError
        check_version(version_id)
        return found

    def create(
        self, name: str, documents: Mapping[str, str], owner: Principal | None
    ) -> Container:
        """Create the container, or return the one that this owner has."""
        there = self.containers.get(name)
        if there is None:
            there = Container(name, now(), owner, dict(documents))
            self.containers[name] = there
        elif (there.owner and there.owner.id) != (owner and owner.id):
            raise ContainerExistsError
        return there

    def drop(self, name: str) -> None:
        """Delete an empty container together with its unfinished uploads."""
        container = self.container(name)
        if container.files:
            raise ContainerNotEmptyError
        self._used -= sum(pending.size for pending in container.uploads.values())
        del self.containers[name]

    def set_documents(
        self,
        name: str,
        documents: Mapping[str, str | None],
        if_version: int | None,
    ) -> Container:
        """Set and remove option documents."""
        container = self.container(name)
        if if_version is not None and if_version != container.version:
            raise OptionsChangedError
        merged = {**container.documents, **documents}
        container.documents = {k: v for k, v in merged.items() if v is not None}
        container.version += 1
        return container

    def check_room(self, size: int, *, replaced: int, new_file: bool) -> None:
        """Raise `UsageExceededError` where so much more does not fit."""
        if self._quota is not None and self._used - replaced + size > self._quota:
            raise UsageExceededError
        if new_file and self._obj_limit is not None and self._count >= self._obj_limit:
            raise UsageExceededError

    def check_room_for_file(self, container: Container, key: str, size: int) -> None:
        """Raise `UsageExceededError` unless a file of that size fits now."""
        there = container.files.get(key)
        self.check_room(
            size, replaced=there.info.size if there else 0, new_file=there is None
        )

    def put(
        self, container: Container, file: File, conditions: Conditions | None
    ) -> None:
        """Commit a file; the container must be the one that the write began with."""
        self._check_current(container)
        key = file.info.key
        there = container.files.get(key)
        check_write(conditions, there.info.etag if there else None)
        self.check_room_for_file(container, key, file.info.size)
        self._put(container, file)

    def _put(self, container: Container, file: File) -> None:
        key = file.info.key
        there = container.files.get(key)
        if there is None:
            insort(container.keys, key.encode())
            self._count += 1
        else:
            self._used -= there.info.size
        container.files[key] = file
        self._used += file.info.size

    def delete(self, container: Container, key: str, guard: DeleteGuard | None) -> None:
        """Delete a file; a missing one is the guard's to refuse."""
        there = container.files.get(key)
        check_delete(guard, there.info if there else None)
        if there is None:
            return
        del container.files[key]
        del container.keys[bisect_left(container.keys, key.encode())]
        self._used -= there.info.size
        self._count -= 1

    def upload(self, name: str, key: str, upload_id: str) -> PendingUpload:
        """Return an unfinished upload, or raise `NoSuchUploadError`."""
        pending = self.container(name).uploads.get(upload_id)
        if pending is None or pending.upload.key != key:
            raise NoSuchUploadError
        return pending

    def put_part(self, pending: PendingUpload, part: Part, data: Data) -> None:
        """Commit a part of an upload that must still be there."""
        upload = pending.upload
        if self.upload(upload.container, upload.key, upload.upload_id) is not pending:
            raise NoSuchUploadError
        there = pending.parts.get(part.number)
        replaced = there[0].size if there else 0
        self.check_room(part.size, replaced=replaced, new_file=False)
        pending.parts[part.number] = (part, data)
        self._used += part.size - replaced

    def complete(
        self, pending: PendingUpload, file: File, conditions: Conditions | None
    ) -> None:
        """Make the file of an upload, and drop the upload."""
        container = self.container(pending.upload.container)
        there = container.files.get(file.info.key)
        check_write(conditions, there.info.etag if there else None)
        # The parts already count, and are at least as many bytes as the file has.
        self.check_room(0, replaced=0, new_file=there is None)
        self.abort(pending)
        self._put(container, file)

    def abort(self, pending: PendingUpload) -> None:
        """Drop an upload and its parts."""
        del self.container(pending.upload.container).uploads[pending.upload.upload_id]
        self._used -= pending.size

    def _check_current(self, container: Container) -> None:
        if self.containers.get(container.name) is not container:
            raise NoSuchContainerError
