"""The example of an own driver: the whole contract over it, and its program."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_asyncio

from blob.errors import EntityTooLargeError, NoSuchContainerError
from blob.simple import SimpleDriver
from blob.testing import DriverContract
from blob.testing._support import Pieces, get, keys, md5, put
from blob.types import CreateOptions

PROGRAM = Path(__file__).parents[2] / "examples" / "own_driver.py"


def _load():
    spec = importlib.util.spec_from_file_location("own_driver", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


own_driver = _load()


class TestOwnDriver(DriverContract):
    @pytest_asyncio.fixture
    async def driver(self):
        async with own_driver.DictDriver() as driver:
            yield driver


def _giving_way(name):
    """A primitive that waits before and after, as one of a remote store does."""
    primitive = getattr(own_driver.DictDriver, name)

    async def slow(self, *args):
        await asyncio.sleep(0)
        try:
            return await primitive(self, *args)
        finally:
            await asyncio.sleep(0)

    return slow


PRIMITIVES = sorted(SimpleDriver.__abstractmethods__)
RemoteDriver = type(
    "RemoteDriver",
    (own_driver.DictDriver,),
    {name: _giving_way(name) for name in PRIMITIVES},
)


class TestOverAStoreThatWaits(DriverContract):
    """The same where others run between any two primitives: swaps are lost, and won."""

    @pytest_asyncio.fixture
    async def driver(self):
        async with RemoteDriver() as driver:
            yield driver


def test_the_program_puts_and_lists():
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        check=True,
        capture_output=True,
        text=True,
        cwd=PROGRAM.parents[1],
        env={"PYTHONPATH": str(PROGRAM.parents[1])},
    )
    assert done.stdout.splitlines() == [
        "prefixes: 2026/",
        "readme.txt: 19 bytes, ETag " + md5(b"this is readme.txt\n"),
        "this is 2026/hello.txt",
    ]


def test_the_driver_has_about_sixty_lines():
    [driver] = (
        node
        for node in ast.parse(PROGRAM.read_text()).body
        if isinstance(node, ast.ClassDef)
    )
    source = PROGRAM.read_text().splitlines()[driver.lineno - 1 : driver.end_lineno]
    assert sum(1 for line in source if line.strip()) <= 60


async def test_a_body_larger_than_a_value_may_be_is_refused():
    class Small(own_driver.DictDriver):
        max_size = 10

    async with Small() as driver:
        await driver.container_create("abc")
        await put(driver, "abc", "fits", bytes(10))
        body = Pieces(bytes(11))
        with pytest.raises(EntityTooLargeError):
            await driver.file_create("abc", "key", body)
        body = Pieces(bytes(11))
        with pytest.raises(EntityTooLargeError):
            await driver.file_create(
                "abc", "key", body, options=CreateOptions(content_length=11)
            )
        assert body.asked == 0
        assert await keys(driver, "abc") == ["fits"]


@pytest.mark.parametrize("call", ["set_options", "delete"])
async def test_a_container_made_again_meanwhile_is_not_changed(call):
    class Hooked(own_driver.DictDriver):
        hooked = False

        async def swap_container(self, container, old, new):
            if self.hooked:
                self.hooked = False
                await super().swap_container(container, old, None)
                await self.container_create(container, options={"whose": "bob's"})
            return await super().swap_container(container, old, new)

    async with Hooked() as driver:
        await driver.container_create("abc")
        driver.hooked = True
        calls = {
            "delete": lambda: driver.container_delete("abc"),
            "set_options": lambda: driver.container_set_options("abc", {"whose": "a"}),
        }
        with pytest.raises(NoSuchContainerError):
            await calls[call]()
        assert (await driver.container_options("abc")).documents == {"whose": "bob's"}


async def test_options_set_during_an_upload_do_not_disturb_it():
    async with own_driver.DictDriver() as driver:
        await driver.container_create("abc")

        async def body():
            yield b"body"
            await driver.container_set_options("abc", {"name": "text"})

        await driver.file_create("abc", "key", body())
        assert await get(driver, "abc", "key") == b"body"


async def test_a_write_that_loses_its_swap_is_made_again():
    class Losing(own_driver.DictDriver):
        losses = 0

        async def swap_file(self, container, key, old, new):
            if self.losses:
                self.losses -= 1
                return False
            return await super().swap_file(container, key, old, new)

    async with Losing() as driver:
        await driver.container_create("abc")
        driver.losses = 3
        await put(driver, "abc", "key", b"body")
        assert (driver.losses, await get(driver, "abc", "key")) == (0, b"body")
        driver.losses = 3
        await driver.file_delete("abc", "key")
        assert (driver.losses, await keys(driver, "abc")) == (0, [])
