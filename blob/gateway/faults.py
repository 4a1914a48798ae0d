"""The error table: what an error of the driver, or of the request, is called in S3.

`to_fault` translates every error of `blob.errors` by the one table below, and the
gateway's own (`wire_errors`), which know their codes. What is neither is a bug or a
broken driver: it becomes a 500 InternalError that tells the client nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from .. import errors
from ..errors import InvalidRangeError, NotModifiedError, NotSupportedError
from .headers import http_date, quote_etag
from .wire_errors import WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("INTERNAL_ERROR", "Fault", "not_implemented", "to_fault")

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as it is answered; `extra` are more elements of its document."""

    code: str
    status: int
    message: str
    extra: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


INTERNAL_ERROR = Fault(
    "InternalError", 500, "We encountered an internal error. Please try again."
)

# Error class -> Code, status, Message (None: the error's own, which is about what the
# client sent). Looked up along the class's bases, so a driver may subclass.
_TABLE: Mapping[type[BaseException], tuple[str, int, str | None]] = {
    errors.AccessDeniedError: ("AccessDenied", 403, "Access Denied"),
    errors.BadDigestError: ("BadDigest", 400, None),
    errors.ClosedError: (
        "ServiceUnavailable",
        503,
        "The service is shutting down. Please try again.",
    ),
    errors.ConflictError: ("OperationAborted", 409, None),
    errors.ContainerExistsError: (
        "BucketAlreadyExists",
        409,
        "The requested bucket name is not available. Please select another one.",
    ),
    errors.ContainerNotEmptyError: (
        "BucketNotEmpty",
        409,
        "The bucket you tried to delete is not empty",
    ),
    errors.EntityTooLargeError: ("EntityTooLarge", 400, None),
    errors.EntityTooSmallError: ("EntityTooSmall", 400, None),
    errors.IncompleteBodyError: ("IncompleteBody", 400, None),
    errors.InvalidArgumentError: ("InvalidArgument", 400, None),
    errors.InvalidContainerNameError: (
        "InvalidBucketName",
        400,
        "The specified bucket is not valid.",
    ),
    errors.InvalidDigestError: ("InvalidDigest", 400, None),
    errors.InvalidKeyError: ("KeyTooLongError", 400, "Your key is too long"),
    errors.InvalidPartError: ("InvalidPart", 400, None),
    errors.InvalidPartOrderError: ("InvalidPartOrder", 400, None),
    errors.InvalidRangeError: (
        "InvalidRange",
        416,
        "The requested range is not satisfiable",
    ),
    errors.NoSuchContainerError: (
        "NoSuchBucket",
        404,
        "The specified bucket does not exist",
    ),
    errors.NoSuchFileError: ("NoSuchKey", 404, "The specified key does not exist."),
    errors.NoSuchUploadError: ("NoSuchUpload", 404, None),
    errors.NoSuchVersionError: ("NoSuchVersion", 404, None),
    errors.NotModifiedError: ("NotModified", 304, None),
    errors.NotSupportedError: ("NotImplemented", 501, None),
    errors.PreconditionFailedError: (
        "PreconditionFailed",
        412,
        "At least one of the pre-conditions you specified did not hold",
    ),
    errors.StorageBusyError: ("SlowDown", 503, "Please reduce your request rate."),
    errors.StorageFullError: (
        "InsufficientStorage",
        507,
        "No space is left in the store.",
    ),
    errors.UsageExceededError: (
        "QuotaExceeded",
        403,
        "The quota of the store is used up.",
    ),
}


def not_implemented(what: str) -> NotSupportedError:
    """Return the error for what is outside the table of actions."""
    return NotSupportedError(
        "A header or query you provided implies functionality that is not"
        f" implemented: {what}"
    )


def to_fault(error: Exception) -> Fault | None:
    """Translate an error; None for one that the client has no part in."""
    if isinstance(error, WireError):
        return Fault(error.code, error.status, error.message, error.extra)
    for base in type(error).__mro__:
        if base in _TABLE:
            code, status, message = _TABLE[base]
            text = message or str(error)
            return Fault(code, status, text, *_details(error))
    return None


def _details(error: Exception) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the elements and headers that only some errors carry."""
    if isinstance(error, InvalidRangeError):
        size = str(error.size)
        return {"ActualObjectSize": size}, {"Content-Range": f"bytes */{size}"}
    if isinstance(error, NotModifiedError) and error.info is not None:
        # RFC 9110 15.4.5: what a 200 would have said, as far as caches need it.
        info = error.info
        headers = {
            "ETag": quote_etag(info.etag),
            "Last-Modified": http_date(info.last_modified),
        }
        if info.metadata.cache_control is not None:
            headers["Cache-Control"] = info.metadata.cache_control
        if info.metadata.expires is not None:
            headers["Expires"] = info.metadata.expires
        return _NOTHING, headers
    return _NOTHING, _NOTHING
