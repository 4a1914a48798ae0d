"""CompleteMultipartUpload, and the checksum of the whole from those of its parts."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from ..errors import (
    BadDigestError,
    InvalidPartError,
    NoSuchFileError,
    NoSuchUploadError,
)
from . import xml
from .bodies import THREAD_BYTES, read_document
from .checksums import combine_composite, combine_full_object, parse_checksum
from .faults import not_implemented
from .multipart import multipart_driver
from .object_write import write_conditions
from .responses import document
from .wire_errors import InvalidRequestError
from .xml_requests import parse_complete_multipart_upload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from aiohttp import web

    from ..driver import MultipartDriver
    from ..types import Conditions, FileInfo, Part, PartRef, Upload
    from .call import Call
    from .checksums import ChecksumSpec

__all__ = ("complete_multipart_upload",)


async def complete_multipart_upload(call: Call) -> web.StreamResponse:
    """CompleteMultipartUpload: answers when the object is there."""
    driver = multipart_driver(call)
    conditions = write_conditions(call)
    await call.check_bucket()
    body = await read_document(call, is_checksummed=False)
    if len(body) > THREAD_BYTES:
        refs = await asyncio.to_thread(parse_complete_multipart_upload, body)
    else:
        refs = parse_complete_multipart_upload(body)
    try:
        info = await _complete(call, driver, refs, conditions)
    except NoSuchUploadError:
        info = await _completed_before(call, refs)
    url = str(call.request.url.with_query(None))
    return document(xml.complete_multipart_upload(info, url=url))


async def _complete(
    call: Call,
    driver: MultipartDriver,
    refs: Sequence[PartRef],
    conditions: Conditions | None,
) -> FileInfo:
    upload, stored = await _stored_parts(call, driver)
    _check_size(call, refs, stored)
    checksums, checksum_type = _whole_checksum(call, upload, refs, stored)
    return await driver.multipart_complete(
        call.bucket,
        call.key,
        call.query["uploadId"],
        refs,
        conditions=conditions,
        checksums=checksums,
        checksum_type=checksum_type,
        principal=call.principal,
    )


async def _completed_before(call: Call, refs: Sequence[PartRef]) -> FileInfo:
    """Return the object that these very parts made; raises `NoSuchUploadError`.

    A client whose answer was lost asks again, and S3 then answers again.
    """
    try:
        async with await call.driver.file_read(
            call.bucket, call.key, head=True, principal=call.principal
        ) as reader:
            info = reader.info
        md5s = b"".join([bytes.fromhex(ref.etag) for ref in refs])
    except (NoSuchFileError, ValueError) as error:
        raise NoSuchUploadError from error
    digest = hashlib.md5(md5s, usedforsecurity=False).hexdigest()
    if info.etag != f"{digest}-{len(refs)}":
        raise NoSuchUploadError
    return info


async def _stored_parts(
    call: Call, driver: MultipartDriver
) -> tuple[Upload, Mapping[int, Part]]:
    stored: dict[int, Part] = {}
    marker: int | None = 0
    while True:
        page = await driver.multipart_list_parts(
            call.bucket,
            call.key,
            call.query["uploadId"],
            marker=marker or 0,
            principal=call.principal,
        )
        stored |= {part.number: part for part in page.parts}
        marker = page.next_marker
        if not page.is_truncated:
            return page.upload, stored


def _check_size(
    call: Call, refs: Sequence[PartRef], stored: Mapping[int, Part]
) -> None:
    text = call.header.get("x-amz-mp-object-size")
    if text is None:
        return
    size = sum(stored[ref.number].size for ref in refs if ref.number in stored)
    if text != str(size):
        raise InvalidRequestError(
            "The provided 'x-amz-mp-object-size' header value does not match what was"
            " computed."
        )


def _whole_checksum(
    call: Call, upload: Upload, refs: Sequence[PartRef], stored: Mapping[int, Part]
) -> tuple[dict[str, str], Literal["FULL_OBJECT", "COMPOSITE"]]:
    """Compute the checksum of the object, and compare it with the one announced.

    There is none where the upload announced none, or where a part came without (one
    copied from another object, say). A part that is replaced after this look has
    another ETag, or the same bytes: the driver compares ETags as it completes.
    """
    announced = _announced(call)
    algorithm, kind = upload.checksum_algorithm, upload.checksum_type or "COMPOSITE"
    if announced and algorithm != announced.algorithm:
        raise InvalidRequestError(
            "The checksum announced is not of the type the upload was created with."
        )
    if algorithm is None:
        return {}, "FULL_OBJECT"
    if call.header.get("x-amz-checksum-type", kind) != kind:
        raise InvalidRequestError(
            "The checksum type is not the one the upload was created with."
        )
    whole = _combined(algorithm, kind, [_part(stored, ref) for ref in refs])
    if announced and whole is None:
        raise InvalidRequestError("A part was uploaded without its checksum.")
    if announced and announced.value != whole:
        raise BadDigestError(
            f"The {algorithm.upper()} you specified did not match the calculated"
            " checksum."
        )
    return ({algorithm: whole} if whole else {}), kind


def _combined(algorithm: str, kind: str, parts: Sequence[Part]) -> str | None:
    """Return the checksum of the whole; None where a part has none."""
    values = [
        (part.checksums[algorithm], part.size)
        for part in parts
        if algorithm in part.checksums
    ]
    if len(values) != len(parts):
        return None
    if kind == "FULL_OBJECT":
        return combine_full_object(algorithm, values)
    return combine_composite(algorithm, [value for value, _ in values])


def _announced(call: Call) -> ChecksumSpec | None:
    """Read the checksum of the whole object, which may be composite."""
    spec = parse_checksum(call.headers, composite=True)
    if spec is not None and spec.value is None:
        raise not_implemented("a trailing checksum of CompleteMultipartUpload")
    return spec


def _part(stored: Mapping[int, Part], ref: PartRef) -> Part:
    part = stored.get(ref.number)
    if part is None or part.etag != ref.etag:
        raise InvalidPartError
    return part
