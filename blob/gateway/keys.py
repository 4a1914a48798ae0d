"""Who may sign requests: a key store, kept in a TOML file that is re-read on change.

The file, readable by its owner alone, holds one table per key; only the first two
entries are needed:

    [[key]]
    access_key = "AKEXAMPLE"
    secret_key = "at least eight characters"
    canonical_id = "64 hex digits; keys that share it own the same buckets"
    display_name = "shown in listings"

Used by `auth` and by the command line.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import secrets
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import DriverConfigError
from ..types import Principal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = (
    "AccessKey",
    "KeyFile",
    "KeyStore",
    "StaticKeys",
    "derive_canonical_id",
    "generate_key",
    "read_keys",
    "write_keys",
)

_log = logging.getLogger("blob.gateway")

_FIELDS = frozenset({"access_key", "secret_key", "canonical_id", "display_name"})
_RECHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One key; `principal` is who the gateway takes its holder for."""

    access_key: str
    secret_key: str
    principal: Principal

    def __post_init__(self) -> None:
        """Refuse what an unset variable leaves: anybody can sign with no secret."""
        if not self.access_key or not self.secret_key:
            raise DriverConfigError("an access key and its secret cannot be empty.")

    def __repr__(self) -> str:
        # The generated one would write the secret into logs and tracebacks.
        return f"AccessKey({self.access_key!r}, principal={self.principal!r})"


class KeyStore(Protocol):
    """Where the gateway looks keys up."""

    async def find(self, access_key: str) -> AccessKey | None:
        """Return the key, or None where nobody has it."""


class StaticKeys:
    """Keys that do not change: `StaticKeys([AccessKey(...)])`."""

    def __init__(self, keys: Iterable[AccessKey]) -> None:
        self._keys = {key.access_key: key for key in keys}

    async def find(self, access_key: str) -> AccessKey | None:
        """Return the key, or None where nobody has it."""
        return self._keys.get(access_key)


class KeyFile:
    """Keys of a TOML file, looked at again at most once a second.

    `await load()` first: it raises `DriverConfigError` where the file is no key file.
    Later a file that cannot be read or understood is logged and the keys read last
    stay valid, so that a half-saved or lost file locks nobody out; a key is revoked by
    taking it out of the file, the last one by writing `key = []`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._keys: dict[str, AccessKey] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._checked = 0.0

    async def load(self) -> None:
        """Read the file now; raises `DriverConfigError`."""
        self._stamp, keys = await asyncio.to_thread(_load, self._path, None)
        mode = (await asyncio.to_thread(self._path.stat)).st_mode
        if mode & 0o077:
            _log.warning(
                "keys file %s holds secrets and is open to others: chmod 600 it.",
                self._path,
            )
        self._keys = {key.access_key: key for key in keys or ()}
        self._checked = time.monotonic()

    async def find(self, access_key: str) -> AccessKey | None:
        """Return the key, or None where nobody has it."""
        now = time.monotonic()
        if now - self._checked >= _RECHECK_SECONDS:
            self._checked = now  # before the await: one look for all who wait
            await self._reload()
        return self._keys.get(access_key)

    async def _reload(self) -> None:
        try:
            stamp, keys = await asyncio.to_thread(_load, self._path, self._stamp)
        except DriverConfigError as error:
            _log.error("%s The keys read before stay valid.", error)
            return
        self._stamp = stamp
        if keys is not None:
            self._keys = {key.access_key: key for key in keys}
            _log.info("read %d access keys again", len(keys))


def _load(
    path: Path, known: tuple[int, int, int] | None
) -> tuple[tuple[int, int, int], list[AccessKey] | None]:
    """Return the file's stamp, and its keys unless the stamp is the known one."""
    try:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == known:
            return stamp, None
        return stamp, read_keys(path)
    except FileNotFoundError as error:
        raise DriverConfigError(
            f"keys file {path}: there is none; `write_keys(path, [generate_key()])` of"
            " blob.gateway makes one, and so does `python -m blob serve --root DIR`."
        ) from error
    except OSError as error:
        raise DriverConfigError(
            f"keys file {path}: {error.strerror or error}."
        ) from error


def read_keys(path: Path) -> list[AccessKey]:
    """Read a key file. Raises OSError, or `DriverConfigError` saying what is wrong."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DriverConfigError(f"keys file {path}: not TOML: {error}.") from error
    entries = tables.get("key")
    if set(tables) != {"key"} or not isinstance(entries, list):
        raise DriverConfigError(f"keys file {path}: needs [[key]] tables, only those.")
    keys = [
        _key(entry, f"keys file {path}, key {n}") for n, entry in enumerate(entries, 1)
    ]
    if len({key.access_key for key in keys}) != len(keys):
        raise DriverConfigError(f"keys file {path}: an access_key is there twice.")
    return keys


def _key(entry: object, where: str) -> AccessKey:
    if not isinstance(entry, dict) or not set(entry) <= _FIELDS:
        raise DriverConfigError(f"{where}: knows only {', '.join(sorted(_FIELDS))}.")
    texts = {name: value for name, value in entry.items() if isinstance(value, str)}
    if len(texts) != len(entry) or not all(texts.values()):
        raise DriverConfigError(f"{where}: every entry must be a string with content.")
    if not {"access_key", "secret_key"} <= set(texts):
        raise DriverConfigError(f"{where}: access_key and secret_key are needed.")
    access, secret = texts["access_key"], texts["secret_key"]
    if len(secret) < 8:
        raise DriverConfigError(f"{where}: secret_key has less than 8 characters.")
    canonical = texts.get("canonical_id", derive_canonical_id(access))
    principal = Principal(canonical, texts.get("display_name", access))
    return AccessKey(access, secret, principal)


def derive_canonical_id(access_key: str) -> str:
    """Return the canonical id of a key that names none: 64 hex digits of its own."""
    return hashlib.sha256(b"aiostow canonical id:" + access_key.encode()).hexdigest()


def generate_key(display_name: str = "blob") -> AccessKey:
    """Make up a key: 20 characters, a secret of 240 random bits."""
    access = "AK" + secrets.token_hex(9).upper()
    secret = secrets.token_urlsafe(30)
    return AccessKey(
        access, secret, Principal(derive_canonical_id(access), display_name)
    )


def write_keys(path: Path, keys: Iterable[AccessKey]) -> None:
    """Create a key file with mode 0600; raises FileExistsError where there is one."""
    text = "\n".join(
        "[[key]]\n"
        f"access_key = {json.dumps(key.access_key)}\n"
        f"secret_key = {json.dumps(key.secret_key)}\n"
        f"canonical_id = {json.dumps(key.principal.id)}\n"
        f"display_name = {json.dumps(key.principal.display_name)}\n"
        for key in keys
    )
    # Written aside and linked: a crash here must not leave half a key file behind.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(aside)
    finally:
        aside.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # whoever loses the keys loses the buckets they own
    finally:
        os.close(directory)
