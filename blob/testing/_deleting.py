"""Deleting files: guards, and many at a time."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ..driver import supports_delete_many
from ..errors import (
    ClosedError,
    InvalidKeyError,
    NoSuchContainerError,
    NoSuchFileError,
    NoSuchVersionError,
    PreconditionFailedError,
)
from ..types import NULL_VERSION, DeleteGuard, DeleteRequest
from ._support import Contract, cancelled_at, get, keys, outcomes, put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..driver import Driver
    from ..types import DeleteResult


class DeletingContract(Contract):
    """Deleting one file."""

    async def test_a_deleted_file_is_gone(self, driver: Driver, container: str) -> None:
        await put(driver, container, "key", b"x")
        await put(driver, container, "key2", b"y")
        await driver.file_delete(container, "key")
        with pytest.raises(NoSuchFileError):
            await driver.file_read(container, "key")
        assert await keys(driver, container) == ["key2"]

    async def test_deleting_a_missing_file_succeeds(
        self, driver: Driver, container: str
    ) -> None:
        await driver.file_delete(container, "never")
        await put(driver, container, "key", b"x")
        await driver.file_delete(container, "key")
        await driver.file_delete(container, "key")
        await driver.file_delete(container, "key", guard=DeleteGuard())

    async def test_the_null_version_is_deleted_and_no_other(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", b"x")
        with pytest.raises(NoSuchVersionError):
            await driver.file_delete(container, "key", version_id="no-such-version")
        assert await keys(driver, container) == ["key"]
        await driver.file_delete(container, "key", version_id=NULL_VERSION)
        assert await keys(driver, container) == []

    async def test_a_guard_that_does_not_hold_keeps_the_file(
        self, driver: Driver, container: str
    ) -> None:
        info = await put(driver, container, "key", b"body")
        good = DeleteGuard(
            if_match=(info.etag,), if_size=4, if_last_modified=info.last_modified
        )
        for guard in (
            DeleteGuard(if_match=("0" * 32,)),
            DeleteGuard(if_match=()),
            DeleteGuard(if_size=5),
            DeleteGuard(if_last_modified=info.last_modified - timedelta(days=1)),
            replace(good, if_match=("0" * 32,)),
            replace(good, if_size=0),
            replace(good, if_last_modified=info.last_modified + timedelta(days=1)),
        ):
            with pytest.raises(PreconditionFailedError):
                await driver.file_delete(container, "key", guard=guard)
            assert await get(driver, container, "key") == b"body"

    async def test_a_guard_that_holds_lets_the_file_be_deleted(
        self, driver: Driver, container: str
    ) -> None:
        info = await put(driver, container, "key", b"body")
        for guard in (
            DeleteGuard(if_match=("0" * 32, info.etag)),
            DeleteGuard(if_match=("*",)),
            DeleteGuard(if_size=4),
            DeleteGuard(if_match=(info.etag,), if_size=4),
        ):
            await driver.file_delete(container, "key", guard=guard)
            assert await keys(driver, container) == []
            info = await put(driver, container, "key", b"body")
        guard = DeleteGuard(if_last_modified=info.last_modified.replace(microsecond=0))
        await driver.file_delete(container, "key", guard=guard)
        assert await keys(driver, container) == []

    async def test_a_guard_without_a_file_is_told(
        self, driver: Driver, container: str
    ) -> None:
        for guard in (DeleteGuard(if_match=("*",)), DeleteGuard(if_size=0)):
            with pytest.raises(NoSuchFileError):
                await driver.file_delete(container, "missing", guard=guard)

    async def test_of_concurrent_guarded_deletes_exactly_one_wins(
        self, driver: Driver, container: str
    ) -> None:
        info = await put(driver, container, "key", b"x")
        guard = DeleteGuard(if_match=(info.etag,))
        results = await outcomes(
            [driver.file_delete(container, "key", guard=guard) for _ in range(8)]
        )
        assert results.count(None) == 1
        lost = [result for result in results if isinstance(result, NoSuchFileError)]
        assert len(lost) == 7


class DeletingManyContract(Contract):
    """Deleting many files in one step."""

    async def test_many_are_deleted_in_the_order_asked_each_with_its_result(
        self, driver: Driver, container: str
    ) -> None:
        info = await put(driver, container, "guarded", b"x")
        for key in ("plain", "kept", "kept too", "bystander"):
            await put(driver, container, key, b"x")
        requests = (
            DeleteRequest("plain"),
            DeleteRequest("missing"),
            DeleteRequest("kept", guard=DeleteGuard(if_match=("0" * 32,))),
            DeleteRequest("guarded", guard=DeleteGuard(if_match=(info.etag,))),
            DeleteRequest("absent", guard=DeleteGuard(if_match=("*",))),
            DeleteRequest("kept too", version_id="no-such-version"),
            DeleteRequest("plain"),
            DeleteRequest(""),
        )
        results = await _delete_many(driver, container, requests)
        assert [result.key for result in results] == [r.key for r in requests]
        assert [type(result.error) for result in results] == [
            type(None),
            type(None),
            PreconditionFailedError,
            type(None),
            NoSuchFileError,
            NoSuchVersionError,
            type(None),
            InvalidKeyError,
        ]
        assert await keys(driver, container) == ["bystander", "kept", "kept too"]

    async def test_a_thousand_are_deleted_at_once(
        self, driver: Driver, container: str
    ) -> None:
        for number in range(0, 1000, 25):
            await put(driver, container, f"{number:04}", b"x")
        requests = [DeleteRequest(f"{number:04}") for number in range(1000)]
        results = await _delete_many(driver, container, requests)
        assert len(results) == 1000
        assert not any(result.error for result in results)
        assert await keys(driver, container) == []

    async def test_deleting_none_deletes_nothing(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", b"x")
        assert list(await _delete_many(driver, container, ())) == []
        assert await keys(driver, container) == ["key"]

    async def test_deleting_many_of_a_missing_container_is_told(
        self, driver: Driver
    ) -> None:
        with pytest.raises(NoSuchContainerError):
            await _delete_many(driver, "no-such-container", (DeleteRequest("key"),))

    async def test_a_deletion_of_many_cancelled_at_any_step_leaves_it_usable(
        self, driver: Driver, container: str
    ) -> None:
        names = ["a", "b", "c"]
        requests = [DeleteRequest(name) for name in names]
        for step in range(200):
            for name in names:
                await put(driver, container, name, name.encode())
            call = _delete_many(driver, container, requests)
            cancelled = await cancelled_at(step, call)
            for file in (await driver.file_list(container)).files:
                assert await get(driver, container, file.key) == file.key.encode()
            if not cancelled:
                assert await keys(driver, container) == []
                return
        pytest.fail("the call never ends")

    async def test_a_closed_driver_refuses_to_delete_many(
        self, driver: Driver, container: str
    ) -> None:
        await driver.aclose()
        with pytest.raises(ClosedError):
            await _delete_many(driver, container, [DeleteRequest("key")])


async def _delete_many(
    driver: Driver, container: str, requests: Sequence[DeleteRequest]
) -> Sequence[DeleteResult]:
    assert supports_delete_many(driver)
    return await driver.file_delete_many(container, requests)
