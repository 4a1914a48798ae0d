"""Pieces of XML documents: escaped text, elements, what many documents share.

Pure; used by `xml`. Text is put together by hand, not by ElementTree: pages of 1,000
keys are written on the event loop, and a key may hold characters that XML 1.0 has no
form for. S3 writes them as numeric references all the same, and so is it here.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from ..types import Checksums, Principal

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_SPECIAL = re.compile('[&<>"\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def _reference(match: re.Match[str]) -> str:
    character = match[0]
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"  # half a character: bytes that were no UTF-8
    return _NAMED.get(character) or f"&#x{ord(character):X};"


def escape(text: str) -> str:
    """Return the text as it stands between tags."""
    return _SPECIAL.sub(_reference, text)


def percent(text: str) -> str:
    """Return the text as encoding-type=url has it."""
    return quote(text, safe="/", errors="replace")


def encoder(encode_url: bool) -> Callable[[str], str]:  # noqa: FBT001 - private
    """Return `percent` or `escape`."""
    return percent if encode_url else escape


def element(name: str, text: str | int | bool) -> str:  # noqa: FBT001 - a value
    """Write an element."""
    if isinstance(text, bool):
        return f"<{name}>{'true' if text else 'false'}</{name}>"
    return f"<{name}>{escape(text) if isinstance(text, str) else text}</{name}>"


def optional(name: str, text: str | int | None) -> str:
    """Write an element, or nothing where there is nothing to say."""
    return "" if text is None or text == "" else element(name, text)


def document(root: str, pieces: Iterable[str]) -> bytes:
    """Write a document in S3's namespace."""
    body = "".join(pieces)
    text = f'{DECLARATION}<{root} xmlns="{_NAMESPACE}">{body}</{root}>'
    return text.encode()


def iso_time(moment: datetime) -> str:
    """Return `2006-02-03T16:45:09.000Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text[:-6] + "Z"  # isoformat says +00:00


def person(name: str, principal: Principal | None) -> str:
    """Write an Owner or Initiator, or nothing where there is none."""
    if principal is None:
        return ""
    shown = optional("DisplayName", principal.display_name)
    return f"<{name}>{element('ID', principal.id)}{shown}</{name}>"


def etag_element(etag: str) -> str:
    """Write an ETag, in the quotes it has in HTTP."""
    return f"<ETag>&quot;{escape(etag)}&quot;</ETag>"


def checksum_elements(checksums: Checksums, kind: str | None = None) -> str:
    """Write `ChecksumCRC32` and its like, and ChecksumType where asked and there."""
    if not checksums:
        return ""
    values = [element(f"Checksum{k.upper()}", v) for k, v in checksums.items()]
    return "".join(values) + optional("ChecksumType", kind)


def encoded(name: str, text: str, encode: Callable[[str], str]) -> str:
    """Write an element whose text encoding-type=url concerns."""
    return f"<{name}>{encode(text)}</{name}>"
