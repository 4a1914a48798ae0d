"""Parsers and writers of single header values, request paths and queries.

Pure. A parser takes the value (None where the header is absent) and returns a value of
`blob.types`; what RFC 9110 tells a server to ignore becomes None, what S3 refuses
raises. Headers given whole are (name, value) pairs, names in any case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..types import ByteRange, Conditions, Metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = (
    "CopySource",
    "http_date",
    "metadata_headers",
    "parse_conditions",
    "parse_content_length",
    "parse_content_md5",
    "parse_copy_range",
    "parse_copy_source",
    "parse_decoded_length",
    "parse_etags",
    "parse_http_date",
    "parse_metadata",
    "parse_query",
    "parse_range",
    "quote_etag",
    "split_path",
)


@dataclass(frozen=True, slots=True)
class CopySource:
    """What x-amz-copy-source names."""

    container: str
    key: str
    version_id: str | None = None


def http_date(moment: datetime) -> str:
    """Return an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`."""
    raise NotImplementedError


def quote_etag(etag: str) -> str:
    """Return the ETag in its quotes."""
    return f'"{etag}"'


def parse_range(value: str | None) -> ByteRange | None:
    """Read a Range of one range of bytes; anything else is None (ignore it)."""
    raise NotImplementedError


def parse_copy_range(value: str | None) -> ByteRange | None:
    """Read x-amz-copy-source-range, `bytes=first-last`, else `InvalidArgumentError`."""
    raise NotImplementedError


def parse_etags(value: str | None) -> tuple[str, ...] | None:
    """Read If-Match or If-None-Match: tags without quotes, weak ones with `W/`."""
    raise NotImplementedError


def parse_http_date(value: str | None) -> datetime | None:
    """Read a date in any of the three forms of RFC 9110 5.6.7; None if it is none."""
    raise NotImplementedError


def parse_conditions(
    headers: Sequence[tuple[str, str]], *, prefix: str = ""
) -> Conditions | None:
    """Read the conditional headers; None where there are none.

    `prefix` "x-amz-copy-source-" reads those of a copy's source.
    """
    raise NotImplementedError


def parse_content_md5(value: str | None) -> bytes | None:
    """Return 16 raw bytes, else `InvalidDigestError`."""
    raise NotImplementedError


def parse_content_length(value: str | None) -> int | None:
    """Read Content-Length; `InvalidArgumentError` for no number of bytes."""
    raise NotImplementedError


def parse_decoded_length(value: str | None) -> int:
    """Read x-amz-decoded-content-length; `MissingContentLengthError` without."""
    raise NotImplementedError


def parse_copy_source(value: str) -> CopySource:
    """Read x-amz-copy-source, else `InvalidArgumentError`."""
    raise NotImplementedError


def split_path(raw_path: str) -> tuple[str | None, str | None]:
    """Split a raw request path (no query) into bucket and key, percent-decoded.

    The key is all after the first slash behind the bucket, `//` and all; it is None
    for `/bucket` and `/bucket/`. Raises `InvalidURIError`.
    """
    raise NotImplementedError


def parse_query(raw_query: str) -> list[tuple[str, str]]:
    """Decode a raw query, in its order; `+` is a space. Raises `InvalidURIError`."""
    raise NotImplementedError


def parse_metadata(headers: Sequence[tuple[str, str]]) -> Metadata:
    """Read Content-* and the like, x-amz-storage-class and x-amz-meta-*.

    Content-Encoding loses its aws-chunked token. RFC 2047 encoded words are decoded.
    Raises `MetadataTooLargeError` over 2 KiB, `InvalidArgumentError` for control
    characters.
    """
    raise NotImplementedError


def metadata_headers(metadata: Metadata) -> list[tuple[str, str]]:
    """Return the headers of a response; beyond ASCII as RFC 2047 encoded words."""
    raise NotImplementedError
