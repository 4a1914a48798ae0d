"""Errors of the blob package: one tree, each with an HTTP status, a Code and a Message.

BlobError
├── ClosedError                         the driver was closed before or during the call
├── DriverConfigError (ValueError)      options given to `create_driver` make no sense
├── NotSupportedError                   501 the driver has not this capability
├── InvalidArgumentError (ValueError)   400
│   ├── InvalidContainerNameError       400
│   ├── InvalidKeyError                 400
│   ├── InvalidDigestError              400 a digest that is no digest
│   ├── BadDigestError                  400 a digest that does not match the body
│   ├── IncompleteBodyError             400 the body has not its announced length
│   ├── EntityTooSmallError             400 a part below 5 MiB that is not the last
│   ├── EntityTooLargeError             400
│   ├── InvalidPartError                400
│   └── InvalidPartOrderError           400
├── AccessDeniedError (PermissionError) 403
├── NotFoundError (FileNotFoundError)   404
│   ├── NoSuchContainerError
│   ├── NoSuchFileError
│   ├── NoSuchVersionError
│   └── NoSuchUploadError
├── ConflictError                       409
│   ├── ContainerExistsError (FileExistsError)   somebody else owns the name
│   ├── ContainerNotEmptyError
│   └── OptionsChangedError             container_set_options: if_version did not hold
├── PreconditionFailedError             412
├── NotModifiedError                    304, carries the `FileInfo`
├── InvalidRangeError                   416, carries the size
├── UsageExceededError                  507 the quota of the store is used up
└── StorageError (OSError)              500 the store could not do it
    ├── StorageFullError                507 no space left, or no inode
    ├── StorageBusyError                503 try again later (retryable)
    ├── CorruptDataError                500 stored bytes are missing or damaged
    └── OutcomeUnknownError             500 the write may or may not have been applied

`code` is the Code of the driver document the package grew from; a gateway dialect may
translate it (S3 says NoSuchBucket where the document says NoSuchContainer). Messages
never hold a path of the server or a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from .types import FileInfo

__all__ = (
    "AccessDeniedError",
    "BadDigestError",
    "BlobError",
    "ClosedError",
    "ConflictError",
    "ContainerExistsError",
    "ContainerNotEmptyError",
    "CorruptDataError",
    "DriverConfigError",
    "EntityTooLargeError",
    "EntityTooSmallError",
    "IncompleteBodyError",
    "InvalidArgumentError",
    "InvalidContainerNameError",
    "InvalidDigestError",
    "InvalidKeyError",
    "InvalidPartError",
    "InvalidPartOrderError",
    "InvalidRangeError",
    "NoSuchContainerError",
    "NoSuchFileError",
    "NoSuchUploadError",
    "NoSuchVersionError",
    "NotFoundError",
    "NotModifiedError",
    "NotSupportedError",
    "OptionsChangedError",
    "OutcomeUnknownError",
    "PreconditionFailedError",
    "StorageBusyError",
    "StorageError",
    "StorageFullError",
    "UsageExceededError",
)


def _rebuild(cls: type[BlobError], message: str, state: dict[str, Any]) -> BlobError:
    error = cls.__new__(cls)
    error.__init__(message)  # type: ignore[misc]  # rebuilding a pickled error
    error.__dict__.update(state)
    return error


class BlobError(Exception):
    """Base of every error the blob package raises."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "InternalError"
    retryable: ClassVar[bool] = False
    _default: ClassVar[str] = "We encountered an internal error. Please try again."

    def __init__(self, message: str = "") -> None:
        self.message = message or self._default
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def __reduce__(
        self,
    ) -> tuple[
        Callable[[type[BlobError], str, dict[str, Any]], BlobError],
        tuple[type[BlobError], str, dict[str, Any]],
    ]:
        return _rebuild, (type(self), self.message, dict(self.__dict__))


class ClosedError(BlobError):
    """The driver was closed before or during the call."""

    status = 503
    code = "ServiceUnavailable"
    _default = "The store is closed."


class DriverConfigError(BlobError, ValueError):
    """The options given to `create_driver` make no sense; the message says which."""

    code = "DriverConfig"
    _default = "The driver's options make no sense."


class NotSupportedError(BlobError):
    """The driver does not have this capability; nothing was touched."""

    status = 501
    code = "NotImplemented"
    _default = "A header or operation you asked for is not implemented."


class InvalidArgumentError(BlobError, ValueError):
    """An argument is outside its range; nothing was changed."""

    status = 400
    code = "InvalidArgument"
    _default = "Invalid argument."


class InvalidContainerNameError(InvalidArgumentError):
    """The container name breaks the rules of `blob.rules.check_container`."""

    code = "InvalidContainerName"
    _default = (
        "The container name is not valid: 3 to 63 of a-z, 0-9, '.' and '-', a letter or"
        " digit first and last, no '..', '.-' or '-.', not an IP address."
    )


class InvalidKeyError(InvalidArgumentError):
    """The key is empty, over 1,024 bytes of UTF-8, or not Unicode text."""

    code = "InvalidKey"
    _default = "The key must be 1 to 1,024 bytes of UTF-8."


