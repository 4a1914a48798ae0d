"""Digests of parts and of the objects made of them, as S3 defines them; pure.

S3: "Checking object integrity": the checksum of a multipart object is the CRC of the
whole (FULL_OBJECT) or the digest of the parts' digests, followed by `-N` (COMPOSITE).
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from awscrt import checksums as _crt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .target import Chunk, Part

Integrity: TypeAlias = Literal["crc64nvme", "crc32c", "crc32", "sha256", "md5", "none"]

_MD5_ETAG = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class _Crc:
    width: int
    update: Callable[[Chunk, int], int]
    combine: Callable[[int, int, int], int]


_CRCS: dict[str, _Crc] = {
    "crc64nvme": _Crc(8, _crt.crc64nvme, _crt.combine_crc64nvme),
    "crc32c": _Crc(4, _crt.crc32c, _crt.combine_crc32c),
    "crc32": _Crc(4, _crt.crc32, _crt.combine_crc32),
}


def digest(algorithm: Integrity, chunks: Iterable[Chunk]) -> str:
    """Return the base64 digest of the chunks together; empty for "none"."""
    if algorithm == "none":
        return ""
    if crc := _CRCS.get(algorithm):
        value = 0
        for chunk in chunks:
            value = crc.update(chunk, value)
        return _base64(value.to_bytes(crc.width, "big"))
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    for chunk in chunks:
        hasher.update(chunk)
    return _base64(hasher.digest())


def checksum_of_object(algorithm: Integrity, parts: Sequence[Part]) -> str:
    """Return what the store must tell of the object made of these parts.

    Empty when the algorithm leaves nothing to tell ("md5": see `etag_of_object`).
    """
    if algorithm in ("none", "md5"):
        return ""
    digests = [base64.b64decode(part.checksum) for part in parts]
    if crc := _CRCS.get(algorithm):
        whole = 0
        for part, value in zip(parts, digests, strict=True):
            whole = crc.combine(whole, int.from_bytes(value, "big"), part.size)
        return _base64(whole.to_bytes(crc.width, "big"))
    hasher = hashlib.new(algorithm, b"".join(digests))
    return f"{_base64(hasher.digest())}-{len(parts)}"


def etag_of_object(parts: Sequence[Part]) -> str:
    """Return `md5(md5s)-N`; empty when the parts' ETags are no MD5s."""
    if not all(_MD5_ETAG.fullmatch(part.etag) for part in parts):
        return ""
    joined = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def md5_hex(md5_base64: str) -> str:
    """Return an MD5 as an ETag spells it."""
    return base64.b64decode(md5_base64).hex()


def is_full_object(algorithm: Integrity) -> bool:
    """Tell whether S3 checks this algorithm over the whole object."""
    return algorithm in _CRCS


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
