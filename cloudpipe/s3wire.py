"""Signing one S3 upload request without reading its body: pure.

Signature Version 4 in headers with `x-amz-content-sha256: UNSIGNED-PAYLOAD`, by
botocore's own signer: the body can then be streamed from a list of chunks, and its
integrity is the checksum header's matter, which is signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.awsrequest import AWSRequest
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.auth import SigV4Auth

__all__ = ("SignedRequest", "object_url", "sign_put")

# What botocore's `S3SigV4Auth` reads to leave the payload unsigned over http too.
_UNSIGNED_PAYLOAD = Config(s3={"payload_signing_enabled": False})


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A PUT ready to be sent as it is: percent-encoded address and all headers."""

    url: str
    headers: Mapping[str, str]


def object_url(base: str, key: str, query: Mapping[str, str] | None = None) -> str:
    """Return the address of a key below a bucket's, encoded as S3 signs it."""
    url = f"{base}/{quote(key, safe='/~')}"
    if not query:
        return url
    pairs = (
        f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in query.items()
    )
    return f"{url}?{'&'.join(pairs)}"


def sign_put(
    auth: SigV4Auth, url: str, headers: Mapping[str, str], size: int
) -> SignedRequest:
    """Sign a PUT of `size` bytes with these headers, valid for the next 15 minutes.

    `auth` is botocore's `S3SigV4Auth`, `url` already encoded (`object_url`).
    """
    request = AWSRequest("PUT", url, {**headers, "Content-Length": str(size)})
    request.context["client_config"] = _UNSIGNED_PAYLOAD
    auth.add_auth(request)
    return SignedRequest(url, dict(request.headers.items()))
