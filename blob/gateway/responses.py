"""Answers: documents, empty ones, errors, and the head of an object.

Used by the handlers and by `app`, which adds to each what all of them carry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from multidict import CIMultiDict

from ..errors import InvalidArgumentError
from .checksums import header_name
from .headers import http_date, quote_etag
from .metadata import metadata_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..types import Checksums, FileInfo, Upload
    from .call import Call

__all__ = (
    "checksum_headers",
    "document",
    "empty",
    "object_headers",
    "upload_checksum_headers",
)

_XML = "application/xml"

_OVERRIDES = {
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
    "response-content-language": "Content-Language",
    "response-content-type": "Content-Type",
    "response-expires": "Expires",
}


def document(
    body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with an XML document."""
    return web.Response(body=body, status=status, headers=headers, content_type=_XML)


def empty(status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer without a body."""
    return web.Response(status=status, headers=headers)


def checksum_headers(checksums: Checksums, checksum_type: str | None) -> dict[str, str]:
    """Return x-amz-checksum-* for what is stored; a part's has no type."""
    headers = {header_name(name): value for name, value in checksums.items()}
    if headers and checksum_type is not None:
        headers["x-amz-checksum-type"] = checksum_type
    return headers


def upload_checksum_headers(upload: Upload) -> dict[str, str]:
    """Return what CreateMultipartUpload says of the checksums to come."""
    if upload.checksum_algorithm is None or upload.checksum_type is None:
        return {}
    return {
        "x-amz-checksum-algorithm": upload.checksum_algorithm.upper(),
        "x-amz-checksum-type": upload.checksum_type,
    }


def object_headers(call: Call, info: FileInfo) -> CIMultiDict[str]:
    """Return the headers that describe an object, response-* overrides applied."""
    headers = CIMultiDict(metadata_headers(info.metadata))
    headers.setdefault("Content-Type", "binary/octet-stream")
    headers["ETag"] = quote_etag(info.etag)
    headers["Last-Modified"] = http_date(info.last_modified)
    headers["Accept-Ranges"] = "bytes"
    for name, header in _OVERRIDES.items():
        if name in call.query:
            headers[header] = _header_value(name, call.query[name])
    return headers


def _header_value(name: str, value: str) -> str:
    if not value.isprintable():
        raise InvalidArgumentError(f"{name} cannot be a header.")
    return value
