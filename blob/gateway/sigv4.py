"""AWS Signature Version 4 in the Authorization header, S3 flavour: verification only.

Pure. `parse_authorization` says who claims to ask (so that the app can look the secret
up), `verify` proves it. Headers are (name, value) pairs in any case, values as text of
the bytes received (UTF-8 with surrogateescape, as aiohttp gives them).

Source: S3 API reference, "Authenticating Requests: Using the Authorization Header".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InvalidArgumentError, NotSupportedError
from ._canonical import (
    canonical_headers,
    canonical_paths,
    canonical_query,
    collect,
    octets,
)
from .headers import parse_http_date
from .wire_errors import (
    AuthorizationHeaderMalformedError,
    InvalidAccessKeyIdError,
    InvalidDateError,
    InvalidRequestError,
    MissingAuthError,
    RequestTimeTooSkewedError,
    SignatureDoesNotMatchError,
    UnsupportedAuthError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = (
    "MAX_SKEW",
    "Authorization",
    "PayloadKind",
    "Verified",
    "parse_authorization",
    "verify",
)


MAX_SKEW = timedelta(minutes=15)
"""How far a request's date may be from the gateway's clock."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_FIELD = re.compile(r"\s*(Credential|SignedHeaders|Signature)=([^,\s]*)\s*", re.ASCII)
_CREDENTIAL = re.compile(r"(.+)/([0-9]{8})/([^/]*)/([^/]*)/aws4_request", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_ISO_BASIC = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_ZERO_OFFSET = re.compile(r" [+-]0000\Z", re.ASCII)
_NO_SECRET = "no such access key, but the same work"  # noqa: S105 - nobody's secret


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
    values = [value for name, value in headers if name.lower() == "authorization"]
    presigned = "Signature=" in query and any(
        field.partition("=")[0] in ("X-Amz-Signature", "Signature")
        for field in query.split("&")
    )
    if len(values) + presigned > 1:
        raise InvalidArgumentError(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter,"
            " Signature query string parameter or the Authorization header should be"
            " specified"
        )
    if presigned:
        raise NotSupportedError("Presigned URLs are not implemented.")
    if not values:
        raise MissingAuthError
    authorization = _parse_value(values[0].strip())
    _check_scope(authorization, region)
    return authorization


def _parse_value(value: str) -> Authorization:
    algorithm, _, rest = value.partition(" ")
    if algorithm != _ALGORITHM:
        raise UnsupportedAuthError
    fields: dict[str, str] = {}
    for text in rest.split(","):
        match = _FIELD.fullmatch(text)
        if match is None or match[1] in fields:
            raise AuthorizationHeaderMalformedError
        fields[match[1]] = match[2]
    if len(fields) != 3:
        missing = {"Credential", "SignedHeaders", "Signature"} - fields.keys()
        raise AuthorizationHeaderMalformedError(
            "The authorization header is malformed; it lacks"
            f" {', '.join(sorted(missing))}."
        )
    credential = _CREDENTIAL.fullmatch(fields["Credential"])
    if credential is None:
        raise AuthorizationHeaderMalformedError(
            "The authorization header is malformed; the Credential is mal-formed;"
            ' expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".'
        )
    access_key, date, region, service = credential.groups()
    # Not a malformed header but a wrong signature, as in S3: it is no hex digest.
    signature = fields["Signature"]
    if not _SIGNATURE.fullmatch(signature):
        raise SignatureDoesNotMatchError
    names = sorted(fields["SignedHeaders"].lower().split(";"))
    if len(names) != len(set(names)):
        # Each would be hashed again: much work for a stranger's few bytes.
        raise AuthorizationHeaderMalformedError
    return Authorization(access_key, date, region, service, tuple(names), signature)


def _check_scope(authorization: Authorization, region: str) -> None:
    if authorization.service != "s3":
        raise AuthorizationHeaderMalformedError(
            "The authorization header is malformed; incorrect service."
            ' This endpoint belongs to "s3".'
        )
    if authorization.region != region:
        raise AuthorizationHeaderMalformedError(
            "The authorization header is malformed; the region is wrong; expecting"
            f" '{region}'",
            extra={"Region": region},
        )


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
    collected = collect(headers)
    signed_headers = canonical_headers(collected, authorization.signed_headers)
    timestamp = _check_time(authorization, collected, now)
    declared = _declared(collected)
    payload, sha256 = _payload(declared)
    key = _signing_key(
        _NO_SECRET if secret is None else secret,
        authorization.date,
        authorization.region,
        authorization.service,
    )
    request = _Request(
        method,
        canonical_query(query),
        signed_headers,
        ";".join(authorization.signed_headers),
        declared,
    )
    matches = request.matches(canonical_paths(path), key, timestamp, authorization)
    if secret is None:
        raise InvalidAccessKeyIdError(
            extra={"AWSAccessKeyId": authorization.access_key}
        )
    if not matches:
        raise SignatureDoesNotMatchError
    return Verified(
        authorization.access_key,
        timestamp,
        authorization.scope,
        key,
        authorization.signature,
        payload,
        sha256,
    )


class _Request(NamedTuple):
    """The canonical request but for its path; `headers` in each form it may have."""

    method: str
    query: str
    headers: Sequence[str]
    signed: str
    payload: str

    def matches(
        self,
        paths: Sequence[str],
        key: bytes,
        timestamp: str,
        authorization: Authorization,
    ) -> bool:
        """Whether the signature is that of the request in one of its forms."""
        return any(
            hmac.compare_digest(
                self.signature(path, headers, key, timestamp, authorization.scope),
                authorization.signature,
            )
            for path in paths
            for headers in self.headers
        )

    def signature(
        self, path: str, headers: str, key: bytes, timestamp: str, scope: str
    ) -> str:
        canonical = (
            f"{self.method}\n{path}\n{self.query}\n{headers}\n{self.signed}\n"
            f"{self.payload}"
        )
        digest = hashlib.sha256(octets(canonical)).hexdigest()
        to_sign = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{digest}"
        return hmac.digest(key, to_sign.encode(), "sha256").hex()


@lru_cache(maxsize=1024)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for text in (date, region, service, "aws4_request"):
        key = hmac.digest(key, text.encode(), "sha256")
    return key


def _check_time(
    authorization: Authorization, headers: Mapping[str, Sequence[str]], now: datetime
) -> str:
    """Return the timestamp signed, once it is neither old nor of another day."""
    stamps = headers.get("x-amz-date") or headers.get("date")
    if stamps is None or len(stamps) != 1:
        raise InvalidDateError
    signed_at = _parse_time(stamps[0].strip())
    timestamp = signed_at.strftime("%Y%m%dT%H%M%SZ")
    if authorization.date != timestamp[:8]:
        raise AuthorizationHeaderMalformedError(
            "The authorization header is malformed; Invalid credential date. This date"
            " is not the same as X-Amz-Date."
        )
    if abs(now - signed_at) > MAX_SKEW:
        raise RequestTimeTooSkewedError(
            extra={
                "RequestTime": timestamp,
                "ServerTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "MaxAllowedSkewMilliseconds": str(
                    MAX_SKEW // timedelta(milliseconds=1)
                ),
            }
        )
    return timestamp


