"""An upload sink in bounded memory: stream anything into one object of an S3 store.

Read in this order: `errors`, `events` (what a pipe tells), `target` (the Protocol of a
store, and what goes in and out); what a pipe is made of: `_backoff`, `_sizes` and
`_chunker` (cutting writes into parts), `_buffer` (the memory account), `_subscribers`,
`_uploader` (parts in flight, retries, finishing, removing), `_intake` (the producer's
side); `pipe` (CloudPipe itself); then `_integrity` (digests), `s3wire` and `s3stream`
(one S3 request) and `targets`.
"""

from ._backoff import Backoff
from .errors import (
    AbortFailedError,
    AccessDeniedError,
    CertificateError,
    ClosedError,
    CloudPipeError,
    ConfigError,
    ConnectionLostError,
    IntegrityError,
    InternalError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchUploadError,
    ObjectIntegrityError,
    OutcomeUnknownError,
    StalledError,
    TargetError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from .events import (
    Drained,
    End,
    Error,
    Event,
    PartDone,
    PartRetried,
    PartSizeGrown,
    PartStarted,
    Progress,
    Ready,
)
from .pipe import CloudPipe
from .target import (
    Body,
    ObjectInfo,
    Part,
    Target,
    Upload,
    UploadOptions,
    UploadResult,
)

__all__ = (
    "AbortFailedError",
    "AccessDeniedError",
    "Backoff",
    "Body",
    "CertificateError",
    "ClosedError",
    "CloudPipe",
    "CloudPipeError",
    "ConfigError",
    "ConnectionLostError",
    "Drained",
    "End",
    "Error",
    "Event",
    "IntegrityError",
    "InternalError",
    "NoSuchBucketError",
    "NoSuchKeyError",
    "NoSuchUploadError",
    "ObjectInfo",
    "ObjectIntegrityError",
    "OutcomeUnknownError",
    "Part",
    "PartDone",
    "PartRetried",
    "PartSizeGrown",
    "PartStarted",
    "Progress",
    "Ready",
    "StalledError",
    "Target",
    "TargetError",
    "TooLargeError",
    "UnavailableError",
    "UnreachableError",
    "Upload",
    "UploadOptions",
    "UploadResult",
)
