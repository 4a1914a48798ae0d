"""Which action a request asks for, or that it asks for none the gateway has.

A request is an action when its method, the level of its path (service, bucket, object),
its query parameters and its x-amz-* headers are all in the tables below. Whatever is
not there answers 501 before the body is read or the store is touched: a sub-resource
that is passed over is how `PUT /b/k?acl` overwrites an object with an ACL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import (
    bucket,
    complete,
    copy,
    delete,
    listing,
    multipart,
    object_read,
    object_write,
    service,
)
from .checksums import ALGORITHMS, header_name
from .faults import not_implemented

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from aiohttp import web

    from .call import Call

__all__ = ("Action", "find_action")


@dataclass(frozen=True, slots=True)
class Action:
    """An action of S3, and how it is recognised.

    `marks` are query parameters that must be there, `query` those that may be;
    `headers` the x-amz-* headers it heeds beside those every action takes.
    """

    name: str
    handler: Callable[[Call], Awaitable[web.StreamResponse]]
    marks: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()


def _action(
    name: str,
    handler: Callable[[Call], Awaitable[web.StreamResponse]],
    *,
    marks: str = "",
    query: str = "",
    headers: Iterable[str] = (),
) -> Action:
    return Action(
        name,
        handler,
        frozenset(marks.split()),
        frozenset(query.split()),
        frozenset(headers),
    )


# Every action takes these: who signed and how, and noise of the SDKs that changes
# nothing. x-amz-expected-bucket-owner is compared by `Call.check_bucket`.
_ALWAYS = frozenset(
    {
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-expected-bucket-owner",
        "x-amz-request-payer",  # nobody is billed
        "x-amz-user-agent",
    }
)

# boto3 and aws cli send these with a body, by default with a CRC32.
_BODY = frozenset(
    {
        "x-amz-decoded-content-length",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-trailer",
        *map(header_name, ALGORITHMS),
    }
)

_UPLOAD = frozenset({"x-amz-acl", "x-amz-storage-class"})
_SOURCE = frozenset(
    {
        "x-amz-copy-source",
        "x-amz-copy-source-if-match",
        "x-amz-copy-source-if-modified-since",
        "x-amz-copy-source-if-none-match",
        "x-amz-copy-source-if-unmodified-since",
        "x-amz-source-expected-bucket-owner",
    }
)

# Headers that are harmless with these values only; any other value asks for something
# the gateway does not do.
_VALUES: Mapping[str, frozenset[str]] = {
    # The one owner of a bucket owns all in it, alone: both mean what is so anyway.
    "x-amz-acl": frozenset({"private", "bucket-owner-full-control"}),
    # rclone sends it with every mkdir.
    "x-amz-bucket-object-lock-enabled": frozenset({"false"}),
    # s3cmd and rclone send STANDARD; REDUCED_REDUNDANCY was never less to a reader.
    "x-amz-storage-class": frozenset({"STANDARD", "REDUCED_REDUNDANCY"}),
}

_LIST = "prefix delimiter max-keys encoding-type"
_OVERRIDES = (
    "response-cache-control response-content-disposition response-content-encoding"
    " response-content-language response-content-type response-expires"
)

# The first whose marks are all there is taken: those with more marks come first.
_ACTIONS: Mapping[tuple[str, str], tuple[Action, ...]] = {
    ("service", "GET"): (_action("ListBuckets", service.list_buckets),),
    ("bucket", "GET"): (
        _action("GetBucketLocation", bucket.get_bucket_location, marks="location"),
        _action(
            "ListMultipartUploads",
            multipart.list_multipart_uploads,
            marks="uploads",
            query="prefix delimiter max-uploads key-marker upload-id-marker"
            " encoding-type",
        ),
        _action(
            "ListObjectVersions",
            listing.list_object_versions,
            marks="versions",
            query=f"{_LIST} key-marker version-id-marker",
        ),
        _action(
            "ListObjectsV2",
            listing.list_objects_v2,
            marks="list-type",
            query=f"{_LIST} continuation-token start-after fetch-owner",
        ),
        _action("ListObjects", listing.list_objects, query=f"{_LIST} marker"),
    ),
    ("bucket", "HEAD"): (_action("HeadBucket", bucket.head_bucket),),
    ("bucket", "PUT"): (
        _action(
            "CreateBucket",
            bucket.create_bucket,
            headers=_BODY | {"x-amz-acl", "x-amz-bucket-object-lock-enabled"},
        ),
    ),
    ("bucket", "DELETE"): (_action("DeleteBucket", bucket.delete_bucket),),
    ("bucket", "POST"): (
        _action("DeleteObjects", delete.delete_objects, marks="delete", headers=_BODY),
    ),
    ("object", "GET"): (
        _action(
            "ListParts",
            multipart.list_parts,
            marks="uploadId",
            query="part-number-marker max-parts encoding-type",
        ),
        _action(
            "GetObject",
            object_read.get_object,
            query=f"versionId {_OVERRIDES}",
            headers={"x-amz-checksum-mode"},
        ),
    ),
    ("object", "HEAD"): (
        _action(
            "HeadObject",
            object_read.head_object,
            query=f"versionId {_OVERRIDES}",
            headers={"x-amz-checksum-mode"},
        ),
    ),
    ("object", "PUT"): (
        _action(
            "UploadPart",
            multipart.upload_part,
            marks="partNumber uploadId",
            headers=_BODY,
        ),
        _action("PutObject", object_write.put_object, headers=_BODY | _UPLOAD),
    ),
    # The same method and path, told apart by x-amz-copy-source.
    ("object", "COPY"): (
        _action(
            "UploadPartCopy",
            multipart.upload_part_copy,
            marks="partNumber uploadId",
            headers=_SOURCE | {"x-amz-copy-source-range"},
        ),
        _action(
            "CopyObject",
            copy.copy_object,
            headers=_SOURCE | _UPLOAD | {"x-amz-metadata-directive"},
        ),
    ),
    ("object", "POST"): (
        _action(
            "CreateMultipartUpload",
            multipart.create_multipart_upload,
            marks="uploads",
            headers=_UPLOAD | {"x-amz-checksum-algorithm", "x-amz-checksum-type"},
        ),
        _action(
            "CompleteMultipartUpload",
            complete.complete_multipart_upload,
            marks="uploadId",
            headers=_BODY | {"x-amz-checksum-type", "x-amz-mp-object-size"},
        ),
    ),
    ("object", "DELETE"): (
        _action(
            "AbortMultipartUpload", multipart.abort_multipart_upload, marks="uploadId"
        ),
        _action(
            "DeleteObject",
            delete.delete_object,
            query="versionId",
            headers={"x-amz-if-match-size", "x-amz-if-match-last-modified-time"},
        ),
    ),
}


def find_action(
    method: str, level: str, query: Iterable[str], header: Mapping[str, str]
) -> Action:
    """Return the action asked for; raises `NotSupportedError` where there is none.

    `query` are the parameters' names, `header` the headers by lower case name.
    """
    if method == "PUT" and "x-amz-copy-source" in header:
        method = "COPY"
    names = {name for name in query if not _is_noise(name)}
    for action in _ACTIONS.get((level, method), ()):
        if action.marks <= names:
            _check_query(action, names)
            _check_headers(action, header)
            return action
    raise not_implemented(f"{method} of a {level} with these parameters")


def _is_noise(name: str) -> bool:
    # S3 ignores parameters of one's own that begin with x-, and SDKs send x-id.
    return name.startswith("x-") and not name.startswith("x-amz-")


def _check_query(action: Action, names: set[str]) -> None:
    strange = names - action.marks - action.query
    if strange:
        raise not_implemented(f"the query parameter {min(strange)}")


def _check_headers(action: Action, header: Mapping[str, str]) -> None:
    for name, value in header.items():
        if not name.startswith("x-amz-") or name in _ALWAYS:
            continue
        is_metadata = name.startswith("x-amz-meta-")
        if not is_metadata and name not in action.headers:
            raise not_implemented(f"the header {name}")
        if name in _VALUES and value not in _VALUES[name]:
            raise not_implemented(f"{name}: {value}")
