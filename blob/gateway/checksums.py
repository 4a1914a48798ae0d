"""S3's additional checksums: names, hashers, values, combinations, request headers.

Pure. Algorithms go by their lower case names: crc32, crc32c, crc64nvme, sha1, sha256;
values are base64 text, with `-N` behind them where composite.

Source: S3 user guide, "Checking object integrity".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from awscrt import checksums as crt

from .wire_errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = (
    "ALGORITHMS",
    "ChecksumSpec",
    "ChecksumType",
    "Hasher",
    "UploadChecksum",
    "check_value",
    "combine_composite",
    "combine_full_object",
    "encode",
    "header_name",
    "new_hasher",
    "parse_checksum",
    "parse_trailer_names",
    "parse_upload_checksum",
)

ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")

ChecksumType: TypeAlias = Literal["FULL_OBJECT", "COMPOSITE"]

_PREFIX = "x-amz-checksum-"
_NO_VALUES = ("mode", "algorithm", "type")
"""Headers of the prefix that hold no checksum."""

_LENGTHS = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}
_COMPOSITE = re.compile(r"([A-Za-z0-9+/=]+)-[1-9][0-9]{0,4}", re.ASCII)

_CRCS: dict[str, Callable[[bytes | bytearray | memoryview, int], int]] = {
    "crc32": zlib.crc32,
    "crc32c": crt.crc32c,
    "crc64nvme": crt.crc64nvme,
}
_COMBINE: dict[str, Callable[[int, int, int], int]] = {
    "crc32": crt.combine_crc32,
    "crc32c": crt.combine_crc32c,
    "crc64nvme": crt.combine_crc64nvme,
}


class Hasher(Protocol):
    """An incremental checksum; `update` releases the GIL for large pieces."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take in more bytes."""

    def digest(self) -> bytes:
        """Return the raw digest of all bytes so far (big endian for the CRCs)."""


class _Crc:
    """A CRC as a `Hasher`."""

    __slots__ = ("_length", "_step", "_value")

    def __init__(self, algorithm: str) -> None:
        self._step = _CRCS[algorithm]
        self._length = _LENGTHS[algorithm]
        self._value = 0

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._length, "big")


@dataclass(frozen=True, slots=True)
class ChecksumSpec:
    """The checksum that a body is sent with.

    `value` is that of the header, already valid in form; None where it comes in
    the trailer, under `header_name(algorithm)`.
    """

    algorithm: str
    value: str | None


@dataclass(frozen=True, slots=True)
class UploadChecksum:
    """What CreateMultipartUpload announces for the whole upload."""

    algorithm: str
    type: ChecksumType


def header_name(algorithm: str) -> str:
    """Return `x-amz-checksum-ALGORITHM`."""
    return _PREFIX + algorithm


def new_hasher(algorithm: str) -> Hasher:
    """Begin a checksum with one of `ALGORITHMS`."""
    if algorithm in _CRCS:
        return _Crc(algorithm)
    return hashlib.new(algorithm, usedforsecurity=False)


def encode(digest: bytes) -> str:
    """Return the base64 text of a raw digest."""
    return base64.b64encode(digest).decode()


def check_value(algorithm: str, value: str, *, composite: bool = False) -> str:
    """Return a value that has the algorithm's form, else `InvalidRequestError`.

    `composite` takes one with a number of parts behind it, too.
    """
    _decode(algorithm, value, composite=composite)
    return value


