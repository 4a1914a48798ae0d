"""ListObjects, ListObjectsV2, ListObjectVersions."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from ..errors import InvalidArgumentError
from . import xml
from .responses import document

if TYPE_CHECKING:
    from aiohttp import web

    from .call import Call

__all__ = ("list_object_versions", "list_objects", "list_objects_v2")

_MAX_KEYS = 1000


def _max_keys(call: Call) -> int:
    return min(call.number("max-keys", default=_MAX_KEYS), _MAX_KEYS)


async def list_objects(call: Call) -> web.StreamResponse:
    """ListObjects."""
    max_keys, encode_url = _max_keys(call), call.is_url_encoded()
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    marker = call.query.get("marker", "")
    await call.check_bucket()
    listing = await call.driver.file_list(
        call.bucket,
        prefix=prefix,
        marker=marker,
        delimiter=delimiter,
        max_keys=max_keys,
        principal=call.principal,
    )
    return document(
        xml.list_objects(
            listing,
            bucket=call.bucket,
            prefix=prefix,
            marker=marker,
            delimiter=delimiter,
            max_keys=max_keys,
            encode_url=encode_url,
        )
    )


async def list_objects_v2(call: Call) -> web.StreamResponse:
    """ListObjectsV2: its tokens are opaque, and take precedence over start-after."""
    max_keys, encode_url = _max_keys(call), call.is_url_encoded()
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    start_after = call.query.get("start-after", "")
    token = call.query.get("continuation-token")
    marker = start_after if token is None else _from_token(token)
    await call.check_bucket()
    listing = await call.driver.file_list(
        call.bucket,
        prefix=prefix,
        marker=marker,
        delimiter=delimiter,
        max_keys=max_keys,
        principal=call.principal,
    )
    return document(
        xml.list_objects_v2(
            listing,
            bucket=call.bucket,
            prefix=prefix,
            delimiter=delimiter,
            max_keys=max_keys,
            start_after=start_after,
            continuation_token=token,
            next_token=_to_token(listing.next_marker),
            fetch_owner=call.query.get("fetch-owner", "").lower() == "true",
            encode_url=encode_url,
        )
    )


async def list_object_versions(call: Call) -> web.StreamResponse:
    """ListObjectVersions of a bucket without versioning: each object, version null."""
    max_keys, encode_url = _max_keys(call), call.is_url_encoded()
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    key_marker = call.query.get("key-marker", "")
    version_id_marker = call.query.get("version-id-marker", "")
    if version_id_marker and not key_marker:
        raise InvalidArgumentError(
            "A version-id marker cannot be specified without a key marker."
        )
    await call.check_bucket()
    listing = await call.driver.file_list(
        call.bucket,
        prefix=prefix,
        marker=key_marker,
        delimiter=delimiter,
        max_keys=max_keys,
        principal=call.principal,
    )
    return document(
        xml.list_object_versions(
            listing,
            bucket=call.bucket,
            prefix=prefix,
            key_marker=key_marker,
            version_id_marker=version_id_marker,
            delimiter=delimiter,
            max_keys=max_keys,
            encode_url=encode_url,
        )
    )


def _to_token(marker: str | None) -> str | None:
    if marker is None:
        return None
    return base64.urlsafe_b64encode(marker.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidArgumentError(
            "The continuation token provided is incorrect"
        ) from error
