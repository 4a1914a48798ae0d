"""S3's error codes and the libraries' exceptions as this package's: the tables."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
from botocore import exceptions as boto
from botocore.model import StructureShape
from botocore.parsers import RestXMLParser

from ..errors import (
    AccessDeniedError,
    CertificateError,
    CloudPipeError,
    ConfigError,
    ConnectionLostError,
    IntegrityError,
    InternalError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchUploadError,
    StalledError,
    TargetError,
    UnavailableError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..s3stream import Response

_CODES: dict[str, type[TargetError]] = {
    "NoSuchUpload": NoSuchUploadError,
    "NoSuchKey": NoSuchKeyError,
    "NoSuchBucket": NoSuchBucketError,
    # Codes that S3 sends with a 4xx, or in a 200, and that pass.
    "RequestTimeout": UnavailableError,
    "SlowDown": UnavailableError,
    "InternalError": InternalError,
    "ServiceUnavailable": UnavailableError,
    "OperationAborted": UnavailableError,
    "IncompleteBody": UnavailableError,
}
_DAMAGED = frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"})
_STATUSES: dict[int, type[TargetError]] = {
    401: AccessDeniedError,
    403: AccessDeniedError,
    408: UnavailableError,
    429: UnavailableError,
    501: TargetError,
    503: UnavailableError,
    505: TargetError,
}
_NO_CREDENTIALS = (boto.NoCredentialsError, boto.PartialCredentialsError)
_CONFIG = (
    boto.ParamValidationError,
    boto.NoRegionError,
    boto.InvalidRegionError,
    boto.ProfileNotFound,
    ValueError,
)
_STALLS = (boto.ReadTimeoutError, TimeoutError)
_UNREACHABLE = (boto.ConnectTimeoutError, boto.ProxyConnectionError)
_CONNECTION = (
    boto.ConnectionError,
    boto.HTTPClientError,
    aiohttp.ClientError,
    OSError,
)


def error_of(operation: str, code: str, status: int, message: str) -> CloudPipeError:
    """Return the error an answer means; `code` is empty when the answer had no body."""
    text = f"{operation}: {status} {code}: {message}".rstrip(": ")
    if code in _DAMAGED:
        return IntegrityError(text)
    cls = _CODES.get(code) or _STATUSES.get(status)
    if status == 503 and code in ("", str(status)):
        # No S3 error: a balancer's word, which does not know what the store did.
        cls = InternalError
    if cls is None:
        cls = InternalError if status >= 500 else TargetError
    return cls(text, operation=operation, code=code, status=status)


def error_of_response(operation: str, response: Response) -> CloudPipeError:
    """Return the error of a PUT that was not answered with 200."""
    parsed = RestXMLParser().parse(
        {
            "status_code": response.status,
            "headers": response.headers,
            "body": response.body,
        },
        StructureShape("Nothing", {"type": "structure", "members": {}}),
    )
    error = parsed.get("Error", {})
    return error_of(
        operation,
        str(error.get("Code", "")),
        response.status,
        str(error.get("Message", "")),
    )


def _of_client_error(operation: str, exc: boto.ClientError) -> CloudPipeError:
    error = exc.response.get("Error", {})
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(error.get("Code", ""))
    if code == "404":  # a HEAD has no body: botocore repeats the status as the code
        code = "NoSuchKey"
    return error_of(operation, code, status, str(error.get("Message", "")))


def _of_connection(operation: str, exc: Exception) -> CloudPipeError:
    details = getattr(exc, "kwargs", {})
    details.pop("request", None)  # it holds the body, and the error may be kept
    inner = details.get("error")
    if isinstance(inner, aiohttp.ClientConnectorCertificateError):
        return CertificateError(f"{operation}: {inner}", operation=operation)
    # aiobotocore says EndpointConnectionError of broken connections too.
    if isinstance(inner, aiohttp.ClientConnectorError):
        return UnreachableError(f"{operation}: {inner}", operation=operation)
    return ConnectionLostError(f"{operation}: {exc}", operation=operation)


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn what aiobotocore raises inside the block into this package's errors."""
    try:
        yield
    except TargetError as exc:
        exc.operation = exc.operation or operation
        raise
    except CloudPipeError:
        raise
    except boto.ClientError as exc:
        raise _of_client_error(operation, exc) from exc
    except _NO_CREDENTIALS as exc:
        raise AccessDeniedError(f"{operation}: {exc}", operation=operation) from exc
    except _UNREACHABLE as exc:
        raise UnreachableError(f"{operation}: {exc}", operation=operation) from exc
    except _STALLS as exc:
        raise StalledError(f"{operation}: {exc}", operation=operation) from exc
    except _CONNECTION as exc:
        raise _of_connection(operation, exc) from exc
    except _CONFIG as exc:
        raise ConfigError(f"{operation}: {exc}") from exc
    except boto.BotoCoreError as exc:
        raise TargetError(f"{operation}: {exc}", operation=operation) from exc
