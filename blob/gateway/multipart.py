"""The multipart actions but CompleteMultipartUpload, which has a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..driver import MAX_PARTS, supports_multipart
from ..errors import InvalidArgumentError
from ..types import CopyOptions, CreateOptions
from . import xml
from .bodies import RequestBody
from .checksums import parse_upload_checksum
from .copy import copy_source
from .faults import not_implemented
from .headers import parse_copy_range, quote_etag
from .metadata import parse_metadata
from .object_write import refuse_write_conditions
from .responses import checksum_headers, document, empty, upload_checksum_headers

if TYPE_CHECKING:
    from aiohttp import web

    from ..driver import MultipartDriver
    from .call import Call

__all__ = (
    "abort_multipart_upload",
    "create_multipart_upload",
    "list_multipart_uploads",
    "list_parts",
    "multipart_driver",
    "upload_part",
    "upload_part_copy",
)

_PAGE = 1000


def multipart_driver(call: Call) -> MultipartDriver:
    """Return the driver as one that has multipart; 501 where it has not."""
    if not supports_multipart(call.driver):
        raise not_implemented("multipart uploads in this store")
    return call.driver


def _part_number(call: Call) -> int:
    message = f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive"
    text = call.query["partNumber"]
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidArgumentError(message)
    if not 1 <= int(text) <= MAX_PARTS:
        raise InvalidArgumentError(message)
    return int(text)


async def create_multipart_upload(call: Call) -> web.StreamResponse:
    """CreateMultipartUpload."""
    driver = multipart_driver(call)
    refuse_write_conditions(call)  # they belong to the completion
    metadata = parse_metadata(call.headers)
    checksum = parse_upload_checksum(call.headers)
    await call.check_bucket()
    upload = await driver.multipart_create(
        call.bucket,
        call.key,
        metadata=metadata,
        checksum_algorithm=checksum.algorithm if checksum else None,
        checksum_type=checksum.type if checksum else None,
        principal=call.principal,
    )
    return document(
        xml.initiate_multipart_upload(upload), headers=upload_checksum_headers(upload)
    )


async def upload_part(call: Call) -> web.StreamResponse:
    """UploadPart: like PutObject, under a number."""
    driver = multipart_driver(call)
    refuse_write_conditions(call)
    number = _part_number(call)
    body = RequestBody(call)
    await call.check_bucket()
    part = await driver.multipart_put_part(
        call.bucket,
        call.key,
        call.query["uploadId"],
        number,
        body,
        options=CreateOptions(
            content_length=body.length,
            content_md5=body.md5,
            checksums=body.checksums if body.spec else None,
        ),
        principal=call.principal,
    )
    return empty(
        headers={
            "ETag": quote_etag(part.etag),
            **checksum_headers(body.checksums(), None),
        }
    )


async def upload_part_copy(call: Call) -> web.StreamResponse:
    """UploadPartCopy: a part out of an object, or out of a range of it."""
    driver = multipart_driver(call)
    refuse_write_conditions(call)
    number = _part_number(call)
    wanted = parse_copy_range(call.header.get("x-amz-copy-source-range"))
    await call.check_bucket()
    source, conditions = await copy_source(call)
    part = await driver.multipart_copy_part(
        call.bucket,
        call.key,
        call.query["uploadId"],
        number,
        source.container,
        source.key,
        range=wanted,
        options=CopyOptions(
            source_version_id=source.version_id, source_conditions=conditions
        ),
        principal=call.principal,
    )
    return document(xml.copy_part(part.etag, part.last_modified, part.checksums))


async def list_parts(call: Call) -> web.StreamResponse:
    """ListParts."""
    driver = multipart_driver(call)
    marker = call.number("part-number-marker", default=0)
    max_parts = min(call.number("max-parts", default=_PAGE), _PAGE)
    encode_url = call.is_url_encoded()
    await call.check_bucket()
    listing = await driver.multipart_list_parts(
        call.bucket,
        call.key,
        call.query["uploadId"],
        marker=marker,
        max_parts=max_parts,
        principal=call.principal,
    )
    return document(
        xml.list_parts(
            listing, marker=marker, max_parts=max_parts, encode_url=encode_url
        )
    )


async def abort_multipart_upload(call: Call) -> web.StreamResponse:
    """AbortMultipartUpload."""
    driver = multipart_driver(call)
    await call.check_bucket()
    await driver.multipart_abort(
        call.bucket, call.key, call.query["uploadId"], principal=call.principal
    )
    return empty(204)


async def list_multipart_uploads(call: Call) -> web.StreamResponse:
    """ListMultipartUploads."""
    driver = multipart_driver(call)
    query = call.query
    max_uploads = min(call.number("max-uploads", default=_PAGE), _PAGE)
    encode_url = call.is_url_encoded()
    await call.check_bucket()
    listing = await driver.multipart_list(
        call.bucket,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        key_marker=query.get("key-marker", ""),
        upload_id_marker=query.get("upload-id-marker", ""),
        max_uploads=max_uploads,
        principal=call.principal,
    )
    return document(
        xml.list_multipart_uploads(
            listing,
            bucket=call.bucket,
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            key_marker=query.get("key-marker", ""),
            upload_id_marker=query.get("upload-id-marker", ""),
            max_uploads=max_uploads,
            encode_url=encode_url,
        )
    )
