"""S3's response documents, written. `xml_requests` parses the documents of requests.

Pure. Each function returns UTF-8 bytes with the XML declaration. With `encode_url`
(encoding-type=url) keys, prefixes, delimiters and markers are percent-encoded, as S3
does, with their slashes kept.

Source: S3 API reference, the response syntax of each action.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._xml import (
    DECLARATION,
    checksum_elements,
    document,
    element,
    encoded,
    encoder,
    escape,
    etag_element,
    iso_time,
    optional,
    percent,
    person,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
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
    "list_buckets",
    "list_multipart_uploads",
    "list_object_versions",
    "list_objects",
    "list_objects_v2",
    "list_parts",
    "location",
)
_STANDARD = "STANDARD"


def error(
    code: str,
    message: str,
    *,
    resource: str,
    request_id: str,
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """<Error>: `extra` elements follow Code and Message."""
    more = "".join([element(name, text) for name, text in (extra or {}).items()])
    return (
        f"{DECLARATION}<Error>{element('Code', code)}{element('Message', message)}"
        f"{more}{element('Resource', resource)}{element('RequestId', request_id)}"
        "</Error>"
    ).encode()


def list_buckets(containers: Sequence[ContainerInfo], *, owner: Principal) -> bytes:
    """<ListAllMyBucketsResult> of ListBuckets."""
    buckets = [
        f"<Bucket>{element('Name', container.name)}"
        f"{element('CreationDate', iso_time(container.created))}</Bucket>"
        for container in containers
    ]
    return document(
        "ListAllMyBucketsResult",
        (person("Owner", owner), "<Buckets>", *buckets, "</Buckets>"),
    )


def location(region: str) -> bytes:
    """<LocationConstraint> of GetBucketLocation; empty for us-east-1."""
    text = "" if region == "us-east-1" else escape(region)
    return document("LocationConstraint", (text,))


def _object(
    name: str,
    info: FileInfo,
    encode: Callable[[str], str],
    owner: str,
    version: str = "",
) -> str:
    """Write what all listings say of a file; `owner` and `version` are written."""
    algorithms = ""
    if info.checksums:
        algorithms = "".join(
            [element("ChecksumAlgorithm", algo.upper()) for algo in info.checksums]
        ) + element("ChecksumType", info.checksum_type)
    storage = escape(info.metadata.storage_class or _STANDARD)
    return (
        f"<{name}><Key>{encode(info.key)}</Key>{version}"
        f"<LastModified>{iso_time(info.last_modified)}</LastModified>"
        f"{etag_element(info.etag)}{algorithms}<Size>{info.size}</Size>{owner}"
        f"<StorageClass>{storage}</StorageClass></{name}>"
    )


def _prefixes(prefixes: Sequence[str], encode: Callable[[str], str]) -> str:
    return "".join(
        [
            f"<CommonPrefixes><Prefix>{encode(prefix)}</Prefix></CommonPrefixes>"
            for prefix in prefixes
        ]
    )


def _paging(
    delimiter: str,
    limit: tuple[str, int],
    encode: Callable[[str], str],
    *,
    is_truncated: bool,
) -> str:
    """Write what all listings end their heads with."""
    return (
        element(*limit)
        + (encoded("Delimiter", delimiter, encode) if delimiter else "")
        + ("<EncodingType>url</EncodingType>" if encode is percent else "")
        + element("IsTruncated", is_truncated)
    )


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
    encode = encoder(encode_url)
    following = listing.next_marker if delimiter and listing.is_truncated else None
    limit = ("MaxKeys", max_keys)
    return document(
        "ListBucketResult",
        (
            element("Name", bucket),
            encoded("Prefix", prefix, encode),
            encoded("Marker", marker, encode),
            encoded("NextMarker", following, encode) if following else "",
            _paging(delimiter, limit, encode, is_truncated=listing.is_truncated),
            *[
                _object("Contents", info, encode, person("Owner", info.owner))
                for info in listing.files
            ],
            _prefixes(listing.prefixes, encode),
        ),
    )


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
    encode = encoder(encode_url)
    limit = ("MaxKeys", max_keys)
    return document(
        "ListBucketResult",
        (
            element("Name", bucket),
            encoded("Prefix", prefix, encode),
            encoded("StartAfter", start_after, encode) if start_after else "",
            optional("ContinuationToken", continuation_token),
            optional("NextContinuationToken", next_token),
            element("KeyCount", len(listing.files) + len(listing.prefixes)),
            _paging(delimiter, limit, encode, is_truncated=listing.is_truncated),
            *[
                _object(
                    "Contents",
                    info,
                    encode,
                    person("Owner", info.owner) if fetch_owner else "",
                )
                for info in listing.files
            ],
            _prefixes(listing.prefixes, encode),
        ),
    )


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
    encode = encoder(encode_url)
    limit = ("MaxKeys", max_keys)
    following = listing.next_marker
    last = listing.files[-1] if listing.files else None
    return document(
        "ListVersionsResult",
        (
            element("Name", bucket),
            encoded("Prefix", prefix, encode),
            encoded("KeyMarker", key_marker, encode),
            element("VersionIdMarker", version_id_marker),
            encoded("NextKeyMarker", following, encode) if following else "",
            element("NextVersionIdMarker", last.version_id)
            if last and last.key == following
            else "",
            _paging(delimiter, limit, encode, is_truncated=listing.is_truncated),
            *[_version(info, encode) for info in listing.files],
            _prefixes(listing.prefixes, encode),
        ),
    )


def _version(info: FileInfo, encode: Callable[[str], str]) -> str:
    version = f"{element('VersionId', info.version_id)}<IsLatest>true</IsLatest>"
    return _object("Version", info, encode, person("Owner", info.owner), version)


def copy_object(info: FileInfo) -> bytes:
    """<CopyObjectResult> of CopyObject."""
    return document(
        "CopyObjectResult",
        (
            element("LastModified", iso_time(info.last_modified)),
            etag_element(info.etag),
            checksum_elements(info.checksums, info.checksum_type),
        ),
    )


def copy_part(etag: str, last_modified: datetime, checksums: Checksums) -> bytes:
    """<CopyPartResult> of UploadPartCopy."""
    return document(
        "CopyPartResult",
        (
            element("LastModified", iso_time(last_modified)),
            etag_element(etag),
            checksum_elements(checksums),
        ),
    )


def initiate_multipart_upload(upload: Upload) -> bytes:
    """<InitiateMultipartUploadResult> of CreateMultipartUpload."""
    return document(
        "InitiateMultipartUploadResult",
        (
            element("Bucket", upload.container),
            element("Key", upload.key),
            element("UploadId", upload.upload_id),
        ),
    )


def complete_multipart_upload(info: FileInfo, *, url: str) -> bytes:
    """<CompleteMultipartUploadResult>; `url` is its Location."""
    return document(
        "CompleteMultipartUploadResult",
        (
            element("Location", url),
            element("Bucket", info.container),
            element("Key", info.key),
            etag_element(info.etag),
            checksum_elements(info.checksums, info.checksum_type),
        ),
    )


def list_parts(
    listing: PartListing,
    *,
    marker: int = 0,
    max_parts: int = 1000,
    encode_url: bool = False,
) -> bytes:
    """<ListPartsResult> of ListParts."""
    encode = encoder(encode_url)
    limit = ("MaxParts", max_parts)
    upload = listing.upload
    algorithm = upload.checksum_algorithm
    return document(
        "ListPartsResult",
        (
            element("Bucket", upload.container),
            encoded("Key", upload.key, encode),
            element("UploadId", upload.upload_id),
            person("Initiator", upload.owner),
            person("Owner", upload.owner),
            element("StorageClass", upload.metadata.storage_class or _STANDARD),
            element("PartNumberMarker", marker),
            optional("NextPartNumberMarker", listing.next_marker),
            _paging("", limit, encode, is_truncated=listing.is_truncated),
            optional("ChecksumAlgorithm", algorithm.upper() if algorithm else None),
            optional("ChecksumType", upload.checksum_type),
            *[
                f"<Part><PartNumber>{part.number}</PartNumber>"
                f"<LastModified>{iso_time(part.last_modified)}</LastModified>"
                f"{etag_element(part.etag)}<Size>{part.size}</Size>"
                f"{checksum_elements(part.checksums)}</Part>"
                for part in listing.parts
            ],
        ),
    )


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
    encode = encoder(encode_url)
    limit = ("MaxUploads", max_uploads)
    return document(
        "ListMultipartUploadsResult",
        (
            element("Bucket", bucket),
            encoded("KeyMarker", key_marker, encode),
            element("UploadIdMarker", upload_id_marker),
            encoded("NextKeyMarker", listing.next_key_marker or "", encode),
            element("NextUploadIdMarker", listing.next_upload_id_marker or ""),
            encoded("Prefix", prefix, encode),
            _paging(delimiter, limit, encode, is_truncated=listing.is_truncated),
            *[_upload(upload, encode) for upload in listing.uploads],
            _prefixes(listing.prefixes, encode),
        ),
    )


def _upload(upload: Upload, encode: Callable[[str], str]) -> str:
    algorithm = upload.checksum_algorithm
    return (
        f"<Upload>{encoded('Key', upload.key, encode)}"
        f"{element('UploadId', upload.upload_id)}"
        f"{person('Initiator', upload.owner)}{person('Owner', upload.owner)}"
        f"{element('StorageClass', upload.metadata.storage_class or _STANDARD)}"
        f"{element('Initiated', iso_time(upload.initiated))}"
        f"{optional('ChecksumAlgorithm', algorithm.upper() if algorithm else None)}"
        f"{optional('ChecksumType', upload.checksum_type)}</Upload>"
    )


def delete_objects(
    results: Sequence[DeleteResult],
    errors: Sequence[tuple[DeleteResult, str, str]],
    *,
    quiet: bool = False,
) -> bytes:
    """<DeleteResult> of DeleteObjects: deleted ones, and (result, Code, Message)."""
    deleted = [] if quiet else results
    return document(
        "DeleteResult",
        (
            *[f"<Deleted>{_deleted(result)}</Deleted>" for result in deleted],
            *[
                f"<Error>{_deleted(result)}{element('Code', code)}"
                f"{element('Message', message)}</Error>"
                for result, code, message in errors
            ],
        ),
    )


def _deleted(result: DeleteResult) -> str:
    return element("Key", result.key) + optional("VersionId", result.version_id)
