"""Containers: names, owners, emptiness, option documents."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ..errors import (
    ContainerExistsError,
    ContainerNotEmptyError,
    InvalidContainerNameError,
    NoSuchContainerError,
    OptionsChangedError,
)
from ..types import Principal
from ._support import ALICE, BOB, Contract, Pieces, get, keys, outcomes, put

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..driver import Driver

BAD_NAMES = (
    "-capital",
    "(paren",
    "Abc",
    "ab",
    "a" * 64,
    "under_score",
    "two..dots",
    "dash-.dot",
    "dot.-dash",
    "1.2.3.4",
    "trailing-",
    "",
    "abc;touch x",
    "a b c",
    "abc*",
    "abc$(id)",
    "abc.",
    "abcé",
    "a/b",
    "../etc",
    "abc\n",
    "abc\0",
    "\ud800bc",
)
GOOD_NAMES = ("abc", "a" * 63, "1.2.3", "a.b-c", "0-9", "xn--abc")

MISSING = "no-such-container"

ON_A_MISSING_CONTAINER: dict[
    str, Callable[[Driver], Coroutine[object, object, object]]
] = {
    "container_delete": lambda d: d.container_delete(MISSING),
    "container_info": lambda d: d.container_info(MISSING),
    "container_options": lambda d: d.container_options(MISSING),
    "container_set_options": lambda d: d.container_set_options(MISSING, {"a": "b"}),
    "file_list": lambda d: d.file_list(MISSING),
    "file_read": lambda d: d.file_read(MISSING, "key"),
    "file_create": lambda d: d.file_create(MISSING, "key", Pieces(b"x")),
    "file_delete": lambda d: d.file_delete(MISSING, "key"),
    "file_copy to": lambda d: d.file_copy(MISSING, "key", "a-container", "key"),
    "file_copy from": lambda d: d.file_copy("a-container", "new", MISSING, "key"),
}


class ContainersContract(Contract):
    """Creating, listing, describing and deleting containers."""

    async def test_a_new_driver_has_no_container(self, driver: Driver) -> None:
        assert list(await driver.container_list()) == []

    async def test_a_created_container_is_described_and_listed(
        self, driver: Driver
    ) -> None:
        before = datetime.now(UTC)
        made = await driver.container_create("pictures", principal=ALICE)
        assert (made.name, made.owner) == ("pictures", ALICE)
        assert made.created.utcoffset() == timedelta(0)
        assert abs(made.created - before) < timedelta(minutes=1)
        assert await driver.container_info("pictures") == made
        assert list(await driver.container_list()) == [made]

    async def test_creating_an_own_container_again_succeeds_and_changes_nothing(
        self, driver: Driver
    ) -> None:
        options = {"location": "here"}
        first = await driver.container_create("mine", options=options, principal=ALICE)
        await put(driver, "mine", "key", b"kept")
        again = await driver.container_create(
            "mine", options={"location": "there"}, principal=ALICE
        )
        assert again == first
        assert (await driver.container_options("mine")).documents == options
        assert await get(driver, "mine", "key") == b"kept"

    async def test_the_application_creates_its_own_container_again(
        self, driver: Driver
    ) -> None:
        first = await driver.container_create("ours")
        assert first.owner is None
        assert await driver.container_create("ours") == first

    async def test_a_container_of_another_owner_is_not_created(
        self, driver: Driver
    ) -> None:
        first = await driver.container_create("hers", principal=ALICE)
        await driver.container_create("ours")
        with pytest.raises(ContainerExistsError):
            await driver.container_create("hers", principal=BOB)
        with pytest.raises(ContainerExistsError):
            await driver.container_create("ours", principal=BOB)
        assert await driver.container_info("hers") == first

    async def test_owners_are_compared_by_their_id(self, driver: Driver) -> None:
        first = await driver.container_create("hers", principal=ALICE)
        renamed = Principal(ALICE.id, "Another Name")
        again = await driver.container_create("hers", principal=renamed)
        assert again == first
        assert [c.name for c in await driver.container_list(principal=renamed)] == [
            "hers"
        ]

    async def test_an_owner_lists_own_containers_and_the_application_all_by_name(
        self, driver: Driver
    ) -> None:
        for name, owner in (("ccc", ALICE), ("aaa", ALICE), ("bbb", BOB)):
            await driver.container_create(name, principal=owner)
        await driver.container_create("ddd")
        for principal, expected in (
            (ALICE, ["aaa", "ccc"]),
            (BOB, ["bbb"]),
            (Principal("nobody"), []),
            (None, ["aaa", "bbb", "ccc", "ddd"]),
        ):
            listed = await driver.container_list(principal=principal)
            assert [container.name for container in listed] == expected

    @pytest.mark.parametrize("name", BAD_NAMES)
    async def test_a_bad_container_name_is_refused(
        self, driver: Driver, name: str
    ) -> None:
        with pytest.raises(InvalidContainerNameError):
            await driver.container_create(name)
        assert list(await driver.container_list()) == []

    @pytest.mark.parametrize("name", BAD_NAMES)
    async def test_a_bad_container_name_names_no_container(
        self, driver: Driver, name: str
    ) -> None:
        refusal = (InvalidContainerNameError, NoSuchContainerError)
        with pytest.raises(refusal):
            await driver.container_info(name)
        with pytest.raises(refusal):
            await driver.file_create(name, "key", Pieces(b"x"))
        with pytest.raises(refusal):
            await driver.file_list(name)
        with pytest.raises(refusal):
            await driver.container_delete(name)

    async def test_good_container_names_are_taken(self, driver: Driver) -> None:
        for name in GOOD_NAMES:
            await driver.container_create(name)
        listed = [container.name for container in await driver.container_list()]
        assert listed == sorted(GOOD_NAMES)

    @pytest.mark.parametrize("operation", sorted(ON_A_MISSING_CONTAINER))
    async def test_a_missing_container_is_told(
        self, driver: Driver, container: str, operation: str
    ) -> None:
        await put(driver, container, "key", b"x")
        with pytest.raises(NoSuchContainerError):
            await ON_A_MISSING_CONTAINER[operation](driver)
        assert [c.name for c in await driver.container_list()] == [container]
        assert await keys(driver, container) == ["key"]

    async def test_a_container_that_holds_files_is_not_deleted(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", b"kept")
        with pytest.raises(ContainerNotEmptyError):
            await driver.container_delete(container)
        assert await get(driver, container, "key") == b"kept"

    async def test_an_emptied_container_is_deleted_and_a_new_one_starts_afresh(
        self, driver: Driver
    ) -> None:
        await driver.container_create("again", options={"a": "1"}, principal=ALICE)
        await put(driver, "again", "key", b"x")
        await driver.file_delete("again", "key")
        await driver.container_delete("again")
        assert list(await driver.container_list()) == []
        with pytest.raises(NoSuchContainerError):
            await driver.container_info("again")
        made = await driver.container_create("again", principal=BOB)
        assert made.owner == BOB
        assert (await driver.container_options("again")).documents == {}
        assert await keys(driver, "again") == []

    async def test_containers_share_no_keys(self, driver: Driver) -> None:
        for name in ("one", "two"):
            await driver.container_create(name)
            await put(driver, name, "key", name.encode())
        await driver.file_delete("one", "key")
        assert await get(driver, "two", "key") == b"two"


class ContainerOptionsContract(Contract):
    """The option documents of a container."""

    async def test_option_documents_are_set_removed_and_kept(
        self, driver: Driver, container: str
    ) -> None:
        first = await driver.container_set_options(container, {"a": "1", "b": "2"})
        assert first.documents == {"a": "1", "b": "2"}
        second = await driver.container_set_options(
            container, {"a": None, "c": "3", "absent": None}
        )
        assert second.documents == {"b": "2", "c": "3"}
        assert second.version > first.version
        read = await driver.container_options(container)
        assert (read.documents, read.version) == (second.documents, second.version)

    async def test_option_documents_are_opaque(
        self, driver: Driver, container: str
    ) -> None:
        documents = {"cors": "<a>&'\"\0\n</a>", "größe": "ü" * 70_000, "none": ""}
        await driver.container_set_options(container, documents)
        assert (await driver.container_options(container)).documents == documents

    async def test_option_documents_belong_to_their_container(
        self, driver: Driver, container: str
    ) -> None:
        await driver.container_create("another", options={"a": "1"})
        assert (await driver.container_options(container)).documents == {}
        assert (await driver.container_options("another")).documents == {"a": "1"}

    async def test_options_of_another_version_are_left_alone(
        self, driver: Driver, container: str
    ) -> None:
        stale = (await driver.container_options(container)).version
        current = await driver.container_set_options(
            container, {"a": "1"}, if_version=stale
        )
        with pytest.raises(OptionsChangedError):
            await driver.container_set_options(container, {"a": "2"}, if_version=stale)
        left = await driver.container_options(container)
        assert (left.documents, left.version) == ({"a": "1"}, current.version)

    async def test_of_concurrent_compare_and_sets_of_options_one_wins(
        self, driver: Driver, container: str
    ) -> None:
        version = (await driver.container_options(container)).version
        results = await outcomes(
            [
                driver.container_set_options(
                    container, {"winner": str(n)}, if_version=version
                )
                for n in range(8)
            ]
        )
        won = [r for r in results if not isinstance(r, BaseException)]
        lost = [r for r in results if isinstance(r, OptionsChangedError)]
        assert (len(won), len(lost)) == (1, 7)
        read = await driver.container_options(container)
        assert read.documents == won[0].documents
