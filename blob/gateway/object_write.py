"""PutObject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..types import CreateOptions
from .bodies import RequestBody
from .faults import not_implemented
from .headers import parse_conditions, quote_etag
from .metadata import parse_metadata
from .responses import checksum_headers, empty

if TYPE_CHECKING:
    from aiohttp import web

    from ..types import Conditions
    from .call import Call

__all__ = ("put_object", "refuse_write_conditions", "write_conditions")

_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


def write_conditions(call: Call) -> Conditions | None:
    """Read the conditions of a write; 501 for those S3 does not have there."""
    _refuse(call, _CONDITIONS[2:])
    conditions = parse_conditions(call.headers)
    if conditions is not None and conditions.if_none_match not in (None, ("*",)):
        raise not_implemented("If-None-Match of a write takes only *")
    return conditions


def refuse_write_conditions(call: Call) -> None:
    """Answer 501 to conditions where they would silently not hold."""
    _refuse(call, _CONDITIONS)


def _refuse(call: Call, names: tuple[str, ...]) -> None:
    for name in names:
        if name in call.header:
            raise not_implemented(name)


async def put_object(call: Call) -> web.StreamResponse:
    """PutObject: all or nothing, after the whole body was proven right."""
    conditions = write_conditions(call)
    metadata = parse_metadata(call.headers)
    body = RequestBody(call)
    await call.check_bucket()
    info = await call.driver.file_create(
        call.bucket,
        call.key,
        body,
        metadata=metadata,
        options=CreateOptions(
            content_length=body.length,
            content_md5=body.md5,
            conditions=conditions,
            checksums=body.checksums if body.spec else None,
        ),
        principal=call.principal,
    )
    return empty(
        headers={
            "ETag": quote_etag(info.etag),
            **checksum_headers(body.checksums(), "FULL_OBJECT"),
        }
    )
