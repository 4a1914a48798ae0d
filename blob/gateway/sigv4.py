"""AWS Signature Version 4 in the Authorization header, S3 flavour: verification only.

Pure. `parse_authorization` says who claims to ask (so that the app can look the secret
up), `verify` proves it. Headers are (name, value) pairs in any case, values as text of
the bytes received (UTF-8 with surrogateescape, as aiohttp gives them).

Source: S3 API reference, "Authenticating Requests: Using the Authorization Header".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ("Authorization", "PayloadKind", "Verified", "parse_authorization", "verify")


class PayloadKind(Enum):
    """What x-amz-content-sha256 declares the body to be."""

    DIGEST = "DIGEST"
    """The hex SHA-256 of the body: see `Verified.sha256`."""
    UNSIGNED = "UNSIGNED-PAYLOAD"
    UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"

    @property
    def is_chunked(self) -> bool:
        """The body is aws-chunked: feed it to `chunked.ChunkedDecoder`."""
        return self not in (PayloadKind.DIGEST, PayloadKind.UNSIGNED)

    @property
    def has_signed_chunks(self) -> bool:
        """Each chunk carries a signature."""
        return self in (PayloadKind.SIGNED_CHUNKS, PayloadKind.SIGNED_CHUNKS_TRAILER)

    @property
    def has_trailer(self) -> bool:
        """A trailer follows the last chunk."""
        return self in (PayloadKind.UNSIGNED_TRAILER, PayloadKind.SIGNED_CHUNKS_TRAILER)


@dataclass(frozen=True, slots=True)
class Authorization:
    """What the request claims, not proven yet."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        """The credential scope: `20130524/us-east-1/s3/aws4_request`."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True)
class Verified:
    """A request whose signature is right; what the body still has to prove.

    `sha256` is the lower case hex digest the body must have, for `PayloadKind.DIGEST`.
    `signing_key`, `signature` (the seed), `timestamp` and `scope` sign the chunks.
    """

    access_key: str
    timestamp: str
    scope: str
    signing_key: bytes
    signature: str
    payload: PayloadKind
    sha256: str | None


def parse_authorization(
    headers: Sequence[tuple[str, str]],
    *,
    query: str = "",
    region: str = "us-east-1",
) -> Authorization:
    """Read the Authorization header; `query` is raw, without its question mark.

    Raises `MissingAuthError` where there are no credentials at all,
    `UnsupportedAuthError`, `AuthorizationHeaderMalformedError` (naming the expected
    region in `extra`), `NotSupportedError` for a presigned URL.
    """
    raise NotImplementedError


def verify(
    authorization: Authorization,
    secret: str | None,
    *,
    method: str,
    path: str,
    query: str,
    headers: Sequence[tuple[str, str]],
    now: datetime,
) -> Verified:
    """Check the signature, the date and the headers that must be signed.

    `path` and `query` are raw, as received. `secret` None is an unknown access key: the
    same work is done before `InvalidAccessKeyIdError`. Raises `AuthError`s, and
    `InvalidRequestError` or `InvalidArgumentError` for x-amz-content-sha256.
    """
    raise NotImplementedError
