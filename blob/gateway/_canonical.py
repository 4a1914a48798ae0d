"""The canonical forms that AWS Signature Version 4 signs, S3 flavour.

Pure; used by `sigv4`. The path is encoded once and never normalised: `//` and `..`
stay.

Source: S3 API reference, "Task 1: Create a Canonical Request".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

from .wire_errors import SignatureDoesNotMatchError, UnsignedHeadersError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CANONICAL_PATH = re.compile(r"[A-Za-z0-9/._~-]+", re.ASCII)
_SPACES = re.compile("  +")
_BLANKS = re.compile("[ \t]+")
_CANONICAL_QUERY = re.compile(r"[A-Za-z0-9._~-]+=[A-Za-z0-9._~-]*", re.ASCII)


def octets(text: str) -> bytes:
    """Return the bytes that were received: aiohttp decodes with surrogateescape."""
    return text.encode("utf-8", "surrogateescape")


def collect(headers: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    collected: dict[str, list[str]] = {}
    for name, value in headers:
        collected.setdefault(name.lower(), []).append(value)
    return collected


def canonical_headers(
    headers: Mapping[str, Sequence[str]], signed: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the forms of the lines of the signed headers that clients sign.

    The documentation folds spaces, and only those; botocore folds tabs into them, so
    that form counts where there is a tab. To fold any other white space would refuse
    clients that sign an ideographic space as it is, and let it be changed.

    Refuses what should be signed and is not.
    """
    unsigned = [
        name
        for name in headers
        if (name == "host" or name.startswith("x-amz-")) and name not in signed
    ]
    if unsigned or "host" not in signed:
        raise UnsignedHeadersError(
            extra={"HeadersNotSigned": ", ".join(sorted(unsigned)) or "host"}
        )
    if not headers.keys() >= set(signed):
        raise SignatureDoesNotMatchError
    folded = _fold(_SPACES, headers, signed)
    return (folded, _fold(_BLANKS, headers, signed)) if "\t" in folded else (folded,)


def _fold(
    blanks: re.Pattern[str],
    headers: Mapping[str, Sequence[str]],
    signed: tuple[str, ...],
) -> str:
    lines = []
    for name in signed:
        values = [blanks.sub(" ", value).strip(" ") for value in headers[name]]
        lines.append(f"{name}:{','.join(values)}\n")
    return "".join(lines)


def canonical_paths(raw: str) -> tuple[str, ...]:
    """Return the forms of the path that clients sign: encoded once, never normalised.

    A `%2F` names the same key as a slash, and some clients sign the one and send the
    other, so both forms are tried where there is one.
    """
    if _CANONICAL_PATH.fullmatch(raw):
        return (raw,)
    kept = "%2F".join(
        quote_from_bytes(unquote_to_bytes(octets(piece)), "/~")
        for piece in re.split("%2[Ff]", raw)
    )
    if "%2F" not in kept:
        return (kept,)
    return kept, kept.replace("%2F", "/")


def canonical_query(raw: str) -> str:
    """Return the query decoded, encoded as SigV4 does, and sorted; `+` is a space."""
    if not raw or _CANONICAL_QUERY.fullmatch(raw):
        return raw
    pairs = []
    for field in raw.split("&"):
        if field:
            name, _, value = field.partition("=")
            pairs.append((_requote(name), _requote(value)))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def _requote(text: str) -> str:
    if text.isalnum() and text.isascii():
        return text
    return quote_from_bytes(unquote_to_bytes(octets(text.replace("+", " "))), "~")
