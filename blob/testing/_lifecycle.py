"""Closing, and cancelling every call at each of its steps."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import pytest

from ..errors import ClosedError, NoSuchContainerError, NoSuchFileError
from ..types import CopyOptions, Metadata, PartRef
from ._support import (
    PART,
    Contract,
    Gate,
    Pieces,
    cancelled_at,
    get,
    md5,
    multipart,
    put,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..driver import Driver, MultipartDriver

    Call: TypeAlias = "Callable[[Driver, str], Coroutine[object, object, object]]"
    UploadCall: TypeAlias = (
        "Callable[[MultipartDriver, str, str], Coroutine[object, object, object]]"
    )

OLD = b"old" * 50_000
NEW = b"new" * 60_000
_REPLACE = CopyOptions(directive="REPLACE")


def _create(driver: Driver, container: str) -> Coroutine[object, object, object]:
    half = len(NEW) // 2
    return driver.file_create(container, "key", Pieces(NEW[:half], NEW[half:]))


async def _read(driver: Driver, container: str) -> None:
    assert await get(driver, container, "key") in (OLD, NEW, b"after")


CALLS: dict[str, Call] = {
    "ready": lambda d, _: d.ready(),
    "container_list": lambda d, _: d.container_list(),
    "container_create": lambda d, c: d.container_create(f"{c}-new"),
    "container_delete": lambda d, c: d.container_delete(f"{c}-empty"),
    "container_options": lambda d, c: d.container_options(c),
    "container_set_options": lambda d, c: d.container_set_options(c, {"a": "b"}),
    "container_info": lambda d, c: d.container_info(c),
    "file_list": lambda d, c: d.file_list(c),
    "file_read": _read,
    "file_create": _create,
    "file_create small": lambda d, c: d.file_create(c, "small", Pieces(b"new")),
    "file_copy": lambda d, c: d.file_copy(c, "key", c, "source"),
    "file_copy replace": lambda d, c: d.file_copy(
        c, "key", c, "key", metadata=Metadata(), options=_REPLACE
    ),
    "file_delete": lambda d, c: d.file_delete(c, "key"),
}

UPLOAD_CALLS: dict[str, UploadCall] = {
    "multipart_create": lambda d, c, _: d.multipart_create(c, "key"),
    "multipart_put_part": lambda d, c, u: d.multipart_put_part(
        c, "key", u, 1, Pieces(NEW)
    ),
    "multipart_copy_part": lambda d, c, u: d.multipart_copy_part(
        c, "key", u, 1, c, "source"
    ),
    "multipart_list_parts": lambda d, c, u: d.multipart_list_parts(c, "key", u),
    "multipart_complete": lambda d, c, u: d.multipart_complete(
        c, "key", u, [PartRef(1, md5(NEW))]
    ),
    "multipart_abort": lambda d, c, u: d.multipart_abort(c, "key", u),
    "multipart_list": lambda d, c, _: d.multipart_list(c),
}

STEPS = 200
"""More waits than any call has."""


async def _prepare(driver: Driver, container: str) -> None:
    await driver.container_create(container)
    await driver.container_create(f"{container}-empty")
    await put(driver, container, "key", OLD)
    await put(driver, container, "small", b"old")
    await put(driver, container, "source", NEW)


async def _check(driver: Driver, container: str, *, may_be_gone: bool) -> None:
    """Check that each file is old or new, and that the driver goes on working."""
    try:
        assert await get(driver, container, "key") in (OLD, NEW)
    except NoSuchFileError:
        assert may_be_gone
    assert await get(driver, container, "small") in (b"old", b"new")
    assert await get(driver, container, "source") == NEW
    names = {file.key for file in (await driver.file_list(container)).files}
    assert names - {"key"} == {"small", "source"}
    assert "key" in names or may_be_gone
    await put(driver, container, "key", b"after")
    assert await get(driver, container, "key") == b"after"


class LifecycleContract(Contract):
    """Closing and cancelling."""

    async def test_ready_may_be_called_again(self, driver: Driver) -> None:
        await driver.ready()
        await driver.ready()

    async def test_it_closes_twice(self, driver: Driver) -> None:
        await driver.aclose()
        await driver.aclose()

    async def test_it_closes_at_the_end_of_its_block(self, driver: Driver) -> None:
        async with driver as entered:
            assert entered is driver
        with pytest.raises(ClosedError):
            await driver.container_list()

    @pytest.mark.parametrize("operation", sorted(CALLS))
    async def test_a_closed_driver_refuses_every_call(
        self, driver: Driver, operation: str
    ) -> None:
        await _prepare(driver, "prepared")
        await driver.aclose()
        with pytest.raises(ClosedError):
            await CALLS[operation](driver, "prepared")

    async def test_closing_waits_for_calls_in_flight(
        self, driver: Driver, container: str
    ) -> None:
        gate = Gate()
        creating = asyncio.create_task(
            driver.file_create(container, "key", Pieces(NEW, gate=gate))
        )
        await gate.reached.wait()
        closing = asyncio.create_task(driver.aclose())
        for _ in range(20):
            await asyncio.sleep(0)
        with pytest.raises(ClosedError):
            await driver.container_list()
        assert not closing.done()
        gate.open.set()
        await closing
        assert creating.done()
        assert creating.result().size == len(NEW)

    async def test_closing_that_is_cancelled_is_finished_by_the_next(
        self, driver: Driver, container: str
    ) -> None:
        gate = Gate()
        creating = asyncio.create_task(
            driver.file_create(container, "key", Pieces(NEW, gate=gate))
        )
        await gate.reached.wait()
        closing = asyncio.create_task(driver.aclose())
        for _ in range(20):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        with pytest.raises(ClosedError):
            await driver.container_list()
        gate.open.set()
        await driver.aclose()
        assert creating.done()
        assert creating.result().size == len(NEW)

    @pytest.mark.parametrize("operation", sorted(CALLS))
    async def test_a_call_cancelled_at_any_step_leaves_old_or_new(
        self, driver: Driver, operation: str
    ) -> None:
        for step in range(STEPS):
            container = f"cancelled-{step}"
            await _prepare(driver, container)
            call = CALLS[operation](driver, container)
            cancelled = await cancelled_at(step, call)
            gone = operation == "file_delete"
            await _check(driver, container, may_be_gone=gone)
            if not cancelled:
                return
            await _run_again(driver, container, CALLS[operation])
        pytest.fail("the call never ends")

    @pytest.mark.parametrize("body", [b"new", NEW])
    async def test_a_write_is_not_overtaken_by_one_cancelled_before(
        self, driver: Driver, container: str, body: bytes
    ) -> None:
        for step in range(STEPS):
            call = driver.file_create(container, "key", Pieces(body))
            cancelled = await cancelled_at(step, call)
            await put(driver, container, "key", b"after")
            for _ in range(20):
                await asyncio.sleep(0)  # whatever still runs gets its turn
                assert await get(driver, container, "key") == b"after"
            if not cancelled:
                return
        pytest.fail("the call never ends")

    async def test_a_call_cancelled_before_it_begins_does_nothing(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", OLD)
        for call in (_create, CALLS["file_delete"]):

            async def run(call: Call = call) -> None:
                await call(driver, container)

            task = asyncio.create_task(run())
            task.cancel()
            await asyncio.wait([task])
            assert await get(driver, container, "key") == OLD

    async def test_an_upload_that_hangs_is_cancelled_and_leaves_the_old(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", OLD)
        gate = Gate()
        task = asyncio.create_task(
            driver.file_create(container, "key", Pieces(NEW, gate=gate))
        )
        await gate.reached.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert await get(driver, container, "key") == OLD

    async def test_a_read_cancelled_at_any_piece_is_closed(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", PART[:2_500_001])

        async def read() -> None:
            async with await driver.file_read(container, "key") as reader:
                async for _ in reader:
                    await asyncio.sleep(0)

        for step in range(STEPS):
            if not await cancelled_at(step, read()):
                return
        pytest.fail("the read never ends")


async def _run_again(driver: Driver, container: str, call: Call) -> None:
    """Make the same call once more; only what it is about may be gone meanwhile."""
    try:
        await call(driver, container)
    except NoSuchContainerError:
        assert f"{container}-empty" not in {
            info.name for info in await driver.container_list()
        }


class MultipartLifecycleContract(Contract):
    """Cancelling and refusing the calls of multipart uploads."""

    @pytest.mark.parametrize("operation", sorted(UPLOAD_CALLS))
    async def test_a_multipart_call_cancelled_at_any_step_leaves_old_or_new(
        self, driver: Driver, operation: str
    ) -> None:
        multi = multipart(driver)
        for step in range(STEPS):
            container = f"cancelled-{step}"
            await _prepare(driver, container)
            upload = (await multi.multipart_create(container, "key")).upload_id
            await multi.multipart_put_part(container, "key", upload, 1, Pieces(NEW))
            call = UPLOAD_CALLS[operation](multi, container, upload)
            cancelled = await cancelled_at(step, call)
            await _check(driver, container, may_be_gone=False)
            if not cancelled:
                return
            await _drop_uploads(multi, container)
            await driver.file_delete(container, "key")
            again = (await multi.multipart_create(container, "key")).upload_id
            await multi.multipart_put_part(container, "key", again, 1, Pieces(NEW))
            await multi.multipart_complete(
                container, "key", again, [PartRef(1, md5(NEW))]
            )
            assert await get(driver, container, "key") == NEW
        pytest.fail("the call never ends")

    @pytest.mark.parametrize("operation", sorted(UPLOAD_CALLS))
    async def test_a_closed_driver_refuses_every_multipart_call(
        self, driver: Driver, container: str, operation: str
    ) -> None:
        multi = multipart(driver)
        await put(driver, container, "source", NEW)
        upload = (await multi.multipart_create(container, "key")).upload_id
        await driver.aclose()
        with pytest.raises(ClosedError):
            await UPLOAD_CALLS[operation](multi, container, upload)

    async def test_closing_waits_for_a_part_that_is_copied(
        self, driver: Driver, container: str
    ) -> None:
        multi = multipart(driver)
        await put(driver, container, "source", PART)
        upload = (await multi.multipart_create(container, "key")).upload_id
        copying = asyncio.create_task(
            multi.multipart_copy_part(container, "key", upload, 1, container, "source")
        )
        await asyncio.sleep(0)  # it has begun
        await driver.aclose()
        assert copying.done()
        assert copying.result().etag == md5(PART)


async def _drop_uploads(driver: MultipartDriver, container: str) -> None:
    for upload in (await driver.multipart_list(container)).uploads:
        await driver.multipart_abort(container, upload.key, upload.upload_id)
