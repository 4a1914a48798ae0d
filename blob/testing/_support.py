"""What the tests of the contract share."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import pytest
import pytest_asyncio

from ..driver import supports_multipart
from ..types import Principal

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Sequence

    from ..driver import Driver, MultipartDriver
    from ..types import (
        ByteRange,
        Conditions,
        CreateOptions,
        FileInfo,
        FileListing,
        Metadata,
    )

T = TypeVar("T")

ALICE = Principal("alice", "Alice")
BOB = Principal("bob", "Bob")

PART = bytes(range(256)) * (5 * 1024 * 1024 // 256)
"""5 MiB, made once: the least a part may have."""


class Contract:
    """Base of every class of the contract."""

    pytestmark = pytest.mark.asyncio

    @pytest_asyncio.fixture
    async def container(self, driver: Driver) -> str:
        """Create a container and return its name."""
        return (await driver.container_create("a-container")).name


class Pieces:
    """A body of these pieces; at its end it may raise.

    `asked` counts the pieces asked for. With a `gate` it waits there before its end.
    """

    def __init__(
        self,
        *pieces: bytes | bytearray | memoryview,
        error: BaseException | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._pieces = iter(pieces)
        self._error = error
        self._gate = gate
        self.asked = 0

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes | bytearray | memoryview:
        """Return the next piece, after giving way to whatever else runs."""
        await asyncio.sleep(0)
        self.asked += 1
        for piece in self._pieces:
            return piece
        if self._gate:
            await self._gate.wait()
        if self._error:
            raise self._error
        raise StopAsyncIteration


class Gate:
    """A place where a body waits: `reached` says it does, `open` lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def wait(self) -> None:
        """Tell that the gate is reached, wait until it is open."""
        self.reached.set()
        await self.open.wait()


async def put(
    driver: Driver,
    container: str,
    key: str,
    data: bytes = b"",
    *,
    metadata: Metadata | None = None,
    options: CreateOptions | None = None,
) -> FileInfo:
    """Create a file of one piece."""
    return await driver.file_create(
        container, key, Pieces(data), metadata=metadata, options=options
    )


async def get(
    driver: Driver,
    container: str,
    key: str,
    *,
    wanted: ByteRange | None = None,
    conditions: Conditions | None = None,
) -> bytes:
    """Read a file, or a range of it."""
    reader = await driver.file_read(container, key, range=wanted, conditions=conditions)
    async with reader:
        return b"".join([piece async for piece in reader])


async def head(driver: Driver, container: str, key: str) -> FileInfo:
    """Describe a file."""
    async with await driver.file_read(container, key, head=True) as reader:
        return reader.info


async def keys(driver: Driver, container: str) -> list[str]:
    """List all keys of a container."""
    files, _ = await pages(driver, container)
    return [file.key for file in files]


async def pages(
    driver: Driver,
    container: str,
    *,
    prefix: str = "",
    marker: str = "",
    delimiter: str = "",
    max_keys: int = 1000,
) -> tuple[list[FileInfo], list[str]]:
    """List page by page to the end, checking what each page promises."""
    files: list[FileInfo] = []
    prefixes: list[str] = []
    while True:
        page = await driver.file_list(
            container,
            prefix=prefix,
            marker=marker,
            delimiter=delimiter,
            max_keys=max_keys,
        )
        check_page(page, marker, max_keys)
        files += page.files
        prefixes += page.prefixes
        if page.next_marker is None:
            return files, prefixes
        marker = page.next_marker


def check_page(page: FileListing, marker: str, max_keys: int) -> None:
    """Check the promises of one page: its order, its size and its marker."""
    names = [file.key.encode() for file in page.files]
    groups = [prefix.encode() for prefix in page.prefixes]
    assert names == sorted(set(names))
    assert groups == sorted(set(groups))
    both = sorted(names + groups)
    assert len(both) <= max_keys
    assert all(entry > marker.encode() for entry in both)
    assert page.is_truncated == (page.next_marker is not None)
    if page.next_marker is not None:
        assert page.next_marker.encode() == both[-1]


def multipart(driver: Driver) -> MultipartDriver:
    """Return the driver as one that has multipart uploads."""
    assert supports_multipart(driver)
    return driver


def md5(data: bytes) -> str:
    """Return the ETag of a body."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def same(one: FileInfo, other: FileInfo) -> bool:
    """Compare two descriptions, whatever sequence their parts come as."""
    return replace(one, parts=tuple(one.parts)) == replace(
        other, parts=tuple(other.parts)
    )


class _Stepper(Generic[T]):
    """Awaits a call and cancels the current task at the call's n-th wait."""

    def __init__(self, call: Coroutine[object, object, T], step: int) -> None:
        self._call = call
        self._left = step
        self.reached = False

    def __await__(self) -> Generator[object, object, T]:
        inner = self._call.__await__()
        resume = partial(inner.send, None)
        while True:
            try:
                waited = resume()
            except StopIteration as end:
                result: T = end.value
                return result
            if not self._left:
                self.reached = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            self._left -= 1
            try:
                yield waited
            except BaseException as error:  # noqa: BLE001 - handed to the call
                resume = partial(inner.throw, error)
            else:
                resume = partial(inner.send, None)


async def cancelled_at(step: int, call: Coroutine[object, object, object]) -> bool:
    """Cancel the call at its n-th wait (from 0); False if it ended before that.

    Fails if the call swallows its cancellation.
    """
    stepper = _Stepper(call, step)

    async def run() -> None:
        await stepper

    task = asyncio.create_task(run())
    await asyncio.wait([task])
    assert task.cancelled() == stepper.reached, "the cancellation was swallowed"
    if not stepper.reached:
        task.result()
    return stepper.reached


async def outcomes(
    calls: Sequence[Coroutine[object, object, T]],
) -> list[T | BaseException]:
    """Run the calls at the same time and return their results or errors."""
    return await asyncio.gather(*calls, return_exceptions=True)
