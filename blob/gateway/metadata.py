"""The metadata stored with an object: from the headers of a request, and back.

Pure. Headers are (name, value) pairs, names in any case.

Source: S3 user guide, "Working with object metadata"; RFC 2047 for what is beyond
ASCII.
"""

from __future__ import annotations

import base64
import quopri
import re
from typing import TYPE_CHECKING

from ..errors import InvalidArgumentError
from ..types import Metadata
from .wire_errors import MetadataTooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("MAX_USER_METADATA", "metadata_headers", "parse_metadata")

MAX_USER_METADATA = 2048
"""Bytes of UTF-8 that the names and values of user metadata may have together."""

_SYSTEM = {
    "content_type": "content-type",
    "cache_control": "cache-control",
    "content_disposition": "content-disposition",
    "content_encoding": "content-encoding",
    "content_language": "content-language",
    "expires": "expires",
    "storage_class": "x-amz-storage-class",
}
_SYSTEM_NAMES = frozenset(_SYSTEM.values())
_USER = "x-amz-meta-"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ENCODED_WORD = re.compile(
    r"=\?(utf-8|us-ascii|iso-8859-1)\?([bq])\?([^? ]*)\?=", re.ASCII | re.IGNORECASE
)
_BETWEEN_WORDS = re.compile(r"\?=[ \t]+=\?")


def parse_metadata(headers: Sequence[tuple[str, str]]) -> Metadata:
    """Read Content-* and the like, x-amz-storage-class and x-amz-meta-*.

    Content-Encoding loses its aws-chunked token. RFC 2047 encoded words are decoded.
    Raises `MetadataTooLargeError` over 2 KiB, `InvalidArgumentError` for control
    characters.
    """
    user: dict[str, str] = {}
    system: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.lower()
        if name.startswith(_USER):
            value = _checked(_decode_words(_text(raw_value)))
            key = _checked(_text(name.removeprefix(_USER)))
            user[key] = f"{user[key]},{value}" if key in user else value
        elif name in _SYSTEM_NAMES:
            value = _checked(_text(raw_value))
            system[name] = f"{system[name]}, {value}" if name in system else value
    if (
        sum(len(k.encode()) + len(v.encode()) for k, v in user.items())
        > MAX_USER_METADATA
    ):
        raise MetadataTooLargeError
    encoding = system.get("content-encoding")
    return Metadata(
        content_type=system.get("content-type") or None,
        cache_control=system.get("cache-control"),
        content_disposition=system.get("content-disposition"),
        content_encoding=_without_chunked(encoding) if encoding else None,
        content_language=system.get("content-language"),
        expires=system.get("expires"),
        storage_class=system.get("x-amz-storage-class") or None,
        user=user,
    )


def metadata_headers(metadata: Metadata) -> list[tuple[str, str]]:
    """Return the headers of a response; beyond ASCII as RFC 2047 encoded words.

    Content-Type is always among them; a storage class only where it is not STANDARD.
    """
    pairs = [("content-type", metadata.content_type or "binary/octet-stream")]
    for field, name in _SYSTEM.items():
        value: str | None = getattr(metadata, field)
        if value and field != "content_type" and value != "STANDARD":
            pairs.append((name, value))
    for key, value in metadata.user.items():
        pairs.append((_USER + key, value if value.isascii() else _encode_word(value)))
    return pairs


def _text(value: str) -> str:
    """Read bytes that were no UTF-8 as Latin-1, which HTTP's headers once were."""
    value = value.strip(" \t")
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _checked(value: str) -> str:
    if _CONTROL.search(value):
        raise InvalidArgumentError("Metadata may not hold control characters.")
    return value


def _decode_words(value: str) -> str:
    """Decode the encoded words of RFC 2047; what cannot be decoded stays."""
    return _ENCODED_WORD.sub(_decode_word, _BETWEEN_WORDS.sub("?==?", value))


def _decode_word(match: re.Match[str]) -> str:
    charset, encoding, text = match.groups()
    try:
        if encoding in "Bb":
            return base64.b64decode(text, validate=True).decode(charset)
        return quopri.decodestring(text.encode(), header=True).decode(charset)
    except ValueError:
        return match[0]


def _encode_word(value: str) -> str:
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def _without_chunked(encoding: str) -> str | None:
    tokens = [token.strip() for token in encoding.split(",")]
    kept = [token for token in tokens if token.lower() != "aws-chunked"]
    return encoding if kept == tokens else ",".join(kept) or None
