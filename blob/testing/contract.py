"""The contract suite: what every driver is held to, ours and a third party's.

Inherit from `DriverContract`, add `MultipartContract` and `DeleteManyContract` exactly
where the driver has the capability, and provide one fixture, `driver`: an opened driver
without any container. `_support` has the helpers that the tests share.

    class TestMine(MultipartContract, DriverContract):
        @pytest_asyncio.fixture
        async def driver(self, tmp_path):
            async with MyDriver(tmp_path) as driver:
                yield driver
"""

# ruff: noqa: D102, S101 - these are tests: their names tell, and they assert

from __future__ import annotations

from ..driver import Driver, supports_delete_many, supports_multipart
from . import _needs  # noqa: F401 - before the others: they need it
from ._completing import CompletingContract
from ._concurrency import ConcurrencyContract
from ._conditions import ConditionsContract
from ._containers import ContainerOptionsContract, ContainersContract
from ._copying import CopyingContract
from ._creating import CreatingContract
from ._deleting import DeletingContract, DeletingManyContract
from ._keys import KeysContract
from ._lifecycle import LifecycleContract, MultipartLifecycleContract
from ._listing import ListingContract
from ._parts import PartsContract
from ._reading import ReadingContract
from ._uploads import UploadsContract

__all__ = ("DeleteManyContract", "DriverContract", "MultipartContract")


class DeleteManyContract(DeletingManyContract):
    """What a `DeleteManyDriver` is held to."""


class MultipartContract(
    PartsContract, CompletingContract, UploadsContract, MultipartLifecycleContract
):
    """What a `MultipartDriver` is held to."""


class DriverContract(
    ContainersContract,
    ContainerOptionsContract,
    CreatingContract,
    KeysContract,
    ReadingContract,
    ConditionsContract,
    DeletingContract,
    CopyingContract,
    ListingContract,
    ConcurrencyContract,
    LifecycleContract,
):
    """What every `Driver` is held to; see the module for how to run it."""

    async def test_it_satisfies_the_protocol_and_tells_its_kind(
        self, driver: Driver
    ) -> None:
        assert isinstance(driver, Driver)
        assert driver.kind

    async def test_its_capabilities_are_those_the_suite_tests(
        self, driver: Driver
    ) -> None:
        has = "the driver has {0}: inherit from {1} exactly if so"
        assert supports_multipart(driver) == isinstance(self, MultipartContract), (
            has.format("multipart uploads, or has not", "MultipartContract")
        )
        assert supports_delete_many(driver) == isinstance(self, DeleteManyContract), (
            has.format("file_delete_many, or has not", "DeleteManyContract")
        )
