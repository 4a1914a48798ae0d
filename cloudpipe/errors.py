"""Errors of the cloudpipe package: one tree.

`retryable` says whether a re-send may help, `ambiguous` whether the request may have
been applied although it failed.

CloudPipeError
├── ConfigError (ValueError)              options that make no sense
├── ClosedError                           used before its block, or after the end
├── TooLargeError                         more than 10,000 parts, or than the memory
├── AbortFailedError                      the upload is still at the store
├── OutcomeUnknownError                   sent, no answer, and looking did not tell
├── IntegrityError                        retryable: not the digest of what was sent
│   └── ObjectIntegrityError              the finished object's digest is wrong
└── TargetError                           the store refused, or could not be asked
    ├── ConnectionLostError (ConnectionError)   retryable: it broke before the answer
    │   └── UnreachableError              no connection could be made: nothing was sent
    │       └── CertificateError          not retryable: the store's is not trusted
    ├── StalledError (TimeoutError)       retryable: nothing moved for too long
    ├── UnavailableError                  retryable: 503, SlowDown, RequestTimeout
    │   └── InternalError                 any other 5xx: it may have been applied
    ├── AccessDeniedError (PermissionError)     403, or no credentials found
    ├── NoSuchBucketError (FileNotFoundError)
    ├── NoSuchKeyError (FileNotFoundError)
    └── NoSuchUploadError (FileNotFoundError)   finished, aborted, or never begun

Every error pickles. What the libraries below raised is kept as `__cause__`.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = (
    "AbortFailedError",
    "AccessDeniedError",
    "CertificateError",
    "ClosedError",
    "CloudPipeError",
    "ConfigError",
    "ConnectionLostError",
    "IntegrityError",
    "InternalError",
    "NoSuchBucketError",
    "NoSuchKeyError",
    "NoSuchUploadError",
    "ObjectIntegrityError",
    "OutcomeUnknownError",
    "StalledError",
    "TargetError",
    "TooLargeError",
    "UnavailableError",
    "UnreachableError",
)


class CloudPipeError(Exception):
    """Root of everything this package raises."""

    retryable: ClassVar[bool] = False
    ambiguous: ClassVar[bool] = False


class ConfigError(CloudPipeError, ValueError):
    """Options that make no sense, told before anything is sent."""


class ClosedError(CloudPipeError):
    """The pipe or target is not open: not yet entered, or finished, or aborted."""


class TooLargeError(CloudPipeError):
    """The stream does not fit S3's 10,000 parts, or one `write_nowait` the memory."""


class AbortFailedError(CloudPipeError):
    """The upload could not be removed within the time for it; it is not readable."""

    def __init__(self, message: str, *, upload_id: str = "") -> None:
        super().__init__(message)
        self.upload_id = upload_id


class OutcomeUnknownError(CloudPipeError):
    """The object may or may not stand whole under its key; never in part."""

    ambiguous = True


class IntegrityError(CloudPipeError):
    """A digest does not match what was sent: the bytes were damaged on the way."""

    retryable = True


class ObjectIntegrityError(IntegrityError):
    """The store finished the object and tells a digest that is not the stream's."""

    retryable = False


class TargetError(CloudPipeError):
    """The store refused a request, or could not be asked.

    `operation` is the S3 action, `code` the store's own (empty when it did not answer),
    `status` the HTTP status (0 when it did not answer).
    """

    def __init__(
        self, message: str, *, operation: str = "", code: str = "", status: int = 0
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.code = code
        self.status = status


class ConnectionLostError(TargetError, ConnectionError):
    """The connection broke before the answer."""

    retryable = True
    ambiguous = True


class UnreachableError(ConnectionLostError):
    """No connection could be made: nothing was sent."""

    ambiguous = False


class CertificateError(UnreachableError):
    """The store's certificate is not one to trust: another try tells the same."""

    retryable = False


class StalledError(TargetError, TimeoutError):
    """No byte moved for as long as the transport settings allow."""

    retryable = True
    ambiguous = True


class UnavailableError(TargetError):
    """The store did nothing and said to try again: 503, SlowDown, RequestTimeout."""

    retryable = True


class InternalError(UnavailableError):
    """Something failed at it (5xx, or no result in a 200): it may have been applied."""

    ambiguous = True


class AccessDeniedError(TargetError, PermissionError):
    """The store refused these credentials, or none were found."""


class NoSuchBucketError(TargetError, FileNotFoundError):
    """The bucket does not exist."""


class NoSuchKeyError(TargetError, FileNotFoundError):
    """The object does not exist."""


class NoSuchUploadError(TargetError, FileNotFoundError):
    """The multipart upload does not exist: finished, aborted, or never begun."""
