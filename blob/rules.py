"""Rules every driver applies alike: names, ranges, conditions, guards. Pure functions.

Sources: RFC 9110 sections 8.8.3.2 (comparison), 13.2.2 (precedence) and 14.1.2
(ranges); the S3 user guide for names and for conditions on writes and deletes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .errors import (
    InvalidArgumentError,
    InvalidContainerNameError,
    InvalidKeyError,
    InvalidRangeError,
    NoSuchFileError,
    NotModifiedError,
    PreconditionFailedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .types import ByteRange, Conditions, DeleteGuard, FileInfo

__all__ = (
    "MAX_KEY_BYTES",
    "check_container",
    "check_copy",
    "check_delete",
    "check_key",
    "check_read",
    "check_write",
    "etag_matches",
    "range_applies",
    "resolve_range",
)

MAX_KEY_BYTES = 1024

_CONTAINER = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]", re.ASCII)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)


def check_container(name: str) -> str:
    """Return the name, or raise `InvalidContainerNameError`."""
    if (
        not _CONTAINER.fullmatch(name)
        or _ADDRESS.fullmatch(name)
        or any(pair in name for pair in ("..", ".-", "-."))
    ):
        raise InvalidContainerNameError
    return name


def check_key(key: str) -> bytes:
    """Return the key as UTF-8, or raise `InvalidKeyError`; any other key is legal."""
    try:
        raw = key.encode()
    except UnicodeEncodeError as error:
        raise InvalidKeyError from error
    if not 0 < len(raw) <= MAX_KEY_BYTES:
        raise InvalidKeyError
    return raw


def resolve_range(wanted: ByteRange | None, size: int) -> tuple[int, int]:
    """Return the half-open range of bytes to send, cut to the size.

    Raises `InvalidRangeError` where no byte lies in it, `InvalidArgumentError` for a
    range that is none.
    """
    if wanted is None:
        return 0, size
    first, last = wanted.first, wanted.last
    if first is None:
        if last is None:
            raise InvalidArgumentError("A range needs a first or a last byte.")
        first, last = max(0, size - last), (size - 1 if last else -1)
    if last is None or last >= size:
        last = size - 1
    if first < 0 or first >= size or last < first:
        raise InvalidRangeError(size=size)
    return first, last + 1


def etag_matches(tags: Sequence[str], etag: str | None, *, weak: bool) -> bool:
    """Compare by RFC 9110 8.8.3.2: strongly for If-Match, weakly for If-None-Match."""
    if etag is None:
        return False
    if tags and tags[0] == "*":
        return True
    return any((tag.removeprefix("W/") if weak else tag) == etag for tag in tags)


def _whole_second(moment: datetime) -> datetime:
    """HTTP dates have no fraction; compare what a client can have seen."""
    return moment.astimezone(UTC).replace(microsecond=0)


def check_read(conditions: Conditions | None, info: FileInfo) -> None:
    """Raise `PreconditionFailedError` or `NotModifiedError` in RFC 9110's order."""
    if conditions is None:
        return
    modified = _whole_second(info.last_modified)
    if conditions.if_match is not None:
        if not etag_matches(conditions.if_match, info.etag, weak=False):
            raise PreconditionFailedError
    elif (
        conditions.if_unmodified_since is not None
        and modified > conditions.if_unmodified_since
    ):
        raise PreconditionFailedError
    if conditions.if_none_match is not None:
        if etag_matches(conditions.if_none_match, info.etag, weak=True):
            raise NotModifiedError(info=info)
    elif conditions.if_modified_since is not None:
        since = conditions.if_modified_since
        # RFC 9110 13.1.3: a date later than now is no valid date.
        if modified <= since <= datetime.now(UTC):
            raise NotModifiedError(info=info)


def check_copy(conditions: Conditions | None, info: FileInfo) -> None:
    """Like `check_read`, where "not modified" too is a failed precondition."""
    try:
        check_read(conditions, info)
    except NotModifiedError as error:
        raise PreconditionFailedError from error


def range_applies(conditions: Conditions | None, info: FileInfo) -> bool:
    """Whether If-Range lets the range stand (RFC 9110 13.1.5: strong comparison)."""
    wanted = conditions.if_range if conditions else None
    if wanted is None:
        return True
    if isinstance(wanted, datetime):
        return wanted == _whole_second(info.last_modified)
    return wanted == info.etag


def check_write(conditions: Conditions | None, current_etag: str | None) -> None:
    """Check If-Match and If-None-Match of a write against the current version.

    `current_etag` is None where there is no file: If-Match then is `NoSuchFileError`
    (as S3 has it), and If-None-Match holds.
    """
    if conditions is None:
        return
    if conditions.if_match is not None:
        if current_etag is None:
            raise NoSuchFileError
        if not etag_matches(conditions.if_match, current_etag, weak=False):
            raise PreconditionFailedError
    if conditions.if_none_match is not None and etag_matches(
        conditions.if_none_match, current_etag, weak=True
    ):
        raise PreconditionFailedError


def check_delete(guard: DeleteGuard | None, info: FileInfo | None) -> None:
    """Check a guard against the version about to be deleted (None: there is none)."""
    if guard is None or (guard.if_match, guard.if_size, guard.if_last_modified) == (
        None,
        None,
        None,
    ):
        return
    if info is None:
        raise NoSuchFileError
    if guard.if_match is not None and not etag_matches(
        guard.if_match, info.etag, weak=False
    ):
        raise PreconditionFailedError
    if guard.if_size is not None and guard.if_size != info.size:
        raise PreconditionFailedError
    if guard.if_last_modified is not None and _whole_second(
        guard.if_last_modified
    ) != _whole_second(info.last_modified):
        raise PreconditionFailedError
