"""Keys: any Unicode text of 1 to 1,024 bytes is one, and nothing but a name."""

# ruff: noqa: S101 - these are tests: they assert

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ..errors import InvalidKeyError, NoSuchFileError
from ._support import Contract, Pieces, get, keys, put

if TYPE_CHECKING:
    from ..driver import Driver

ODD_KEYS = (
    "a",
    "a/b",
    "a/",
    "a//b",
    "/",
    "//",
    "/etc/passwd",
    ".",
    "..",
    "../..",
    "../../etc/passwd",
    "a/../b",
    "with space",
    " lead and trail ",
    "tab\tand\nnew line\r\n",
    "nul\0in it",
    "\0",
    "\x01\x1f\x7f\x80",
    "percent%2F%00%zz",
    "plus+and&?#;=,:@$!'()*",
    "quotes\"and'and`",
    "<xml>&amp;</xml>",
    "back\\slash",
    "$(touch x); rm -rf *",
    "über/straße",
    "e\u0301 is not \xe9",
    "\xe9 is not e\u0301",
    "日本語",
    "\U0001f600",
    "\ufeffbom",
    "\uffff",
    "\u202eright to left",
    "CASE",
    "case",
    "NUL",
    "x" * 255,
    "x" * 1024,
    "é" * 512,
    "/".join("d" * 512),
    "-",
    "~tmp",
    ".wal",
)
BAD_KEYS = ("", "x" * 1025, "é" * 513, "\ud800", "a\udfff")


class KeysContract(Contract):
    """Hostile and odd keys."""

    async def test_any_key_names_its_own_file(
        self, driver: Driver, container: str
    ) -> None:
        for key in ODD_KEYS:
            await put(driver, container, key, b"body of " + key.encode())
        assert await keys(driver, container) == sorted(ODD_KEYS, key=str.encode)
        for key in ODD_KEYS:
            assert await get(driver, container, key) == b"body of " + key.encode()
        for number, key in enumerate(ODD_KEYS, 1):
            await driver.file_delete(container, key)
            with pytest.raises(NoSuchFileError):
                await driver.file_read(container, key)
            assert len(await keys(driver, container)) == len(ODD_KEYS) - number

    async def test_any_key_is_copied_from_and_to(
        self, driver: Driver, container: str
    ) -> None:
        await driver.container_create("other")
        for key in ODD_KEYS:
            await put(driver, container, "source", key.encode())
            await driver.file_copy("other", key, container, "source")
            await driver.file_copy(container, "back", "other", key)
            assert await get(driver, container, "back") == key.encode()
        assert await keys(driver, "other") == sorted(ODD_KEYS, key=str.encode)

    async def test_any_key_is_its_own_prefix_and_marker(
        self, driver: Driver, container: str
    ) -> None:
        ordered = sorted(ODD_KEYS, key=str.encode)
        for key in ODD_KEYS:
            await put(driver, container, key)
        for index, key in enumerate(ordered):
            after = await driver.file_list(container, marker=key)
            assert [file.key for file in after.files] == ordered[index + 1 :]
            below = await driver.file_list(container, prefix=key)
            assert [file.key for file in below.files] == [
                other for other in ordered if other.startswith(key)
            ]

    @pytest.mark.parametrize("key", BAD_KEYS)
    async def test_a_bad_key_is_refused(
        self, driver: Driver, container: str, key: str
    ) -> None:
        await put(driver, container, "good", b"x")
        with pytest.raises(InvalidKeyError):
            await driver.file_create(container, key, Pieces(b"x"))
        with pytest.raises(InvalidKeyError):
            await driver.file_copy(container, key, container, "good")
        assert await keys(driver, container) == ["good"]

    @pytest.mark.parametrize("key", BAD_KEYS)
    async def test_a_bad_key_names_no_file(
        self, driver: Driver, container: str, key: str
    ) -> None:
        refusal = (InvalidKeyError, NoSuchFileError)
        with pytest.raises(refusal):
            await driver.file_read(container, key)
        with pytest.raises(refusal):
            await driver.file_copy(container, "new", container, key)
        with pytest.raises(InvalidKeyError):
            await driver.file_delete(container, key)
