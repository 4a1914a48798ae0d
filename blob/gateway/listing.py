"""ListObjects, ListObjectsV2, ListObjectVersions: one page, written in three ways."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InvalidArgumentError
from . import xml
from .responses import document

if TYPE_CHECKING:
    from aiohttp import web

    from ..types import FileListing
    from .call import Call

__all__ = ("list_object_versions", "list_objects", "list_objects_v2")

_MAX_KEYS = 1000


@dataclass(frozen=True, slots=True)
class _Page:
    """What all three ask for."""

    call: Call
    prefix: str
    delimiter: str
    max_keys: int
    encode_url: bool

    @classmethod
    def asked(cls, call: Call) -> _Page:
        return cls(
            call,
            prefix=call.query.get("prefix", ""),
            delimiter=call.query.get("delimiter", ""),
            max_keys=min(call.number("max-keys", default=_MAX_KEYS), _MAX_KEYS),
            encode_url=call.is_url_encoded(),
        )

    async def after(self, marker: str) -> FileListing:
        await self.call.check_bucket()
        return await self.call.driver.file_list(
            self.call.bucket,
            prefix=self.prefix,
            marker=marker,
            delimiter=self.delimiter,
            max_keys=self.max_keys,
            principal=self.call.principal,
        )


async def list_objects(call: Call) -> web.StreamResponse:
    """ListObjects."""
    page = _Page.asked(call)
    marker = call.query.get("marker", "")
    return document(
        xml.list_objects(
            await page.after(marker),
            bucket=call.bucket,
            prefix=page.prefix,
            marker=marker,
            delimiter=page.delimiter,
            max_keys=page.max_keys,
            encode_url=page.encode_url,
        )
    )


async def list_objects_v2(call: Call) -> web.StreamResponse:
    """ListObjectsV2: its tokens are opaque, and take precedence over start-after."""
    page = _Page.asked(call)
    start_after = call.query.get("start-after", "")
    token = call.query.get("continuation-token")
    listing = await page.after(start_after if token is None else _from_token(token))
    return document(
        xml.list_objects_v2(
            listing,
            bucket=call.bucket,
            prefix=page.prefix,
            delimiter=page.delimiter,
            max_keys=page.max_keys,
            start_after=start_after,
            continuation_token=token,
            next_token=_to_token(listing.next_marker),
            fetch_owner=call.query.get("fetch-owner", "").lower() == "true",
            encode_url=page.encode_url,
        )
    )


async def list_object_versions(call: Call) -> web.StreamResponse:
    """ListObjectVersions of a bucket without versioning: each object, version null."""
    page = _Page.asked(call)
    key_marker = call.query.get("key-marker", "")
    version_id_marker = call.query.get("version-id-marker", "")
    if version_id_marker and not key_marker:
        raise InvalidArgumentError(
            "A version-id marker cannot be specified without a key marker."
        )
    return document(
        xml.list_object_versions(
            await page.after(key_marker),
            bucket=call.bucket,
            prefix=page.prefix,
            key_marker=key_marker,
            version_id_marker=version_id_marker,
            delimiter=page.delimiter,
            max_keys=page.max_keys,
            encode_url=page.encode_url,
        )
    )


def _to_token(marker: str | None) -> str | None:
    if marker is None:
        return None
    return base64.urlsafe_b64encode(marker.encode()).decode()


def _from_token(token: str) -> str:
    try:
        marker = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _bad_token() from error
    if not marker:
        raise _bad_token()
    return marker


def _bad_token() -> InvalidArgumentError:
    return InvalidArgumentError("The continuation token provided is incorrect")
