"""`UploadOptions` as S3 spells them: headers of a PUT, parameters of a create; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import CreateMultipartUploadRequestTypeDef

    from ..target import UploadOptions

# attribute of UploadOptions: (header of PutObject, parameter of CreateMultipartUpload)
_NAMES = {
    "content_type": ("Content-Type", "ContentType"),
    "cache_control": ("Cache-Control", "CacheControl"),
    "content_disposition": ("Content-Disposition", "ContentDisposition"),
    "content_encoding": ("Content-Encoding", "ContentEncoding"),
    "content_language": ("Content-Language", "ContentLanguage"),
    "storage_class": ("x-amz-storage-class", "StorageClass"),
    "acl": ("x-amz-acl", "ACL"),
    "server_side_encryption": ("x-amz-server-side-encryption", "ServerSideEncryption"),
    "sse_kms_key_id": (
        "x-amz-server-side-encryption-aws-kms-key-id",
        "SSEKMSKeyId",
    ),
}


def put_headers(options: UploadOptions) -> dict[str, str]:
    """Return the headers of a PutObject with these options."""
    headers = {
        header: value
        for attribute, (header, _) in _NAMES.items()
        if (value := getattr(options, attribute)) is not None
    }
    for name, value in options.metadata.items():
        headers[f"x-amz-meta-{name.lower()}"] = value
    if options.tagging:
        headers["x-amz-tagging"] = urlencode(options.tagging)
    return headers


def put_parameters(options: UploadOptions) -> dict[str, object]:
    """Return the parameters of aiobotocore's `put_object` with these options."""
    parameters: dict[str, object] = {
        parameter: value
        for attribute, (_, parameter) in _NAMES.items()
        if (value := getattr(options, attribute)) is not None
    }
    if options.metadata:
        parameters["Metadata"] = dict(options.metadata)
    if options.tagging:
        parameters["Tagging"] = urlencode(options.tagging)
    return parameters


def create_request(
    bucket: str, key: str, options: UploadOptions
) -> CreateMultipartUploadRequestTypeDef:
    """Return the request of a CreateMultipartUpload with these options."""
    request: CreateMultipartUploadRequestTypeDef = {"Bucket": bucket, "Key": key}
    request.update(put_parameters(options))  # type: ignore[typeddict-item]  # by table
    return request
