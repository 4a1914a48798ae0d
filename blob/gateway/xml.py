"""S3's response documents, written. `xml_requests` parses the documents of requests.

Pure. Each function returns UTF-8 bytes with the XML declaration. With `encode_url`
(encoding-type=url) keys, prefixes, delimiters and markers are percent-encoded, as S3
does, with their slashes kept.

Source: S3 API reference, the response syntax of each action.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ..types import (
        Checksums,
        ContainerInfo,
        DeleteResult,
        FileInfo,
        FileListing,
        PartListing,
        Principal,
        Upload,
        UploadListing,
    )

__all__ = (
    "complete_multipart_upload",
    "copy_object",
    "copy_part",
    "delete_objects",
    "error",
    "initiate_multipart_upload",
    "iso_time",
    "list_buckets",
    "list_multipart_uploads",
    "list_object_versions",
    "list_objects",
    "list_objects_v2",
    "list_parts",
    "location",
)


def iso_time(moment: datetime) -> str:
    """Return `2006-02-03T16:45:09.000Z`."""
    raise NotImplementedError


def error(
    code: str,
    message: str,
    *,
    resource: str,
    request_id: str,
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """<Error>: `extra` elements follow Code and Message."""
    raise NotImplementedError


def list_buckets(containers: Sequence[ContainerInfo], *, owner: Principal) -> bytes:
    """<ListAllMyBucketsResult> of ListBuckets."""
    raise NotImplementedError


def location(region: str) -> bytes:
    """<LocationConstraint> of GetBucketLocation; empty for us-east-1."""
    raise NotImplementedError


def list_objects(
    listing: FileListing,
    *,
    bucket: str,
    prefix: str = "",
    marker: str = "",
    delimiter: str = "",
    max_keys: int = 1000,
    encode_url: bool = False,
) -> bytes:
    """<ListBucketResult> of ListObjects; NextMarker only with a delimiter, as S3."""
    raise NotImplementedError


def list_objects_v2(
    listing: FileListing,
    *,
    bucket: str,
    prefix: str = "",
    delimiter: str = "",
    max_keys: int = 1000,
    start_after: str = "",
    continuation_token: str | None = None,
    next_token: str | None = None,
    fetch_owner: bool = False,
    encode_url: bool = False,
) -> bytes:
    """<ListBucketResult> of ListObjectsV2; tokens are opaque and never encoded."""
    raise NotImplementedError


def list_object_versions(
    listing: FileListing,
    *,
    bucket: str,
    prefix: str = "",
    key_marker: str = "",
    version_id_marker: str = "",
    delimiter: str = "",
    max_keys: int = 1000,
    encode_url: bool = False,
) -> bytes:
    """<ListVersionsResult> of ListObjectVersions, each file its only version."""
    raise NotImplementedError


def copy_object(info: FileInfo) -> bytes:
    """<CopyObjectResult> of CopyObject."""
    raise NotImplementedError


def copy_part(etag: str, last_modified: datetime, checksums: Checksums) -> bytes:
    """<CopyPartResult> of UploadPartCopy."""
    raise NotImplementedError


def initiate_multipart_upload(upload: Upload) -> bytes:
    """<InitiateMultipartUploadResult> of CreateMultipartUpload."""
    raise NotImplementedError


def complete_multipart_upload(info: FileInfo, *, url: str) -> bytes:
    """<CompleteMultipartUploadResult>; `url` is its Location."""
    raise NotImplementedError


def list_parts(
    listing: PartListing,
    *,
    marker: int = 0,
    max_parts: int = 1000,
    encode_url: bool = False,
) -> bytes:
    """<ListPartsResult> of ListParts."""
    raise NotImplementedError


def list_multipart_uploads(
    listing: UploadListing,
    *,
    bucket: str,
    prefix: str = "",
    delimiter: str = "",
    key_marker: str = "",
    upload_id_marker: str = "",
    max_uploads: int = 1000,
    encode_url: bool = False,
) -> bytes:
    """<ListMultipartUploadsResult> of ListMultipartUploads."""
    raise NotImplementedError


def delete_objects(
    results: Sequence[DeleteResult],
    errors: Sequence[tuple[DeleteResult, str, str]],
    *,
    quiet: bool = False,
) -> bytes:
    """<DeleteResult> of DeleteObjects: deleted ones, and (result, Code, Message)."""
    raise NotImplementedError
