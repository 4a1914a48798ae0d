"""The XML documents of requests, parsed: CreateBucket, Complete, DeleteObjects.

Pure. By defusedxml with DTDs forbidden; elements are in S3's namespace or in none.
Anything else is a `MalformedXMLError`. Unknown elements are passed over. Parse bodies
over 64 KiB in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..types import DeleteRequest, PartRef

__all__ = (
    "MAX_BODY",
    "DeleteMany",
    "parse_complete_multipart_upload",
    "parse_create_bucket",
    "parse_delete_objects",
)

MAX_BODY = 8 * 1024 * 1024
"""Bytes a request document may have: 10,000 parts, or 1,000 keys all escaped, fit."""


@dataclass(frozen=True, slots=True)
class DeleteMany:
    """What DeleteObjects asks; `quiet` reports errors only."""

    requests: tuple[DeleteRequest, ...]
    quiet: bool


def parse_create_bucket(body: bytes) -> str | None:
    """Return the LocationConstraint, None without one (also for an empty body)."""
    raise NotImplementedError


def parse_complete_multipart_upload(body: bytes) -> tuple[PartRef, ...]:
    """Return the parts as listed (1 to 10,000 of them), ETags without quotes."""
    raise NotImplementedError


def parse_delete_objects(body: bytes) -> DeleteMany:
    """Return the objects to delete (1 to 1,000), with their guards."""
    raise NotImplementedError
