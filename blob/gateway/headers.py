"""Parsers and writers of single header values: ranges, conditions, lengths, paths.

Pure. A parser takes the value (None where the header is absent) and returns a value of
`blob.types`; what RFC 9110 tells a server to ignore becomes None, what S3 refuses
raises. Headers given whole are (name, value) pairs, names in any case. The headers that
are stored with an object are in `metadata`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from ..errors import InvalidArgumentError, InvalidDigestError
from ..types import ByteRange, Conditions
from .wire_errors import InvalidURIError, MissingContentLengthError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = (
    "CopySource",
    "http_date",
    "parse_conditions",
    "parse_content_length",
    "parse_content_md5",
    "parse_copy_range",
    "parse_copy_source",
    "parse_decoded_length",
    "parse_etags",
    "parse_http_date",
    "parse_query",
    "parse_range",
    "quote_etag",
    "split_path",
)

_MAX_DIGITS = 19
"""Digits that fit 63 bits; a longer number is cut to the largest one."""

_LARGEST = 2**63 - 1
_RANGE = re.compile(r"bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)", re.ASCII | re.IGNORECASE)
_COPY_RANGE = re.compile(r"bytes=([0-9]{1,19})-([0-9]{1,19})", re.ASCII)
_ETAG = re.compile(r'\s*(?:(W/)?"([^"]*)"|([^\s",]+))\s*(?:,|$)', re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIME = "(?P<h>[0-9]{2}):(?P<m>[0-9]{2}):(?P<s>[0-9]{2})"
_MONTH = "(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATES = tuple(
    re.compile(form, re.ASCII)
    for form in (
        f"{_DAY}, (?P<d>[0-9]{{2}}) {_MONTH} (?P<y>[0-9]{{4}}) {_TIME} GMT",
        f"[A-Z][a-z]{{5,8}}, (?P<d>[0-9]{{2}})-{_MONTH}-(?P<y>[0-9]{{2}}) {_TIME} GMT",
        f"{_DAY} {_MONTH} (?P<d>[0-9 ][0-9]) {_TIME} (?P<y>[0-9]{{4}})",
    )
)


@dataclass(frozen=True, slots=True)
class CopySource:
    """What x-amz-copy-source names."""

    container: str
    key: str
    version_id: str | None = None


def http_date(moment: datetime) -> str:
    """Return an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def quote_etag(etag: str) -> str:
    """Return the ETag in its quotes."""
    return f'"{etag}"'


def parse_range(value: str | None) -> ByteRange | None:
    """Read a Range of one range of bytes; anything else is None (ignore it)."""
    match = _RANGE.fullmatch(value.strip()) if value else None
    if match is None:
        return None
    first, last = (_clamped(text) for text in match.groups())
    if first is None and last is None:
        return None
    if first is not None and last is not None and last < first:
        return None  # RFC 9110 14.1.1: invalid, so ignored
    return ByteRange(first, last)


def _clamped(digits: str) -> int | None:
    if not digits:
        return None
    digits = digits.lstrip("0") or "0"
    return min(int(digits), _LARGEST) if len(digits) <= _MAX_DIGITS else _LARGEST


