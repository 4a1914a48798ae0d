"""Listing files: order, prefixes, delimiters, pages."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

import pytest

from ..errors import InvalidArgumentError
from ._support import Contract, check_page, keys, pages, put

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..driver import Driver

PHOTOS = (
    "photos/2005/May/a.jpg",
    "photos/2005/June/b.jpg",
    "photos/2006/January/sample.jpg",
    "photos/2006/February/sample2.jpg",
    "photos/2006/February/sample3.jpg",
    "sample.jpg",
)


def model(
    names: Iterable[str], prefix: str = "", marker: str = "", delimiter: str = ""
) -> tuple[list[str], list[str]]:
    """Return the keys and prefixes of a listing, the naive way."""
    found: list[str] = []
    groups: list[str] = []
    for name in sorted(names, key=str.encode):
        if not name.startswith(prefix):
            continue
        head, cut, _ = (
            name[len(prefix) :].partition(delimiter)
            if delimiter
            else (
                name,
                "",
                "",
            )
        )
        group = prefix + head + cut
        if cut:
            if group.encode() > marker.encode() and group not in groups:
                groups.append(group)
        elif name.encode() > marker.encode():
            found.append(name)
    return found, groups


async def _fill(driver: Driver, container: str, names: Iterable[str]) -> None:
    for name in names:
        await put(driver, container, name, name.encode())


class ListingContract(Contract):
    """Listing the files of a container."""

    async def test_an_empty_container_lists_nothing(
        self, driver: Driver, container: str
    ) -> None:
        page = await driver.file_list(container)
        assert (list(page.files), list(page.prefixes)) == ([], [])
        assert (page.is_truncated, page.next_marker) == (False, None)

    async def test_keys_come_in_the_byte_order_of_utf8(
        self, driver: Driver, container: str
    ) -> None:
        # UTF-16 and a locale would have these in other orders.
        ordered = ["A", "B", "a", "a\0", "a b", "a-b", "a/b", "aa", "é", "\ue000"]
        ordered += ["\uffff", "\U00010000", "\U0001f600"]
        await _fill(driver, container, reversed(ordered))
        assert await keys(driver, container) == ordered

    async def test_a_listing_is_exact_at_once(
        self, driver: Driver, container: str
    ) -> None:
        names: list[str] = []
        for number in (5, 3, 9, 1, 7):
            names.append(str(number))
            await put(driver, container, str(number), b"x")
            assert await keys(driver, container) == sorted(names)
        for name in tuple(names):
            names.remove(name)
            await driver.file_delete(container, name)
            assert await keys(driver, container) == sorted(names)

    async def test_a_prefix_selects_keys(self, driver: Driver, container: str) -> None:
        names = ("a", "ab", "abc", "abd", "ac", "b", "é", "éa", "%", "_", "a%", "*")
        await _fill(driver, container, names)
        for prefix in ("", "a", "ab", "abc", "abcd", "é", "%", "_", "a_", "*", "?"):
            files, groups = await pages(driver, container, prefix=prefix)
            assert ([file.key for file in files], groups) == model(names, prefix)

    async def test_the_marker_is_exclusive(
        self, driver: Driver, container: str
    ) -> None:
        await _fill(driver, container, ("a", "b", "b\0", "c"))
        for marker, expected in (
            ("", ["a", "b", "b\0", "c"]),
            ("a", ["b", "b\0", "c"]),
            ("aa", ["b", "b\0", "c"]),
            ("b", ["b\0", "c"]),
            ("b\0", ["c"]),
            ("c", []),
            ("z", []),
        ):
            page = await driver.file_list(container, marker=marker)
            assert [file.key for file in page.files] == expected

    async def test_a_marker_before_or_after_the_prefix_counts(
        self, driver: Driver, container: str
    ) -> None:
        await _fill(driver, container, ("a/1", "b/1", "b/2", "c/1"))
        for marker, expected in (
            ("a", ["b/1", "b/2"]),
            ("b/", ["b/1", "b/2"]),
            ("b/1", ["b/2"]),
            ("b/2", []),
            ("c", []),
        ):
            page = await driver.file_list(container, prefix="b/", marker=marker)
            assert [file.key for file in page.files] == expected

    async def test_a_delimiter_rolls_keys_up_into_prefixes(
        self, driver: Driver, container: str
    ) -> None:
        await _fill(driver, container, PHOTOS)
        page = await driver.file_list(container, delimiter="/")
        assert [file.key for file in page.files] == ["sample.jpg"]
        assert list(page.prefixes) == ["photos/"]
        page = await driver.file_list(container, prefix="photos/2006/", delimiter="/")
        assert list(page.files) == []
        assert list(page.prefixes) == [
            "photos/2006/February/",
            "photos/2006/January/",
        ]
        page = await driver.file_list(
            container, prefix="p", marker="photos/2005", max_keys=3
        )
        assert (len(page.files), page.is_truncated) == (3, True)

    async def test_a_delimiter_may_have_several_characters(
        self, driver: Driver, container: str
    ) -> None:
        names = (
            "a--b",
            "a--c",
            "a-b",
            "a---d",
            "--",
            "b",
            "日本語",
            "日本酒--x",
            "é--",
        )
        await _fill(driver, container, names)
        for delimiter in ("--", "-", "本", "本語", "---", "é", "none"):
            for prefix in ("", "a", "a-", "a--", "日", "日本"):
                files, groups = await pages(
                    driver, container, prefix=prefix, delimiter=delimiter
                )
                expected = model(names, prefix, "", delimiter)
                assert ([file.key for file in files], groups) == expected

    async def test_a_prefix_not_after_the_marker_is_not_repeated(
        self, driver: Driver, container: str
    ) -> None:
        names = ("a", "p/", "p/1", "p/2", "p0", "q/1")
        await _fill(driver, container, names)
        for marker in ("", "a", "p", "p/", "p/1", "p/2", "p/9", "p0", "q", "q/", "r"):
            files, groups = await pages(driver, container, marker=marker, delimiter="/")
            expected = model(names, "", marker, "/")
            assert ([file.key for file in files], groups) == expected

    async def test_no_keys_asked_is_an_empty_page_that_is_whole(
        self, driver: Driver, container: str
    ) -> None:
        await _fill(driver, container, ("a", "b/c"))
        for delimiter in ("", "/"):
            page = await driver.file_list(container, delimiter=delimiter, max_keys=0)
            assert (list(page.files), list(page.prefixes)) == ([], [])
            assert (page.is_truncated, page.next_marker) == (False, None)

    async def test_fewer_than_no_keys_is_refused(
        self, driver: Driver, container: str
    ) -> None:
        with pytest.raises(InvalidArgumentError):
            await driver.file_list(container, max_keys=-1)

    async def test_more_keys_than_any_page_has_may_be_asked_for(
        self, driver: Driver, container: str
    ) -> None:
        await _fill(driver, container, ("a", "b"))
        for many in (2**31, 2**63, 2**70):
            page = await driver.file_list(container, max_keys=many)
            assert [file.key for file in page.files] == ["a", "b"]

    async def test_a_page_of_just_what_there_is_is_whole(
        self, driver: Driver, container: str
    ) -> None:
        await _fill(driver, container, ("a", "b/1", "b/2"))
        page = await driver.file_list(container, delimiter="/", max_keys=2)
        assert page.is_truncated is False
        page = await driver.file_list(container, delimiter="/", max_keys=1)
        assert (page.is_truncated, page.next_marker) == (True, "a")

    @pytest.mark.parametrize("seed", range(3))
    async def test_pages_of_every_size_together_are_the_whole_listing(
        self, driver: Driver, container: str, seed: int
    ) -> None:
        dice = random.Random(seed)  # noqa: S311 - the same listings each time
        names = {_text(dice, 1, 6) for _ in range(40)}
        await _fill(driver, container, names)
        for size in (1, 2, 3, 7, len(names) - 1, len(names), 1000):
            for _ in range(6):
                prefix, marker = _text(dice, 0, 2), _text(dice, 0, 3)
                delimiter = dice.choice(("", "/", "ab", "é"))
                files, groups = await pages(
                    driver,
                    container,
                    prefix=prefix,
                    marker=marker,
                    delimiter=delimiter,
                    max_keys=size,
                )
                expected = model(names, prefix, marker, delimiter)
                assert ([file.key for file in files], groups) == expected
                assert all(file.size == len(file.key.encode()) for file in files)

    async def test_more_than_one_default_page_is_listed(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "0000", b"x")
        for number in range(1, 1005):
            await driver.file_copy(container, f"{number:04}", container, "0000")
        page = await driver.file_list(container)
        check_page(page, "", 1000)
        assert page.is_truncated is True
        assert len(await keys(driver, container)) == 1005

    async def test_text_that_is_no_unicode_selects_nothing(
        self, driver: Driver, container: str
    ) -> None:
        await put(driver, container, "key", b"x")
        with contextlib.suppress(InvalidArgumentError):
            page = await driver.file_list(container, prefix="\ud800")
            assert list(page.files) == []


def _text(dice: random.Random, least: int, most: int) -> str:
    return "".join(dice.choices("ab/é", k=dice.randint(least, most)))
