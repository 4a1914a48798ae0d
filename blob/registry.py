"""From options to a driver: the seed's `createDriver` factory.

Drivers register under the entry point group `blob.drivers`: the name is the type, the
object a callable `(options, logger) -> Driver` that returns at once and opens nothing
until `ready()`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

from .errors import DriverConfigError

if TYPE_CHECKING:
    from .driver import Driver

__all__ = ("GROUP", "DriverFactory", "create_driver", "driver_types")

GROUP = "blob.drivers"

# Ours need no installed metadata: a source checkout on sys.path is enough.
_BUILT_IN = {
    "fs": ("blob.drivers.fs", "create"),
    "memory": ("blob.drivers.memory", "create"),
}


class DriverFactory(Protocol):
    """What an entry point of the group loads to."""

    def __call__(self, options: Mapping[str, object], logger: logging.Logger) -> Driver:
        """Return a driver that is not open yet; raise `DriverConfigError`."""


def driver_types() -> tuple[str, ...]:
    """Name the types that `create_driver` knows here."""
    return tuple(sorted({*_BUILT_IN, *entry_points(group=GROUP).names}))


def create_driver(
    options: Mapping[str, object], *, logger: logging.Logger | None = None
) -> Driver:
    """Return the driver of `options["type"]`; the other options are the driver's own.

    It is returned at once and not open yet: `await driver.ready()` or `async with`
    opens it. `logger` is where it logs, else the logger `blob.TYPE`. Raises
    `DriverConfigError` for an unknown type or option, ImportError naming the extra
    where what the driver needs is not installed.
    """
    if not isinstance(options, Mapping):
        raise DriverConfigError(
            'options are a mapping: create_driver({"type": "fs", "root": "/srv/blob"}).'
        )
    rest = dict(options)
    kind = rest.pop("type", None)
    if not isinstance(kind, str):
        raise DriverConfigError("options need a 'type', such as 'fs' or 'memory'.")
    return _factory(kind)(rest, logger or logging.getLogger(f"blob.{kind}"))


def _factory(kind: str) -> DriverFactory:
    if kind in _BUILT_IN:
        module, name = _BUILT_IN[kind]
        return cast("DriverFactory", getattr(import_module(module), name))
    for entry in entry_points(group=GROUP, name=kind):
        return cast("DriverFactory", entry.load())
    known = ", ".join(driver_types())
    raise DriverConfigError(
        f"no driver of type {kind!r} is installed; there are {known}."
    )
