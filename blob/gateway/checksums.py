"""S3's additional checksums: names, hashers, values, combinations, request headers.

Pure. Algorithms go by their lower case names: crc32, crc32c, crc64nvme, sha1, sha256;
values are base64 text, with `-N` behind them where composite.

Source: S3 user guide, "Checking object integrity".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    "parse_upload_checksum",
)

ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")

ChecksumType: TypeAlias = Literal["FULL_OBJECT", "COMPOSITE"]


class Hasher(Protocol):
    """An incremental checksum; `update` releases the GIL for large pieces."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take in more bytes."""

    def digest(self) -> bytes:
        """Return the raw digest of all bytes so far (big endian for the CRCs)."""


@dataclass(frozen=True, slots=True)
class ChecksumSpec:
    """The checksum that a body is sent with.

    `value` is that of the header, already valid in form; None where it is `in_trailer`.
    """

    algorithm: str
    value: str | None

    @property
    def in_trailer(self) -> bool:
        """The value comes in the trailer, under `header_name(algorithm)`."""
        return self.value is None


@dataclass(frozen=True, slots=True)
class UploadChecksum:
    """What CreateMultipartUpload announces for the whole upload."""

    algorithm: str
    type: ChecksumType


def header_name(algorithm: str) -> str:
    """Return `x-amz-checksum-ALGORITHM`."""
    return "x-amz-checksum-" + algorithm


def new_hasher(algorithm: str) -> Hasher:
    """Begin a checksum with one of `ALGORITHMS`."""
    raise NotImplementedError


def encode(digest: bytes) -> str:
    """Return the base64 text of a raw digest."""
    raise NotImplementedError


def check_value(algorithm: str, value: str) -> str:
    """Return a plain value that has the algorithm's form, else `InvalidRequestError`."""
    raise NotImplementedError


def combine_full_object(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """Compute the CRC of the whole from (value, size in bytes) of its parts, in order.

    Raises `InvalidRequestError` for SHA-1 and SHA-256, which cannot be combined.
    """
    raise NotImplementedError


def combine_composite(algorithm: str, values: Sequence[str]) -> str:
    """Compute the checksum of the parts' checksums, `base64-N`."""
    raise NotImplementedError


def parse_checksum(headers: Sequence[tuple[str, str]]) -> ChecksumSpec | None:
    """Read x-amz-checksum-*, x-amz-sdk-checksum-algorithm and x-amz-trailer.

    None where the body is sent without. Raises `InvalidRequestError` for more than one
    checksum, a malformed one, or names that contradict each other.
    """
    raise NotImplementedError


def parse_upload_checksum(
    headers: Sequence[tuple[str, str]],
) -> UploadChecksum | None:
    """Read x-amz-checksum-algorithm and x-amz-checksum-type of CreateMultipartUpload.

    Without a type: COMPOSITE, but FULL_OBJECT for crc64nvme. Raises
    `InvalidRequestError` for combinations S3 does not have.
    """
    raise NotImplementedError