def parse_copy_range(value: str | None) -> ByteRange | None:
    """Read x-amz-copy-source-range, `bytes=first-last`, else `InvalidArgumentError`."""
    if value is None:
        return None
    match = _COPY_RANGE.fullmatch(value.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise InvalidArgumentError(
            "The x-amz-copy-source-range value must be of the form bytes=first-last"
            " where first and last are the zero-based offsets of the first and last"
            " bytes to copy"
        )
    return ByteRange(int(match[1]), int(match[2]))


def parse_etags(value: str | None) -> tuple[str, ...] | None:
    """Read If-Match or If-None-Match: tags without quotes, weak ones with `W/`.

    Tags without quotes are taken too, as S3 does. What cannot be read is one tag that
    matches nothing, so that a garbled condition never counts as fulfilled.
    """
    if value is None:
        return None
    text = value.strip()
    if text in ("*", '"*"'):
        return ("*",)
    tags = []
    position = 0
    while position < len(text):
        match = _ETAG.match(text, position)
        if match is None:
            return (text,)
        weak, quoted, bare = match.groups()
        tags.append(bare if quoted is None else (weak or "") + quoted)
        position = match.end()
    # A star among tags means nothing in the grammar: it must not match everything.
    return tuple(tag for tag in tags if tag != "*") or ("",)


def parse_http_date(value: str | None) -> datetime | None:
    """Read a date in any of the three forms of RFC 9110 5.6.7; None if it is none."""
    if value is None:
        return None
    for form in _DATES:
        match = form.fullmatch(value.strip())
        if match:
            return _moment(match)
    return None


def _moment(match: re.Match[str]) -> datetime | None:
    year = int(match["y"])
    if len(match["y"]) == 2:
        year += 1900 + 100 * (year + 1900 < datetime.now(UTC).year - 50)
    try:
        return datetime(
            year,
            _MONTHS.index(match["month"]) // 3 + 1,
            int(match["d"]),
            int(match["h"]),
            int(match["m"]),
            min(int(match["s"]), 59) if match["s"] == "60" else int(match["s"]),
            tzinfo=UTC,
        )
    except ValueError:
        return None


def parse_conditions(
    headers: Sequence[tuple[str, str]], *, prefix: str = ""
) -> Conditions | None:
    """Read the conditional headers; None where there are none.

    `prefix` "x-amz-copy-source-" reads those of a copy's source, which has no If-Range.
    A list that came as several lines is one list; of dates only a single one counts.
    """
    start = prefix + "if-"
    found: dict[str, list[str]] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered.startswith(start):
            found.setdefault(lowered[len(start) :], []).append(value)
    if not found:
        return None
    conditions = Conditions(
        if_match=parse_etags(_joined(found.get("match"))),
        if_none_match=parse_etags(_joined(found.get("none-match"))),
        if_modified_since=parse_http_date(_joined(found.get("modified-since"))),
        if_unmodified_since=parse_http_date(_joined(found.get("unmodified-since"))),
        if_range=None if prefix else _parse_if_range(_joined(found.get("range"))),
    )
    return None if conditions == Conditions() else conditions


def _joined(values: list[str] | None) -> str | None:
    return None if values is None else ",".join(values)


def _parse_if_range(value: str | None) -> str | datetime | None:
    moment = parse_http_date(value)
    if moment is not None or value is None:
        return moment
    tags = parse_etags(value) or ()
    # A star or a list is no validator: the empty tag equals none, so the range falls.
    return tags[0] if len(tags) == 1 and tags[0] != "*" else ""


def parse_content_md5(value: str | None) -> bytes | None:
    """Return 16 raw bytes, else `InvalidDigestError`."""
    if value is None:
        return None
    try:
        digest = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidDigestError(
            "The Content-MD5 you specified is not valid."
        ) from error
    if len(digest) != 16:
        raise InvalidDigestError("The Content-MD5 you specified is not valid.")
    return digest


def parse_content_length(value: str | None) -> int | None:
    """Read Content-Length; `InvalidArgumentError` for no number of bytes."""
    if value is None:
        return None
    if not _NUMBER.fullmatch(value):
        raise InvalidArgumentError("The Content-Length is not a number of bytes.")
    return int(value)


def parse_decoded_length(value: str | None) -> int:
    """Read x-amz-decoded-content-length; `MissingContentLengthError` without."""
    if value is None:
        raise MissingContentLengthError
    if not _NUMBER.fullmatch(value):
        raise InvalidArgumentError(
            "The x-amz-decoded-content-length is not a number of bytes."
        )
    return int(value)


def parse_copy_source(value: str) -> CopySource:
    """Read x-amz-copy-source, `[/]bucket/key[?versionId=ID]`, percent-encoded.

    Raises `InvalidArgumentError` where it names no bucket and key.
    """
    path, _, query = value.partition("?")
    version: str | None = None
    if query:
        name, _, version = query.partition("=")
        if name != "versionId" or not version:
            raise InvalidArgumentError("The copy source has an unknown parameter.")
    try:
        decoded = _decode(path)
        version = None if version is None else _decode(version)
    except InvalidURIError as error:
        raise InvalidArgumentError(
            "The copy source must be percent-encoded UTF-8."
        ) from error
    # Some clients encode the slash behind the bucket too, so split what is decoded.
    container, _, key = decoded.removeprefix("/").partition("/")
    if not container or not key:
        raise InvalidArgumentError(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        )
    return CopySource(container, key, version)


def split_path(raw_path: str) -> tuple[str | None, str | None]:
    """Split a raw request path (no query) into bucket and key, percent-decoded.

    The key is all after the first slash behind the bucket, `//` and all; it is None
    for `/bucket` and `/bucket/`. Raises `InvalidURIError`.
    """
    if not raw_path.startswith("/"):
        raise InvalidURIError
    bucket, _, key = raw_path[1:].partition("/")
    return _decode(bucket) or None, _decode(key) or None


def parse_query(raw_query: str) -> list[tuple[str, str]]:
    """Decode a raw query, in its order; `+` is a space. Raises `InvalidURIError`."""
    pairs = []
    for field in raw_query.split("&"):
        if field:
            name, _, value = field.partition("=")
            pairs.append(
                (_decode(name.replace("+", " ")), _decode(value.replace("+", " ")))
            )
    return pairs


def _decode(text: str) -> str:
    """Undo percent-encoding; also refuses text that was no UTF-8 when it arrived."""
    if "%" not in text and text.isascii():
        return text
    if _BAD_ESCAPE.search(text):
        raise InvalidURIError
    try:
        return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError as error:
        raise InvalidURIError from error