class InvalidDigestError(InvalidArgumentError):
    """A digest was given that is no digest of its kind."""

    code = "InvalidDigest"
    _default = "The digest you specified is not valid."


class BadDigestError(InvalidArgumentError):
    """The body does not have the digest it was announced with; nothing was stored."""

    code = "BadDigest"
    _default = "The digest you specified did not match what we received."


class IncompleteBodyError(InvalidArgumentError):
    """The body ended before its announced length, or ran over it; nothing stored."""

    code = "IncompleteBody"
    _default = "The body does not have the number of bytes its length announced."


class EntityTooSmallError(InvalidArgumentError):
    """A part other than the last is below 5 MiB."""

    code = "EntityTooSmall"
    _default = "A part other than the last is smaller than the minimum of 5 MiB."


class EntityTooLargeError(InvalidArgumentError):
    """The body is larger than the store takes in one piece."""

    code = "EntityTooLarge"
    _default = "The body is larger than the maximum allowed size."


class InvalidPartError(InvalidArgumentError):
    """A part named at completion was not uploaded, or has another ETag."""

    code = "InvalidPart"
    _default = "A part was not found, or its entity tag does not match."


class InvalidPartOrderError(InvalidArgumentError):
    """The parts named at completion are not in ascending order."""

    code = "InvalidPartOrder"
    _default = "The list of parts was not in ascending order."


class AccessDeniedError(BlobError, PermissionError):
    """The principal may not do this."""

    status = 403
    code = "AccessDenied"
    _default = "Access denied."


class NotFoundError(BlobError, FileNotFoundError):
    """What was named does not exist."""

    status = 404
    code = "NotFound"
    _default = "The resource does not exist."


class NoSuchContainerError(NotFoundError):
    """The container does not exist."""

    code = "NoSuchContainer"
    _default = "The specified container does not exist."


class NoSuchFileError(NotFoundError):
    """The file does not exist."""

    code = "NoSuchFile"
    _default = "The specified file does not exist."


class NoSuchVersionError(NotFoundError):
    """The file has no such version."""

    code = "NoSuchVersion"
    _default = "The specified version does not exist."


class NoSuchUploadError(NotFoundError):
    """The multipart upload does not exist: never begun, completed or aborted."""

    code = "NoSuchUpload"
    _default = "The specified upload does not exist; it may be completed or aborted."


class ConflictError(BlobError):
    """The state of the store forbids it."""

    status = 409
    code = "OperationAborted"
    _default = "A conflicting operation is in progress. Try again."


class ContainerExistsError(ConflictError, FileExistsError):
    """The container's name is taken by another owner."""

    code = "ContainerAlreadyExists"
    _default = "The container name is taken. Choose another name."


class ContainerNotEmptyError(ConflictError):
    """The container still holds files, so it was not deleted."""

    code = "ContainerNotEmpty"
    _default = "The container you tried to delete is not empty."


class OptionsChangedError(ConflictError):
    """The container's options have another version than `if_version`."""

    code = "OptionsChanged"
    _default = "The container options were changed by somebody else. Read them again."


class PreconditionFailedError(BlobError):
    """A condition of the request did not hold; nothing was changed."""

    status = 412
    code = "PreconditionFailed"
    _default = "At least one of the preconditions you specified did not hold."


class NotModifiedError(BlobError):
    """The caller's copy is current; `info` describes the stored file."""

    status = 304
    code = "NotModified"
    _default = "Not modified."

    def __init__(self, message: str = "", *, info: FileInfo | None = None) -> None:
        super().__init__(message)
        self.info = info


class InvalidRangeError(BlobError):
    """No byte of the file lies in the range; `size` is the file's size in bytes."""

    status = 416
    code = "InvalidRange"
    _default = "The requested range cannot be satisfied."

    def __init__(self, message: str = "", *, size: int = 0) -> None:
        super().__init__(message)
        self.size = size


class UsageExceededError(BlobError):
    """The write would exceed the store's quota of bytes or files; nothing stored."""

    status = 507
    code = "UsageExceeded"
    _default = "The quota of the store is used up. Delete something, or raise it."


class StorageError(BlobError, OSError):
    """The store failed; the old version stays. `__cause__` says how."""


class StorageFullError(StorageError):
    """No space is left where the store keeps its data; the old version stays."""

    status = 507
    code = "InsufficientStorage"
    _default = "No space is left in the store. Free some, then try again."


class StorageBusyError(StorageError):
    """The store cannot take the request now; try again later."""

    status = 503
    code = "SlowDown"
    retryable = True
    _default = "Please reduce your request rate."


class CorruptDataError(StorageError):
    """Stored bytes are missing or too few, or the index of the store is damaged.

    Bytes that were altered in place are not noticed: reads do not check digests.
    """

    code = "CorruptData"
    _default = "The stored data is damaged: bytes of it are missing."


class OutcomeUnknownError(StorageError):
    """The write may or may not have been applied: read before writing again."""

    code = "OutcomeUnknown"
    _default = "The outcome of the write is unknown. Look before you write again."
