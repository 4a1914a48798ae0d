"""The options of the fs driver, checked; used by `driver.create`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

from ...errors import DriverConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

Durability: TypeAlias = Literal["full", "data", "none"]

# Measured: a file of its own costs two more syncs. In the index 64 KiB are stored three
# times as fast and read twice as fast; at 128 KiB writing the log twice weighs as much.
_INLINE_LIMIT = 64 * 1024
_MAX_INLINE_LIMIT = 1024 * 1024
_KNOWN = {"root", "durability", "quota", "obj_limit", "inline_limit"}


@dataclass(frozen=True, slots=True)
class FsOptions:
    """What `create` was given.

    `durability` says what an acknowledged write survives:

    - `full`: data, directory entry and index are synced before the acknowledgement, so
      it survives a power cut, as far as the disk honours a flush.
    - `data`: data and index are synced, directories are not. After a power cut the
      name of a recent data file may be gone though its index entry is there, and
      reading it then raises `CorruptDataError`; small files (inline) are as in `full`.
    - `none`: no write is synced. It survives the death of the process (SIGKILL), not
      of the machine: a power cut may lose what was acknowledged last, and leave data
      files short. What other processes wrote to the same root with `full` it keeps.

    `quota` (bytes) and `obj_limit` (files) hold for the whole store. A body of up to
    `inline_limit` bytes is kept in the index instead of a file of its own.
    """

    root: Path
    durability: Durability = "full"
    quota: int | None = None
    obj_limit: int | None = None
    inline_limit: int = _INLINE_LIMIT


def parse_options(options: Mapping[str, object]) -> FsOptions:
    """Check the options; raises `DriverConfigError` saying which one is wrong."""
    unknown = sorted(set(options) - _KNOWN)
    if unknown:
        known = ", ".join(sorted(_KNOWN))
        raise DriverConfigError(f"fs: unknown option {unknown[0]!r}; it knows {known}.")
    durability = options.get("durability", "full")
    if durability not in get_args(Durability):
        raise DriverConfigError("fs: 'durability' is 'full', 'data' or 'none'.")
    inline_limit = _count(options, "inline_limit")
    if inline_limit is None:
        inline_limit = _INLINE_LIMIT
    if inline_limit > _MAX_INLINE_LIMIT:
        raise DriverConfigError("fs: 'inline_limit' is at most 1 MiB.")
    return FsOptions(
        root=_root(options.get("root")),
        durability=cast("Durability", durability),
        quota=_count(options, "quota"),
        obj_limit=_count(options, "obj_limit"),
        inline_limit=inline_limit,
    )


def _root(value: object) -> Path:
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise DriverConfigError("fs: 'root' must name a directory.")
    path = os.fspath(value)
    if not isinstance(path, str) or "\0" in path:
        raise DriverConfigError("fs: 'root' must name a directory.")
    return Path(path).expanduser().absolute()


def _count(options: Mapping[str, object], name: str) -> int | None:
    value = options.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise DriverConfigError(f"fs: {name!r} must be a whole number, 0 or more.")
    return value
