"""The contract suite over the drivers of the box."""

from __future__ import annotations

import pytest_asyncio

from blob import create_driver
from blob.testing import DeleteManyContract, DriverContract, MultipartContract


class TestMemory(DeleteManyContract, MultipartContract, DriverContract):
    @pytest_asyncio.fixture
    async def driver(self):
        async with create_driver({"type": "memory"}) as driver:
            yield driver


class TestFs(DeleteManyContract, MultipartContract, DriverContract):
    @pytest_asyncio.fixture
    async def driver(self, tmp_path):
        options = {"type": "fs", "root": tmp_path, "quota": None}
        async with create_driver(options) as driver:
            yield driver
