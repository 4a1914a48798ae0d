"""What a configuration file of `serve` may say, as defaults for its options.

Two forms, each in TOML or JSON: the options' own names (`driver = "fs"`,
`root = "/srv/blob"`, `port = 9000`), or the form of the driver document the package
grew from:

    {"drivers": [{"disk": {"type": "fs", "option": {"root": "/srv/blob"}}}],
     "current_driver": "disk", "port": "9981", "keyID": "...", "secretID": "..."}

Used by `serve`.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import DriverConfigError
from ..gateway.keys import AccessKey, derive_canonical_id
from ..types import Principal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

__all__ = ("Config", "parse_config", "read_config")

# Settings of the old form that ask for nothing a gateway of today still has to be told.
_OBSOLETE = frozenset({"logtype", "logfile", "debug", "account_file", "account_api"})
_OBSOLETE_OPTIONS = frozenset(
    {"tmp_path", "node_exepath", "collector"}
    | {f"{job}_exepath" for job in ("gc", "gcfc", "gctmp", "ec")}
    | {f"{job}_interval" for job in ("gc", "gcfc", "gctmp", "ec")}
)


@dataclass(frozen=True, slots=True)
class Config:
    """Defaults for the options, the key given inline, and what was left unheeded."""

    options: Mapping[str, object]
    key: AccessKey | None = None
    ignored: tuple[str, ...] = ()


def read_config(path: Path, known: Collection[str]) -> Config:
    """Read a file. Raises OSError, or `DriverConfigError` saying what is wrong."""
    try:
        return parse_config(path.read_text(encoding="utf-8"), known)
    except (ValueError, UnicodeDecodeError) as error:
        raise DriverConfigError(f"configuration {path}: {error}") from error


def parse_config(text: str, known: Collection[str]) -> Config:
    """Parse either form; `known` are the options' names. Raises ValueError."""
    data = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    options = dict(data)
    key = _take_key(options)
    ignored = sorted(_OBSOLETE & options.keys())
    for name in ignored:
        del options[name]
    if options.pop("auth", "s3") != "s3":
        # Never open, nor weaker, by a word that was not understood.
        raise DriverConfigError("'auth' can only be 's3'.")
    if "drivers" in options:
        chosen, unheeded = _chosen_driver(options)
        options |= chosen
        ignored += unheeded
    unknown = sorted(options.keys() - set(known))
    if unknown:
        raise DriverConfigError(
            f"knows no {', '.join(unknown)}; there are {', '.join(sorted(known))}."
        )
    return Config(options, key, tuple(ignored))


def _take_key(options: dict[str, object]) -> AccessKey | None:
    access, secret = options.pop("keyID", None), options.pop("secretID", None)
    if access is None and secret is None:
        return None
    if not (isinstance(access, str) and isinstance(secret, str) and access and secret):
        raise DriverConfigError("'keyID' and 'secretID' go together, both strings.")
    # Always the same owner: a new key must still open the buckets of the old one.
    return AccessKey(access, secret, Principal(derive_canonical_id("keyID"), access))


def _chosen_driver(options: dict[str, object]) -> tuple[dict[str, object], list[str]]:
    """Take the driver list out; return its current entry as options."""
    drivers, current = options.pop("drivers"), options.pop("current_driver", None)
    entries: dict[str, dict[str, object]] = {}
    if isinstance(drivers, list):
        for item in drivers:
            if isinstance(item, dict):
                entries |= {str(name).lower(): entry for name, entry in item.items()}
    if current is None and len(entries) == 1:
        current = next(iter(entries))
    entry = entries.get(str(current).lower())
    if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
        raise DriverConfigError("'current_driver' names none of 'drivers'.")
    option = entry.get("option", {})
    if not isinstance(option, dict):
        raise DriverConfigError("a driver's 'option' is a table.")
    ignored = sorted(_OBSOLETE_OPTIONS & option.keys())
    kept = {name: option[name] for name in option if name not in _OBSOLETE_OPTIONS}
    return {"driver": entry["type"], **kept}, ignored
