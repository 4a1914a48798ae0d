"""Copying files, and replacing the metadata of one."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ..errors import (
    InvalidArgumentError,
    NoSuchFileError,
    NoSuchVersionError,
    PreconditionFailedError,
)
from ..types import NULL_VERSION, Conditions, CopyOptions, CreateOptions, Metadata
from ._creating import ALL_METADATA
from ._support import ALICE, BOB, PART, Contract, get, head, keys, put, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..driver import Driver
    from ..types import FileInfo

OTHER = "0" * 32
DAY = timedelta(days=1)
NEW = Metadata(content_type="new/type", user={"colour": "red"})

FAILING: dict[str, Callable[[FileInfo], Conditions]] = {
    "if-match": lambda _: Conditions(if_match=(OTHER,)),
    "if-none-match": lambda i: Conditions(if_none_match=(i.etag,)),
    "if-none-match any": lambda _: Conditions(if_none_match=("*",)),
    "unmodified": lambda i: Conditions(if_unmodified_since=i.last_modified - DAY),
    "modified": lambda i: Conditions(
        if_modified_since=i.last_modified.replace(microsecond=0)
    ),
}
HOLDING: dict[str, Callable[[FileInfo], Conditions]] = {
    "if-match": lambda i: Conditions(if_match=(i.etag,)),
    "if-none-match": lambda _: Conditions(if_none_match=(OTHER,)),
    "unmodified": lambda i: Conditions(if_unmodified_since=i.last_modified + DAY),
    "modified": lambda i: Conditions(if_modified_since=i.last_modified - DAY),
    "modified since the future": lambda i: Conditions(
        if_modified_since=i.last_modified + DAY
    ),
}


class CopyingContract(Contract):
    """Copying files."""

    @pytest.mark.parametrize("size", [0, 10, 2_500_001])
    async def test_a_copy_has_the_bytes_and_metadata_of_its_source(
        self, driver: Driver, container: str, size: int
    ) -> None:
        data = PART[:size]
        source = await put(driver, container, "source", data, metadata=ALL_METADATA)
        await driver.container_create("other")
        for target in (container, "other"):
            made = await driver.file_copy(
                target, "copy", container, "source", metadata=NEW, principal=BOB
            )
            assert (made.container, made.key) == (target, "copy")
            assert (made.size, made.etag) == (size, source.etag)
            assert (made.metadata, made.owner) == (ALL_METADATA, BOB)
            assert made.last_modified >= source.last_modified
            assert same(await head(driver, target, "copy"), made)
            assert await get(driver, target, "copy") == data
        assert same(await head(driver, container, "source"), source)

    async def test_a_copy_replaces_the_metadata_when_told(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "source", b"x", metadata=ALL_METADATA)
        replace = CopyOptions(directive="REPLACE")
        made = await driver.file_copy(
            container, "copy", container, "source", metadata=NEW, options=replace
        )
        assert made.metadata == NEW
        await driver.file_copy(container, "bare", container, "source", options=replace)
        assert (await head(driver, container, "bare")).metadata == Metadata()

    async def test_a_copy_onto_itself_must_replace_the_metadata(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", b"body", metadata=ALL_METADATA)
        with pytest.raises(InvalidArgumentError):
            await driver.file_copy(container, "key", container, "key", metadata=NEW)
        assert (await head(driver, container, "key")).metadata == ALL_METADATA
        made = await driver.file_copy(
            container,
            "key",
            container,
            "key",
            metadata=NEW,
            options=CopyOptions(directive="REPLACE"),
            principal=ALICE,
        )
        assert made.metadata == NEW
        assert same(await head(driver, container, "key"), made)
        assert await get(driver, container, "key") == b"body"
        assert await keys(driver, container) == ["key"]

    async def test_a_copy_has_its_own_time(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "source", b"x")
        between = await put(driver, container, "between", b"x")
        made = await driver.file_copy(container, "copy", container, "source")
        assert made.last_modified >= between.last_modified

    async def test_a_copy_keeps_the_checksums_of_its_bytes(
        self, driver: Driver, container: str
    ) -> None:
        options = CreateOptions(checksums=lambda: {"crc32": "2W6QsA=="})
        await put(driver, container, "source", b"x", options=options)
        made = await driver.file_copy(container, "copy", container, "source")
        assert made.checksums == {"crc32": "2W6QsA=="}

    async def test_a_copy_outlives_its_source(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "source", PART[:200_000])
        await driver.file_copy(container, "one", container, "source")
        await driver.file_copy(container, "two", container, "one")
        await put(driver, container, "source", b"replaced")
        await driver.file_delete(container, "one")
        assert await get(driver, container, "two") == PART[:200_000]
        await driver.file_delete(container, "source")
        assert await get(driver, container, "two") == PART[:200_000]

    async def test_a_copy_replaces_what_was_there(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "source", b"new")
        await put(driver, container, "target", PART[:200_000], metadata=ALL_METADATA)
        await driver.file_copy(container, "target", container, "source")
        assert await get(driver, container, "target") == b"new"
        assert (await head(driver, container, "target")).metadata == Metadata()

    async def test_a_missing_source_is_told(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "target", b"old")
        with pytest.raises(NoSuchFileError):
            await driver.file_copy(container, "target", container, "missing")
        assert await get(driver, container, "target") == b"old"

    async def test_the_version_of_the_source_counts(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "source", b"x")
        await driver.file_copy(
            container,
            "copy",
            container,
            "source",
            options=CopyOptions(source_version_id=NULL_VERSION),
        )
        assert await get(driver, container, "copy") == b"x"
        with pytest.raises(NoSuchVersionError):
            await driver.file_copy(
                container,
                "copy",
                container,
                "source",
                options=CopyOptions(source_version_id="no-such-version"),
            )

    @pytest.mark.parametrize("case", sorted(FAILING))
    async def test_conditions_on_the_source_that_fail_change_nothing(
        self, driver: Driver, container: str, case: str
    ) -> None:
        source = await put(driver, container, "source", b"new")
        await put(driver, container, "target", b"old")
        options = CopyOptions(source_conditions=FAILING[case](source))
        with pytest.raises(PreconditionFailedError):
            await driver.file_copy(
                container, "target", container, "source", options=options
            )
        assert await get(driver, container, "target") == b"old"

    @pytest.mark.parametrize("case", sorted(HOLDING))
    async def test_conditions_on_the_source_that_hold_let_it_be_copied(
        self, driver: Driver, container: str, case: str
    ) -> None:
        source = await put(driver, container, "source", b"new")
        options = CopyOptions(source_conditions=HOLDING[case](source))
        await driver.file_copy(
            container, "target", container, "source", options=options
        )
        assert await get(driver, container, "target") == b"new"

    async def test_conditions_on_the_target_are_those_of_a_write(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "source", b"new")

        async def copy(conditions: Conditions) -> None:
            await driver.file_copy(
                container,
                "target",
                container,
                "source",
                options=CopyOptions(conditions=conditions),
            )

        with pytest.raises(NoSuchFileError):
            await copy(Conditions(if_match=("*",)))
        old = await put(driver, container, "target", b"old")
        for failing in (
            Conditions(if_none_match=("*",)),
            Conditions(if_match=(OTHER,)),
        ):
            with pytest.raises(PreconditionFailedError):
                await copy(failing)
            assert await get(driver, container, "target") == b"old"
        await copy(Conditions(if_match=(old.etag,)))
        assert await get(driver, container, "target") == b"new"
        await driver.file_delete(container, "target")
        await copy(Conditions(if_none_match=("*",)))
        assert await get(driver, container, "target") == b"new"
