"""Where a pipe uploads to: the Protocol every target fulfils, and what goes in and out.

Implemented by `targets.s3`; a store of one's own needs these methods and one rule
beside them: the `etag` of a finished multipart object is S3's, `md5(md5s)-N`, else a
completion whose answer was lost can only be recognised by its checksum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = (
    "Body",
    "Chunk",
    "Data",
    "ObjectInfo",
    "Part",
    "Span",
    "Target",
    "Upload",
    "UploadOptions",
    "UploadResult",
)

Chunk: TypeAlias = bytes | memoryview
Data: TypeAlias = bytes | bytearray | memoryview | str  # what a pipe takes
# From when to when something ran, by the clock of the event loop.
Span: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadOptions:
    """What the object is stored with, as S3 names it; None leaves it to the store."""

    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    cache_control: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    storage_class: str | None = None
    acl: str | None = None
    server_side_encryption: str | None = None
    sse_kms_key_id: str | None = None
    tagging: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            texts = [value] if isinstance(value, str) else []
            if name == "metadata":
                texts = [text for pair in value.items() for text in pair]
            for text in texts:
                # Headers: anything else would be refused late, or smuggle a header in.
                if not (text.isascii() and text.isprintable()):
                    raise ConfigError(f"{name} must be printable ASCII: {text!r}")


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of one request as a list of chunks: read as often as it is sent."""

    chunks: tuple[Chunk, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was begun."""

    key: str
    upload_id: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part as the store acknowledged it; `checksum` is base64, empty without one."""

    number: int
    size: int
    etag: str
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class UploadResult:
    """A finished object; `checksum` as the store told it, empty when it told none."""

    key: str
    size: int
    etag: str
    version_id: str | None = None
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What stands under a key; `checksum` is that of the target's own algorithm."""

    size: int
    etag: str
    version_id: str | None = None
    checksum: str = ""


@runtime_checkable
class Target(Protocol):
    """A store with multipart uploads. Each call is one attempt: the pipe does retries.

    Errors are `CloudPipeError`s, whose `retryable` decides. A cancelled call may have
    been applied. ETags come without quotes.
    """

    async def put(self, key: str, body: Body, options: UploadOptions) -> UploadResult:
        """Store a whole object, atomically."""
        ...

    async def begin(self, key: str, options: UploadOptions) -> Upload:
        """Begin a multipart upload."""
        ...

    async def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        """Store a part; the same number again replaces it."""
        ...

    async def list_parts(self, upload: Upload) -> Sequence[Part]:
        """List the parts the store has; NoSuchUploadError when the upload is gone."""
        ...

    async def complete(self, upload: Upload, parts: Sequence[Part]) -> UploadResult:
        """Make the object of these parts, atomically."""
        ...

    async def abort(self, upload: Upload) -> None:
        """Remove an upload and its parts; NoSuchUploadError when it is gone."""
        ...

    async def head(self, key: str) -> ObjectInfo:
        """Tell what stands under a key; NoSuchKeyError when nothing does."""
        ...

    async def abort_lost(
        self, key: str, options: UploadOptions, lost: Sequence[Span]
    ) -> bool:
        """Remove uploads that `begin` started but whose answers were lost.

        `lost` tells when each such `begin` of this key ran. False: some are not found
        but may still appear, ask again. Raises an error that is not retryable when
        nothing tells them from somebody else's: then nothing was removed.
        """
        ...

    async def matches(self, info: ObjectInfo, content: Body | Sequence[Part]) -> bool:
        """Tell whether what stands under a key is this body, or made of these parts."""
        ...

    def public_url(self, key: str) -> str:
        """Return the address of an object, unsigned."""
        ...
