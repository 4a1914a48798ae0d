"""What concerns no bucket: ListBuckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import xml
from .responses import document

if TYPE_CHECKING:
    from aiohttp import web

    from .call import Call

__all__ = ("list_buckets",)


async def list_buckets(call: Call) -> web.StreamResponse:
    """ListBuckets: what the principal owns, and what is open to every key."""
    containers = [
        info
        for info in await call.driver.container_list()
        if info.owner is None or info.owner.id == call.principal.id
    ]
    return document(xml.list_buckets(containers, owner=call.principal))
