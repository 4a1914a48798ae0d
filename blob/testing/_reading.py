"""Reading files: ranges, heads, versions, and the version that was opened."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from ..errors import (
    ClosedError,
    InvalidArgumentError,
    InvalidRangeError,
    NoSuchFileError,
    NoSuchVersionError,
)
from ..types import NULL_VERSION, ByteRange
from ._support import PART, Contract, cancelled_at, get, md5, put, same

if TYPE_CHECKING:
    from ..driver import Driver

TEXT = b"jurmous was here"

RANGES = (
    (0, 3, b"jurm"),
    (3, None, b"mous was here"),
    (None, 3, b"ere"),
    (0, 0, b"j"),
    (15, 15, b"e"),
    (0, 15, TEXT),
    (0, None, TEXT),
    (0, 9999, TEXT),
    (10, 10**20, b"s here"),
    (None, 9999, TEXT),
    (None, 16, TEXT),
    (None, 1, b"e"),
)
NO_RANGES = ((16, None), (99, None), (9999, 10000), (5, 2), (None, 0), (16, 16))


class ReadingContract(Contract):
    """Reading files and ranges of them."""

    async def test_a_missing_file_is_told(self, driver: Driver, container: str) -> None:
        for head in (False, True):
            with pytest.raises(NoSuchFileError):
                await driver.file_read(container, "missing", head=head)

    async def test_a_whole_read_yields_all_bytes(
        self, driver: Driver, container: str
    ) -> None:
        made = await put(driver, container, "key", TEXT)
        async with await driver.file_read(container, "key") as reader:
            assert (reader.start, reader.stop, reader.is_partial) == (0, 16, False)
            assert same(reader.info, made)
            pieces = [piece async for piece in reader]
        assert all(type(piece) is bytes for piece in pieces)
        assert b"".join(pieces) == TEXT

    @pytest.mark.parametrize(("first", "last", "expected"), RANGES)
    async def test_a_range_is_cut_to_the_file(
        self,
        driver: Driver,
        container: str,
        first: int | None,
        last: int | None,
        expected: bytes,
    ) -> None:
        await put(driver, container, "key", TEXT)
        wanted = ByteRange(first, last)
        async with await driver.file_read(container, "key", range=wanted) as reader:
            assert reader.is_partial
            assert TEXT[reader.start : reader.stop] == expected
            assert reader.stop - reader.start == len(expected)
            assert reader.info.size == 16
            assert b"".join([piece async for piece in reader]) == expected

    @pytest.mark.parametrize(("first", "last"), NO_RANGES)
    async def test_a_range_without_a_byte_is_refused_with_the_size(
        self, driver: Driver, container: str, first: int | None, last: int | None
    ) -> None:
        await put(driver, container, "key", TEXT)
        with pytest.raises(InvalidRangeError) as caught:
            await driver.file_read(container, "key", range=ByteRange(first, last))
        assert caught.value.size == 16

    async def test_an_empty_file_has_no_range(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key")
        for wanted in (ByteRange(0, None), ByteRange(0, 0), ByteRange(None, 5)):
            with pytest.raises(InvalidRangeError) as caught:
                await driver.file_read(container, "key", range=wanted)
            assert caught.value.size == 0
        assert await get(driver, container, "key") == b""

    async def test_a_range_that_is_none_is_refused(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", TEXT)
        with pytest.raises(InvalidArgumentError):
            await driver.file_read(container, "key", range=ByteRange(None, None))

    async def test_ranges_of_a_large_file_are_exact_and_come_in_small_pieces(
        self, driver: Driver, container: str
    ) -> None:
        whole = PART[:2_500_001]
        await put(driver, container, "key", whole)
        dice = random.Random(1)  # noqa: S311 - the same ranges each time
        ranges = [(0, len(whole)), (1024 * 1024 - 1, 1024 * 1024 + 1)]
        ranges += [
            (start, dice.randint(start + 1, len(whole)))
            for start in (dice.randrange(len(whole)) for _ in range(20))
        ]
        for start, stop in ranges:
            reader = await driver.file_read(
                container, "key", range=ByteRange(start, stop - 1)
            )
            async with reader:
                pieces = [piece async for piece in reader]
            assert max(map(len, pieces)) <= 1024 * 1024
            assert md5(b"".join(pieces)) == md5(whole[start:stop])

    async def test_a_head_yields_no_bytes(self, driver: Driver, container: str) -> None:
        made = await put(driver, container, "key", TEXT)
        async with await driver.file_read(container, "key", head=True) as reader:
            assert same(reader.info, made)
            assert reader.start == reader.stop
            assert [piece async for piece in reader if piece] == []

    async def test_the_null_version_is_the_current_one_and_there_is_no_other(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", TEXT)
        reader = await driver.file_read(container, "key", version_id=NULL_VERSION)
        async with reader:
            assert b"".join([piece async for piece in reader]) == TEXT
        with pytest.raises(NoSuchVersionError):
            await driver.file_read(container, "key", version_id="no-such-version")

    @pytest.mark.parametrize("size", [100, 2_500_001])
    async def test_a_reader_keeps_the_version_it_opened_when_it_is_replaced(
        self, driver: Driver, container: str, size: int
    ) -> None:
        old = PART[:size]
        await put(driver, container, "key", old)
        async with await driver.file_read(container, "key") as reader:
            await put(driver, container, "key", b"new" * size)
            assert reader.info.size == size
            assert b"".join([piece async for piece in reader]) == old
        assert await get(driver, container, "key") == b"new" * size

    @pytest.mark.parametrize("size", [100, 2_500_001])
    async def test_a_reader_keeps_the_version_it_opened_when_it_is_deleted(
        self, driver: Driver, container: str, size: int
    ) -> None:
        old = PART[:size]
        await put(driver, container, "key", old)
        async with await driver.file_read(container, "key") as reader:
            pieces = [await anext(aiter(reader))]
            await driver.file_delete(container, "key")
            await driver.container_delete(container)
        await driver.container_create(container)
        assert old.startswith(pieces[0])
        await put(driver, container, "key", old)
        async with await driver.file_read(container, "key") as reader:
            await driver.file_delete(container, "key")
            await driver.container_delete(container)
            assert b"".join([piece async for piece in reader]) == old

    async def test_a_piece_that_was_not_delivered_is_not_lost(
        self, driver: Driver, container: str
    ) -> None:
        whole = PART[:3_500_001]
        await put(driver, container, "key", whole)
        taken: list[bytes] = []

        async def take() -> None:
            taken.append(await anext(iterator, b""))

        async with await driver.file_read(container, "key") as reader:
            iterator = aiter(reader)
            while not taken or taken[-1]:
                await cancelled_at(0, take())
                await take()
        assert md5(b"".join(taken)) == md5(whole)

    async def test_a_body_is_not_cut_short_by_closing_its_reader(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", PART[:3_500_001])
        for steps in range(5):
            reader = await driver.file_read(container, "key")
            taking = asyncio.create_task(anext(aiter(reader), b"the end"))
            for _ in range(steps):
                await asyncio.sleep(0)
            await reader.aclose()
            await asyncio.wait([taking])
            if taking.exception() is None:
                assert taking.result() != b"the end"
            else:
                assert isinstance(taking.exception(), ClosedError)
            with pytest.raises(ClosedError):
                await anext(aiter(reader))

    async def test_many_readers_of_one_file_do_not_disturb_each_other(
        self, driver: Driver, container: str
    ) -> None:
        whole = PART[:2_500_001]
        await put(driver, container, "key", whole)
        readers = [await driver.file_read(container, "key") for _ in range(4)]
        taken = [b"" for _ in readers]
        iterators = [aiter(reader) for reader in readers]
        live = set(range(len(readers)))
        while live:
            for index in sorted(live):
                piece = await anext(iterators[index], None)
                if piece is None:
                    live.remove(index)
                    await readers[index].aclose()
                else:
                    taken[index] += piece
        assert {md5(data) for data in taken} == {md5(whole)}

    async def test_a_reader_closes_early_and_twice(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", PART[:2_500_001])
        untouched = await driver.file_read(container, "key")
        await untouched.aclose()
        await untouched.aclose()
        half = await driver.file_read(container, "key")
        async with half:
            async for _ in half:
                break
        await half.aclose()
        assert len(await get(driver, container, "key")) == 2_500_001
