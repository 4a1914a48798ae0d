"""Rules every driver applies alike: names, pages, ranges, conditions. Pure functions.

Sources: RFC 9110 sections 8.8.3.2 (comparison), 13.2.2 (precedence) and 14.1.2
(ranges); the S3 user guide for names and for conditions on writes and deletes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from .driver import MAX_PARTS, MIN_PART_SIZE
from .errors import (
    EntityTooSmallError,
    InvalidArgumentError,
    InvalidContainerNameError,
    InvalidDigestError,
    InvalidKeyError,
    InvalidPartError,
    InvalidPartOrderError,
    InvalidRangeError,
    NoSuchFileError,
    NoSuchVersionError,
    NotModifiedError,
    PreconditionFailedError,
)
from .types import NULL_VERSION, CreateOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .types import (
        ByteRange,
        Checksums,
        Conditions,
        CopyOptions,
        DeleteGuard,
        FileInfo,
        PartRef,
    )

__all__ = (
    "MAX_KEY_BYTES",
    "MAX_PAGE",
    "check_body",
    "check_container",
    "check_copy",
    "check_copy_range",
    "check_create",
    "check_delete",
    "check_key",
    "check_part_number",
    "check_part_page",
    "check_parts",
    "check_read",
    "check_target",
    "check_version",
    "check_write",
    "etag_matches",
    "page_size",
    "range_applies",
    "resolve_range",
)

MAX_KEY_BYTES = 1024

MAX_PAGE = 10_000
"""Entries of one page of any listing, whatever was asked for."""

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


def check_version(version_id: str | None) -> None:
    """Raise `NoSuchVersionError` where it cannot be: in a store without versions."""
    if version_id not in (None, NULL_VERSION):
        raise NoSuchVersionError


def page_size(wanted: int) -> int:
    """Return how many entries a page may have; raises `InvalidArgumentError`."""
    if wanted < 0:
        raise InvalidArgumentError("The size of a page must be 0 or more.")
    return min(wanted, MAX_PAGE)


def check_part_page(marker: int, max_parts: int) -> tuple[int, int]:
    """Return marker and size of a page of parts, cut to what there can be.

    Raises `InvalidArgumentError` where one is negative.
    """
    if marker < 0:
        raise InvalidArgumentError("The part number marker must be 0 or more.")
    return min(marker, MAX_PARTS), page_size(max_parts)


def check_part_number(number: int) -> None:
    """Raise `InvalidArgumentError` for a number that no part can have."""
    if not 1 <= number <= MAX_PARTS:
        raise InvalidArgumentError(f"A part number must be between 1 and {MAX_PARTS}.")


class _StoredPart(Protocol):
    @property
    def size(self) -> int: ...

    @property
    def etag(self) -> str: ...

    @property
    def checksums(self) -> Checksums: ...


def check_parts(refs: Sequence[PartRef], stored: Mapping[int, _StoredPart]) -> None:
    """Raise why the parts named, in that order, make no file of those stored."""
    if not refs:
        raise InvalidArgumentError("An upload is completed with at least one part.")
    if any(after.number <= before.number for before, after in pairwise(refs)):
        raise InvalidPartOrderError
    for ref in refs:
        part = stored.get(ref.number)
        if part is None or part.etag != ref.etag:
            raise InvalidPartError
        if not ref.checksums.items() <= part.checksums.items():
            raise InvalidPartError
    if any(stored[ref.number].size < MIN_PART_SIZE for ref in refs[:-1]):
        raise EntityTooSmallError


def check_create(options: CreateOptions | None) -> CreateOptions:
    """Return the options, or none; raises for a length or a digest that is none."""
    options = options or CreateOptions()
    if options.content_length is not None and options.content_length < 0:
        raise InvalidArgumentError("The content length must be 0 or more.")
    if options.content_md5 is not None and len(options.content_md5) != 16:
        raise InvalidDigestError
    return options


def check_body(body: object) -> None:
    """Raise `InvalidArgumentError` for what is no body, such as bytes."""
    if not hasattr(body, "__aiter__"):
        raise InvalidArgumentError(
            "A body is an async iterable of bytes-like pieces (an async generator,"
            f" say), and not {type(body).__name__}."
        )


def check_target(
    source: tuple[str, str], target: tuple[str, str], options: CopyOptions
) -> None:
    """Raise `InvalidArgumentError` for a copy onto itself that changes nothing."""
    if source == target and options.directive != "REPLACE":
        raise InvalidArgumentError("A copy onto itself must replace the metadata.")


def check_copy_range(wanted: ByteRange | None, size: int) -> None:
    """Raise `InvalidRangeError` for a range past the end, which copies do not cut."""
    if wanted and wanted.first is not None and (wanted.last or 0) >= size:
        raise InvalidRangeError(size=size)


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