def _parse_time(text: str) -> datetime:
    if _ISO_BASIC.fullmatch(text):
        try:
            return datetime(
                int(text[:4]),
                int(text[4:6]),
                int(text[6:8]),
                int(text[9:11]),
                int(text[11:13]),
                int(text[13:15]),
                tzinfo=UTC,
            )
        except ValueError as error:
            raise InvalidDateError from error
    # botocore signs a Date that it writes with -0000.
    moment = parse_http_date(_ZERO_OFFSET.sub(" GMT", text))
    if moment is None:
        raise InvalidDateError
    return moment


def _declared(headers: Mapping[str, Sequence[str]]) -> str:
    values = headers.get("x-amz-content-sha256")
    if not values:
        raise InvalidRequestError(
            "Missing required header for this request: x-amz-content-sha256"
        )
    return ",".join(values).strip()


def _payload(declared: str) -> tuple[PayloadKind, str | None]:
    if _DIGEST.fullmatch(declared):
        return PayloadKind.DIGEST, declared.lower()
    kind = _KINDS.get(declared)
    if kind is None:
        raise InvalidArgumentError(
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD,"
            " STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD,"
            " STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value."
        )
    return kind, None


_KINDS = {kind.value: kind for kind in PayloadKind if kind is not PayloadKind.DIGEST}
