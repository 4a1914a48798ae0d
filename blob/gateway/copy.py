"""CopyObject, and what it shares with UploadPartCopy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidArgumentError
from ..types import CopyOptions
from . import xml
from .faults import not_implemented
from .headers import parse_conditions, parse_copy_source
from .metadata import parse_metadata
from .object_write import write_conditions
from .responses import document
from .wire_errors import InvalidRequestError

if TYPE_CHECKING:
    from typing import Literal

    from aiohttp import web

    from ..types import Conditions
    from .call import Call
    from .headers import CopySource

__all__ = ("copy_object", "copy_source")

_SOURCE_PREFIX = "x-amz-copy-source-"


async def copy_source(call: Call) -> tuple[CopySource, Conditions | None]:
    """Read the source and its conditions, and check that it may be read."""
    source = parse_copy_source(call.header["x-amz-copy-source"])
    conditions = parse_conditions(call.headers, prefix=_SOURCE_PREFIX)
    await call.check_access(source.container, "x-amz-source-expected-bucket-owner")
    return source, conditions


async def copy_object(call: Call) -> web.StreamResponse:
    """CopyObject: bytes do not pass through the gateway."""
    conditions = write_conditions(call)
    directive = _directive(call)
    metadata = parse_metadata(call.headers) if directive == "REPLACE" else None
    # A copy keeps the class of its source; clients name the default one anyway.
    kept = call.header.get("x-amz-storage-class", "STANDARD") == "STANDARD"
    if directive == "COPY" and not kept:
        raise not_implemented("another storage class with the metadata of the source")
    await call.check_bucket()
    source, source_conditions = await copy_source(call)
    is_itself = (source.container, source.key) == (call.bucket, call.key)
    if is_itself and directive == "COPY":
        raise InvalidRequestError(
            "This copy request is illegal because it is trying to copy an object to"
            " itself without changing the object's metadata, storage class, website"
            " redirect location or encryption attributes."
        )
    info = await call.driver.file_copy(
        call.bucket,
        call.key,
        source.container,
        source.key,
        metadata=metadata,
        options=CopyOptions(
            directive=directive,
            source_version_id=source.version_id,
            source_conditions=source_conditions,
            conditions=conditions,
        ),
        principal=call.principal,
    )
    return document(xml.copy_object(info))


def _directive(call: Call) -> Literal["COPY", "REPLACE"]:
    value = call.header.get("x-amz-metadata-directive", "COPY")
    if value == "COPY":
        return "COPY"
    if value == "REPLACE":
        return "REPLACE"
    raise InvalidArgumentError("Unknown metadata directive.")
