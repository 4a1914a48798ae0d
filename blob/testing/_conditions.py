"""Conditions of RFC 9110 section 13 on reads and writes."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ..errors import (
    InvalidRangeError,
    NoSuchFileError,
    NotModifiedError,
    PreconditionFailedError,
)
from ..types import ByteRange, Conditions, CreateOptions
from ._support import Contract, Gate, Pieces, get, keys, outcomes, put, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..driver import Driver
    from ..types import FileInfo

DAY = timedelta(days=1)
OTHER = "0" * 32

_Case = tuple["Callable[[FileInfo], Conditions]", "type[Exception] | None"]


def second(info: FileInfo) -> datetime:
    """Return Last-Modified as a client sees it: whole seconds."""
    return info.last_modified.replace(microsecond=0)


READ_CASES: dict[str, _Case] = {
    "if-match ok": (lambda i: Conditions(if_match=(i.etag,)), None),
    "if-match one of many": (lambda i: Conditions(if_match=(OTHER, i.etag)), None),
    "if-match any": (lambda _: Conditions(if_match=("*",)), None),
    "if-match other": (
        lambda _: Conditions(if_match=(OTHER,)),
        PreconditionFailedError,
    ),
    "if-match none": (lambda _: Conditions(if_match=()), PreconditionFailedError),
    "if-match compares strongly": (
        lambda i: Conditions(if_match=(f"W/{i.etag}",)),
        PreconditionFailedError,
    ),
    "if-none-match other": (lambda _: Conditions(if_none_match=(OTHER,)), None),
    "if-none-match same": (
        lambda i: Conditions(if_none_match=(i.etag,)),
        NotModifiedError,
    ),
    "if-none-match any": (
        lambda _: Conditions(if_none_match=("*",)),
        NotModifiedError,
    ),
    "if-none-match compares weakly": (
        lambda i: Conditions(if_none_match=(OTHER, f"W/{i.etag}")),
        NotModifiedError,
    ),
    "modified since before": (
        lambda i: Conditions(if_modified_since=second(i) - DAY),
        None,
    ),
    "not modified since": (
        lambda i: Conditions(if_modified_since=second(i)),
        NotModifiedError,
    ),
    "a date in the future is no date": (
        lambda i: Conditions(if_modified_since=second(i) + DAY),
        None,
    ),
    "unmodified since": (
        lambda i: Conditions(if_unmodified_since=second(i)),
        None,
    ),
    "unmodified since the future": (
        lambda i: Conditions(if_unmodified_since=second(i) + DAY),
        None,
    ),
    "not unmodified since": (
        lambda i: Conditions(if_unmodified_since=second(i) - DAY),
        PreconditionFailedError,
    ),
    "if-match beats if-unmodified-since": (
        lambda i: Conditions(if_match=(i.etag,), if_unmodified_since=second(i) - DAY),
        None,
    ),
    "if-none-match beats if-modified-since": (
        lambda i: Conditions(if_none_match=(OTHER,), if_modified_since=second(i)),
        None,
    ),
    "a failed precondition beats not modified": (
        lambda i: Conditions(if_match=(OTHER,), if_none_match=(i.etag,)),
        PreconditionFailedError,
    ),
    "if-match, then if-none-match": (
        lambda i: Conditions(if_match=(i.etag,), if_none_match=(i.etag,)),
        NotModifiedError,
    ),
    "unmodified since, then modified since": (
        lambda i: Conditions(
            if_unmodified_since=second(i), if_modified_since=second(i)
        ),
        NotModifiedError,
    ),
}

IF_RANGE: dict[str, tuple[Callable[[FileInfo], str | datetime], bool]] = {
    "same etag": (lambda i: i.etag, True),
    "other etag": (lambda _: OTHER, False),
    "weak etag": (lambda i: f"W/{i.etag}", False),
    "same date": (second, True),
    "earlier date": (lambda i: second(i) - DAY, False),
    "later date": (lambda i: second(i) + DAY, False),
}


class ConditionsContract(Contract):
    """Conditional reads and conditional writes."""

    @pytest.mark.parametrize("head", [False, True])
    @pytest.mark.parametrize("case", sorted(READ_CASES))
    async def test_conditions_of_a_read_hold_or_say_why(
        self,
        driver: Driver,
        container: str,
        case: str,
        head: bool,  # noqa: FBT001 - a parameter of the test
    ) -> None:
        build, expected = READ_CASES[case]
        info = await put(driver, container, "key", b"body")
        call = driver.file_read(container, "key", head=head, conditions=build(info))
        if expected is None:
            async with await call as reader:
                assert same(reader.info, info)
            return
        with pytest.raises(expected) as caught:
            await call
        if isinstance(caught.value, NotModifiedError):
            assert caught.value.info is not None
            assert same(caught.value.info, info)

    @pytest.mark.parametrize("case", sorted(IF_RANGE))
    async def test_if_range_lets_the_range_stand_or_gives_all(
        self, driver: Driver, container: str, case: str
    ) -> None:
        build, stands = IF_RANGE[case]
        info = await put(driver, container, "key", b"0123456789")
        reader = await driver.file_read(
            container,
            "key",
            range=ByteRange(2, 3),
            conditions=Conditions(if_range=build(info)),
        )
        async with reader:
            assert reader.is_partial == stands
            data = b"".join([piece async for piece in reader])
        assert data == (b"23" if stands else b"0123456789")

    async def test_conditions_come_before_the_range(
        self, driver: Driver, container: str
    ) -> None:
        info = await put(driver, container, "key", b"body")
        wanted = ByteRange(100, None)
        with pytest.raises(PreconditionFailedError):
            await get(
                driver,
                container,
                "key",
                wanted=wanted,
                conditions=Conditions(if_match=(OTHER,)),
            )
        with pytest.raises(NotModifiedError):
            await get(
                driver,
                container,
                "key",
                wanted=wanted,
                conditions=Conditions(if_none_match=(info.etag,)),
            )
        with pytest.raises(InvalidRangeError):
            await get(driver, container, "key", wanted=wanted)

    async def test_a_missing_file_is_told_whatever_the_conditions(
        self, driver: Driver, container: str
    ) -> None:
        for conditions in (
            Conditions(if_match=("*",)),
            Conditions(if_none_match=("*",)),
        ):
            with pytest.raises(NoSuchFileError):
                await get(driver, container, "key", conditions=conditions)

    async def test_a_file_is_created_only_where_there_is_none(
        self, driver: Driver, container: str
    ) -> None:
        options = CreateOptions(conditions=Conditions(if_none_match=("*",)))
        await put(driver, container, "key", b"first", options=options)
        with pytest.raises(PreconditionFailedError):
            await put(driver, container, "key", b"second", options=options)
        assert await get(driver, container, "key") == b"first"
        await driver.file_delete(container, "key")
        await put(driver, container, "key", b"third", options=options)
        assert await get(driver, container, "key") == b"third"

    async def test_a_file_is_replaced_only_where_it_is_the_one_named(
        self, driver: Driver, container: str
    ) -> None:
        for tags in ((OTHER,), ("*",)):
            with pytest.raises(NoSuchFileError):
                await _put_if(driver, container, b"x", Conditions(if_match=tags))
        assert await keys(driver, container) == []
        info = await put(driver, container, "key", b"old")
        for conditions in (
            Conditions(if_match=(OTHER,)),
            Conditions(if_match=(f"W/{info.etag}",)),
            Conditions(if_none_match=(info.etag,)),
            Conditions(if_match=(info.etag,), if_none_match=("*",)),
        ):
            with pytest.raises(PreconditionFailedError):
                await _put_if(driver, container, b"new", conditions)
            assert await get(driver, container, "key") == b"old"
        for number, conditions in enumerate(
            (
                Conditions(if_match=(OTHER, info.etag)),
                Conditions(if_match=("*",)),
                Conditions(if_none_match=(OTHER,)),
            )
        ):
            await _put_if(driver, container, b"%d" % number, conditions)
            assert await get(driver, container, "key") == b"%d" % number

    async def test_conditions_of_a_write_are_checked_at_its_commit(
        self, driver: Driver, container: str
    ) -> None:
        gate = Gate()
        task = asyncio.create_task(
            driver.file_create(
                container,
                "key",
                Pieces(b"late", gate=gate),
                options=CreateOptions(conditions=Conditions(if_none_match=("*",))),
            )
        )
        await gate.reached.wait()
        await put(driver, container, "key", b"early")
        gate.open.set()
        with pytest.raises(PreconditionFailedError):
            await task
        assert await get(driver, container, "key") == b"early"

    async def test_a_failing_condition_may_come_to_hold_before_the_commit(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", b"early")
        gate = Gate()
        options = CreateOptions(conditions=Conditions(if_none_match=("*",)))
        body = Pieces(b"late", gate=gate)
        async with asyncio.TaskGroup() as group:
            group.create_task(
                driver.file_create(container, "key", body, options=options)
            )
            await gate.reached.wait()
            await driver.file_delete(container, "key")
            gate.open.set()
        assert await get(driver, container, "key") == b"late"

    @pytest.mark.parametrize("size", [10, 100_000])
    async def test_of_concurrent_creators_exactly_one_wins(
        self, driver: Driver, container: str, size: int
    ) -> None:
        bodies = [bytes((n,)) * size for n in range(12)]
        condition = Conditions(if_none_match=("*",))
        results = await outcomes(
            [_put_if(driver, container, body, condition) for body in bodies]
        )
        won = [r for r in results if not isinstance(r, BaseException)]
        lost = [r for r in results if isinstance(r, PreconditionFailedError)]
        assert (len(won), len(lost)) == (1, 11)
        index = results.index(won[0])
        assert await get(driver, container, "key") == bodies[index]

    async def test_a_counter_by_compare_and_set_loses_no_update(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", b"0")

        async def increment() -> None:
            while True:
                async with await driver.file_read(container, "key") as reader:
                    value = int(b"".join([piece async for piece in reader]))
                    condition = Conditions(if_match=(reader.info.etag,))
                try:
                    await _put_if(driver, container, b"%d" % (value + 1), condition)
                except PreconditionFailedError:
                    continue
                return

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(increment())
        assert await get(driver, container, "key") == b"20"

    async def test_times_are_told_in_utc_to_compare_with(
        self, driver: Driver, container: str
    ) -> None:
        info = await put(driver, container, "key", b"x")
        assert info.last_modified <= datetime.now(UTC)


async def _put_if(
    driver: Driver, container: str, data: bytes, conditions: Conditions
) -> FileInfo:
    return await put(
        driver, container, "key", data, options=CreateOptions(conditions=conditions)
    )
