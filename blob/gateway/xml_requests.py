"""The XML documents of requests, parsed: CreateBucket, Complete, DeleteObjects.

Pure. By defusedxml with DTDs forbidden; elements are in S3's namespace or in none.
Anything else is a `MalformedXMLError`. Unknown elements are passed over. Parse bodies
over 64 KiB in a thread.

Source: S3 API reference, the request syntax of each action.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ..driver import MAX_PARTS
from ..errors import InvalidArgumentError
from ..types import DeleteGuard, DeleteRequest, PartRef
from .checksums import ALGORITHMS, check_value
from .headers import parse_etags, parse_http_date
from .wire_errors import MalformedXMLError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = (
    "MAX_BODY",
    "MAX_DELETES",
    "DeleteMany",
    "parse_complete_multipart_upload",
    "parse_create_bucket",
    "parse_delete_objects",
)

MAX_BODY = 8 * 1024 * 1024
"""Bytes a request document may have: 10,000 parts, or 1,000 keys all escaped, fit."""

MAX_DELETES = 1000
"""Objects that one DeleteObjects may name."""

_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_CHECKSUMS = {"Checksum" + name.upper(): name for name in ALGORITHMS}


@dataclass(frozen=True, slots=True)
class DeleteMany:
    """What DeleteObjects asks; `quiet` reports errors only."""

    requests: tuple[DeleteRequest, ...]
    quiet: bool


def _parse(body: bytes, root: str) -> Element:
    if len(body) > MAX_BODY:
        raise MalformedXMLError
    try:
        element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        # ValueError and LookupError: an encoding that expat cannot have or know.
        raise MalformedXMLError from error
    if _name(element) != root:
        raise MalformedXMLError
    return element


def _name(element: Element) -> str:
    """Return the name without S3's namespace; in a foreign one it equals no name."""
    return element.tag.removeprefix(_NAMESPACE)


def _fields(element: Element) -> dict[str, str]:
    """Return the text of each child; a name that comes twice is malformed."""
    fields: dict[str, str] = {}
    for child in element:
        name = _name(child)
        if name in fields:
            raise MalformedXMLError
        fields[name] = child.text or ""
    return fields


def _number(text: str | None) -> int:
    if text is None or not _NUMBER.fullmatch(text.strip()):
        raise MalformedXMLError
    return int(text)


def parse_create_bucket(body: bytes) -> str | None:
    """Return the LocationConstraint, None without one (also for an empty body)."""
    if not body.strip():
        return None
    fields = _fields(_parse(body, "CreateBucketConfiguration"))
    return fields.get("LocationConstraint", "").strip() or None


def parse_complete_multipart_upload(body: bytes) -> tuple[PartRef, ...]:
    """Return the parts as listed (1 to 10,000 of them), ETags without quotes.

    Raises `MalformedXMLError`; `InvalidArgumentError` for a part number out of range,
    `InvalidRequestError` for a checksum that is none. The order is not looked at.
    """
    root = _parse(body, "CompleteMultipartUpload")
    parts = [child for child in root if _name(child) == "Part"]
    if not 0 < len(parts) <= MAX_PARTS:
        raise MalformedXMLError
    return tuple(_part(_fields(part)) for part in parts)


def _part(fields: dict[str, str]) -> PartRef:
    number = _number(fields.get("PartNumber"))
    if not 0 < number <= MAX_PARTS:
        raise InvalidArgumentError(f"PartNumber must be from 1 to {MAX_PARTS}.")
    etag = fields.get("ETag", "").strip().strip('"')
    if not etag:
        raise MalformedXMLError
    checksums = {
        algorithm: check_value(algorithm, fields[name].strip())
        for name, algorithm in _CHECKSUMS.items()
        if fields.get(name)
    }
    return PartRef(number, etag, checksums)


def parse_delete_objects(body: bytes) -> DeleteMany:
    """Return the objects to delete (1 to 1,000), with their guards."""
    root = _parse(body, "Delete")
    objects = [child for child in root if _name(child) == "Object"]
    if not 0 < len(objects) <= MAX_DELETES:
        raise MalformedXMLError
    quiet = [child.text or "" for child in root if _name(child) == "Quiet"]
    return DeleteMany(
        tuple(_delete(_fields(element)) for element in objects),
        quiet=any(text.strip().lower() == "true" for text in quiet),
    )


def _delete(fields: dict[str, str]) -> DeleteRequest:
    key = fields.get("Key", "")
    if not key:
        raise MalformedXMLError
    guard = DeleteGuard(
        if_match=parse_etags(fields.get("ETag")),
        if_size=_number(fields["Size"]) if "Size" in fields else None,
        if_last_modified=_time(fields.get("LastModifiedTime")),
    )
    return DeleteRequest(
        key,
        fields.get("VersionId", "").strip() or None,
        None if guard == DeleteGuard() else guard,
    )


def _time(text: str | None) -> datetime | None:
    """Read a date of HTTP or of ISO 8601: clients send either."""
    if text is None:
        return None
    moment = parse_http_date(text)
    if moment is not None:
        return moment
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedXMLError from error
