"""Actions on a bucket itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import xml
from .bodies import THREAD_BYTES, read_document
from .responses import document, empty
from .xml_requests import parse_create_bucket

if TYPE_CHECKING:
    from aiohttp import web

    from .call import Call

__all__ = (
    "create_bucket",
    "delete_bucket",
    "get_bucket_location",
    "head_bucket",
)

_LOCATION = "location"
"""The option document that keeps a bucket's LocationConstraint."""


async def create_bucket(call: Call) -> web.StreamResponse:
    """CreateBucket, as in us-east-1: creating one's own again succeeds.

    Any LocationConstraint is taken and kept: clients send their default region whatever
    the server is.
    """
    body = await read_document(call, limit=THREAD_BYTES)
    location = parse_create_bucket(body)
    options = {_LOCATION: location} if location is not None else None
    await call.driver.container_create(
        call.bucket, options=options, principal=call.principal
    )
    return empty(headers={"Location": f"/{call.bucket}"})


async def head_bucket(call: Call) -> web.StreamResponse:
    """HeadBucket."""
    await call.check_bucket()
    return empty(headers={"x-amz-bucket-region": call.region})


async def delete_bucket(call: Call) -> web.StreamResponse:
    """DeleteBucket: only an empty one."""
    await call.check_bucket()
    await call.driver.container_delete(call.bucket, principal=call.principal)
    return empty(204)


async def get_bucket_location(call: Call) -> web.StreamResponse:
    """GetBucketLocation: what was asked for at creation, else the gateway's region."""
    await call.check_bucket()
    options = await call.driver.container_options(call.bucket, principal=call.principal)
    return document(xml.location(options.documents.get(_LOCATION, call.region)))
