"""From options to a driver: built-in types, a third party's, and what is refused."""

from __future__ import annotations

import logging
import sys

import pytest

from blob import Driver, create_driver
from blob.drivers.memory import MemoryDriver
from blob.errors import DriverConfigError
from blob.registry import GROUP, driver_types

PLUGIN = """
def create(options, logger):
    return ("third party", dict(options), logger)
"""


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    (tmp_path / "third_party_blob_driver.py").write_text(PLUGIN)
    info = tmp_path / "third_party_blob_driver-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: third-party-blob-driver\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        f"[{GROUP}]\nthird = third_party_blob_driver:create\n"
        "broken = no_such_module_of_a_driver:create\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("third_party_blob_driver", None)


def test_the_drivers_of_the_box_need_no_installation():
    assert {"fs", "memory"} <= set(driver_types())


async def test_a_driver_is_returned_at_once_and_opened_by_its_block():
    driver = create_driver({"type": "memory"})
    assert isinstance(driver, MemoryDriver)
    assert isinstance(driver, Driver)
    assert driver.kind == "memory"
    async with driver:
        assert list(await driver.container_list()) == []


def test_a_third_party_driver_is_found_by_its_entry_point(third_party):
    assert "third" in driver_types()
    logger = logging.getLogger("of my own")
    options = {"type": "third", "a": 1}
    made = create_driver(options, logger=logger)
    assert made == ("third party", {"a": 1}, logger)
    assert options == {"type": "third", "a": 1}


def test_a_driver_without_a_logger_logs_under_its_type(third_party):
    _, _, logger = create_driver({"type": "third"})
    assert logger.name == "blob.third"


def test_an_import_that_fails_says_so_itself(third_party):
    with pytest.raises(ImportError, match="no_such_module_of_a_driver"):
        create_driver({"type": "broken"})


def test_an_unknown_type_is_refused_with_those_there_are():
    with pytest.raises(DriverConfigError, match=r"'tape'.*fs, memory"):
        create_driver({"type": "tape"})


@pytest.mark.parametrize("options", ["fs", None, 3])
def test_options_that_are_no_mapping_are_refused(options):
    with pytest.raises(DriverConfigError, match="create_driver"):
        create_driver(options)


@pytest.mark.parametrize("options", [{}, {"type": None}, {"type": 3}, {"root": "x"}])
def test_options_without_a_type_are_refused(options):
    with pytest.raises(DriverConfigError, match="type"):
        create_driver(options)


@pytest.mark.parametrize(
    "options",
    [
        {"unknown": 1},
        {"quota": -1},
        {"quota": "10"},
        {"quota": 1.5},
        {"quota": True},
        {"obj_limit": -1},
        {"obj_limit": "many"},
    ],
)
def test_options_of_the_memory_driver_are_checked_at_once(options):
    with pytest.raises(DriverConfigError, match=next(iter(options))):
        create_driver({"type": "memory", **options})


class _Kept(logging.Handler):
    """Keeps its records; a handler that writes would block the loop."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


async def test_the_memory_driver_logs_to_the_logger_given():
    kept = _Kept()
    logger = logging.getLogger("blob.tests.kept")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(kept)
    async with create_driver({"type": "memory"}, logger=logger) as driver:
        await driver.container_create("abc")
    assert [record.name for record in kept.records] == ["blob.tests.kept"]
