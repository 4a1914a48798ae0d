"""Errors a request can earn before any driver sees it: one tree under `BlobError`.

WireError                               carries `extra`: more elements for <Error>
├── AuthError (PermissionError)         403 unless said otherwise
│   ├── MissingAuthError                    AccessDenied: no credentials at all
│   ├── UnsignedHeadersError                AccessDenied: HeadersNotSigned
│   ├── InvalidDateError                    AccessDenied: no or bad x-amz-date
│   ├── InvalidAccessKeyIdError
│   ├── SignatureDoesNotMatchError          also of a chunk or a trailer
│   ├── RequestTimeTooSkewedError
│   ├── AuthorizationHeaderMalformedError   400
│   └── UnsupportedAuthError            400 InvalidRequest: not AWS4-HMAC-SHA256
├── ContentSHA256MismatchError          400 XAmzContentSHA256Mismatch
├── InvalidRequestError                 400
├── InvalidURIError                     400
├── InvalidChunkSizeError               403
├── MalformedTrailerError               400
├── MalformedXMLError                   400
├── MetadataTooLargeError               400
└── MissingContentLengthError           411

Beside these the pure modules raise `InvalidArgumentError`, `InvalidDigestError`,
`BadDigestError` and `IncompleteBodyError` of `blob.errors`. Messages hold no secret.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import BlobError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "AuthError",
    "AuthorizationHeaderMalformedError",
    "ContentSHA256MismatchError",
    "InvalidAccessKeyIdError",
    "InvalidChunkSizeError",
    "InvalidDateError",
    "InvalidRequestError",
    "InvalidURIError",
    "MalformedTrailerError",
    "MalformedXMLError",
    "MetadataTooLargeError",
    "MissingAuthError",
    "MissingContentLengthError",
    "RequestTimeTooSkewedError",
    "SignatureDoesNotMatchError",
    "UnsignedHeadersError",
    "UnsupportedAuthError",
    "WireError",
)

_NOTHING: Mapping[str, str] = MappingProxyType({})


class WireError(BlobError):
    """The request breaks the protocol; nothing was touched.

    `extra` are further elements for the error document: `{"Region": "us-east-1"}`.
    """

    status = 400

    def __init__(
        self, message: str = "", *, extra: Mapping[str, str] = _NOTHING
    ) -> None:
        super().__init__(message)
        self.extra = dict(extra)


class AuthError(WireError, PermissionError):
    """Who asks is unknown, or did not prove it."""

    status = 403
    code = "AccessDenied"
    _default = "Access Denied"


class MissingAuthError(AuthError):
    """The request carries no credentials at all."""


class UnsignedHeadersError(AuthError):
    """A header that must be signed was not."""

    _default = "There were headers present in the request which were not signed"


class InvalidDateError(AuthError):
    """The request has no date, or none that can be read."""

    _default = "AWS authentication requires a valid Date or x-amz-date header"


class InvalidAccessKeyIdError(AuthError):
    """The access key is not known."""

    code = "InvalidAccessKeyId"
    _default = "The AWS Access Key Id you provided does not exist in our records."


class SignatureDoesNotMatchError(AuthError):
    """The signature of the request, a chunk or a trailer is not what it must be."""

    code = "SignatureDoesNotMatch"
    _default = (
        "The request signature we calculated does not match the signature you"
        " provided. Check your key and signing method."
    )


class RequestTimeTooSkewedError(AuthError):
    """The request was signed too long ago, or in the future."""

    code = "RequestTimeTooSkewed"
    _default = (
        "The difference between the request time and the current time is too large."
    )


class AuthorizationHeaderMalformedError(AuthError):
    """The Authorization header cannot be read, or is meant for another region."""

    status = 400
    code = "AuthorizationHeaderMalformed"
    _default = "The authorization header is malformed."


class UnsupportedAuthError(AuthError):
    """The way of signing is not one the gateway has."""

    status = 400
    code = "InvalidRequest"
    _default = (
        "The authorization mechanism you have provided is not supported. Please use"
        " AWS4-HMAC-SHA256."
    )


class ContentSHA256MismatchError(WireError):
    """The body does not have the digest that was signed."""

    code = "XAmzContentSHA256Mismatch"
    _default = (
        "The provided 'x-amz-content-sha256' header does not match what was computed."
    )


class InvalidRequestError(WireError):
    """Headers are missing, contradict each other or cannot be read."""

    code = "InvalidRequest"
    _default = "Invalid Request"


class InvalidURIError(WireError):
    """The path or query is not percent-encoded UTF-8."""

    code = "InvalidURI"
    _default = "Couldn't parse the specified URI."


class InvalidChunkSizeError(WireError):
    """A chunk of an aws-chunked body is larger than any may be."""

    status = 403
    code = "InvalidChunkSizeError"
    _default = "The chunk size is not allowed."


class MalformedTrailerError(WireError):
    """The trailer of an aws-chunked body is not what was announced."""

    code = "MalformedTrailerError"
    _default = (
        "The request contained trailing data that was not well-formed or did not"
        " conform to our published schema."
    )


class MalformedXMLError(WireError):
    """The XML of the request is no XML, or not what the action takes."""

    code = "MalformedXML"
    _default = (
        "The XML you provided was not well-formed or did not validate against our"
        " published schema"
    )


class MetadataTooLargeError(WireError):
    """User metadata is over 2 KiB."""

    code = "MetadataTooLarge"
    _default = "Your metadata headers exceed the maximum allowed metadata size"


class MissingContentLengthError(WireError):
    """The request must say how long its body is."""

    status = 411
    code = "MissingContentLength"
    _default = "You must provide the Content-Length HTTP header."