def _decode(algorithm: str, value: str, *, composite: bool = False) -> bytes:
    match = _COMPOSITE.fullmatch(value) if composite else None
    try:
        digest = base64.b64decode(match[1] if match else value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid_value(algorithm) from error
    if len(digest) != _LENGTHS[algorithm]:
        raise _invalid_value(algorithm)
    return digest


def _invalid_value(algorithm: str) -> InvalidRequestError:
    return InvalidRequestError(f"Value for {header_name(algorithm)} header is invalid.")


def combine_full_object(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """Compute the CRC of the whole from (value, size in bytes) of its parts, in order.

    Raises `InvalidRequestError` for SHA-1 and SHA-256, which cannot be combined.
    """
    if algorithm not in _COMBINE:
        raise _impossible("FULL_OBJECT", algorithm)
    combine = _COMBINE[algorithm]
    whole = 0
    for value, size in parts:
        whole = combine(whole, int.from_bytes(_decode(algorithm, value), "big"), size)
    return encode(whole.to_bytes(_LENGTHS[algorithm], "big"))


def combine_composite(algorithm: str, values: Sequence[str]) -> str:
    """Compute the checksum of the parts' checksums, `base64-N`."""
    hasher = new_hasher(algorithm)
    for value in values:
        hasher.update(_decode(algorithm, value))
    return f"{encode(hasher.digest())}-{len(values)}"


def parse_checksum(
    headers: Sequence[tuple[str, str]], *, composite: bool = False
) -> ChecksumSpec | None:
    """Read x-amz-checksum-*, x-amz-sdk-checksum-algorithm and x-amz-trailer.

    None where the body is sent without. `composite` takes values with a number of parts
    too (CompleteMultipartUpload). Raises `InvalidRequestError` for more than one
    checksum, a malformed one, or names that contradict each other.
    """
    announced: str | None = None
    found: list[ChecksumSpec] = []
    for raw_name, raw_value in headers:
        name, value = raw_name.lower(), raw_value.strip()
        if name == "x-amz-sdk-checksum-algorithm":
            announced = value.lower()
        elif name.startswith(_PREFIX) and name[len(_PREFIX) :] not in _NO_VALUES:
            algorithm = _algorithm(name, "x-amz-checksum-")
            value = check_value(algorithm, value, composite=composite)
            found.append(ChecksumSpec(algorithm, value))
    found += [
        ChecksumSpec(_algorithm(name, "x-amz-trailer"), None)
        for name in parse_trailer_names(headers)
    ]
    if len(found) > 1:
        raise InvalidRequestError(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not"
            " allowed."
        )
    _check_announced(announced, found)
    return found[0] if found else None


def _check_announced(announced: str | None, found: list[ChecksumSpec]) -> None:
    if announced is None:
        return
    if not found:
        raise InvalidRequestError(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding"
            " x-amz-checksum-* or x-amz-trailer headers were found."
        )
    if announced != found[0].algorithm:
        raise InvalidRequestError(
            "Value for x-amz-sdk-checksum-algorithm header is invalid."
        )


def _algorithm(name: str, header: str) -> str:
    algorithm = name.removeprefix(_PREFIX)
    if algorithm == name or algorithm not in ALGORITHMS:
        raise InvalidRequestError(
            f"The value specified in the {header} header is not supported"
        )
    return algorithm


def parse_trailer_names(headers: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return the lower case names that x-amz-trailer announces."""
    return tuple(
        name.strip().lower()
        for header, value in headers
        if header.lower() == "x-amz-trailer"
        for name in value.split(",")
    )


def parse_upload_checksum(
    headers: Sequence[tuple[str, str]],
) -> UploadChecksum | None:
    """Read x-amz-checksum-algorithm and x-amz-checksum-type of CreateMultipartUpload.

    Without a type: COMPOSITE, but FULL_OBJECT for crc64nvme. Raises
    `InvalidRequestError` for combinations S3 does not have.
    """
    values = {name.lower(): value.strip() for name, value in headers}
    algorithm = values.get("x-amz-checksum-algorithm", "").lower()
    kind = values.get("x-amz-checksum-type", "").upper()
    if not algorithm:
        if kind:
            raise InvalidRequestError(
                "The x-amz-checksum-type header can only be used with the"
                " x-amz-checksum-algorithm header."
            )
        return None
    if algorithm not in ALGORITHMS:
        raise InvalidRequestError(
            "Checksum algorithm provided is unsupported. Please try again with any of"
            " the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
        )
    return UploadChecksum(algorithm, _checksum_type(algorithm, kind))


def _checksum_type(algorithm: str, kind: str) -> ChecksumType:
    full = algorithm == "crc64nvme" if not kind else kind == "FULL_OBJECT"
    if kind not in ("", "FULL_OBJECT", "COMPOSITE"):
        raise InvalidRequestError("Value for x-amz-checksum-type header is invalid.")
    if full and algorithm not in _COMBINE:
        raise _impossible("FULL_OBJECT", algorithm)
    if not full and algorithm == "crc64nvme":
        raise _impossible("COMPOSITE", algorithm)
    return "FULL_OBJECT" if full else "COMPOSITE"


def _impossible(kind: ChecksumType, algorithm: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"The {kind} checksum type cannot be used with the {algorithm} checksum"
        " algorithm."
    )
