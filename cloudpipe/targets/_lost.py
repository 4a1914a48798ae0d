"""Which uploads at a store are those whose beginning was never answered; pure.

The id of such an upload is known to nobody, so it is told by circumstances: begun (by
the store's clock) while a `begin` of ours ran, of our kind, and without parts. In
doubt it is not ours: to leave one behind costs little, to remove somebody else's costs
them their data. What is left goes by a lifecycle rule of the bucket
(AbortIncompleteMultipartUpload), or by hand.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ..errors import AbortFailedError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from types_aiobotocore_s3.type_defs import MultipartUploadTypeDef

    from ..target import Span

_SECOND = timedelta(seconds=1)  # the grain of the store's times, cut off
# How long after we gave up a request it may still be applied, in seconds.
SETTLED = 1.0


def by_store_clock(
    headers: Mapping[str, str], now: float, spans: Sequence[Span]
) -> list[tuple[datetime, datetime]]:
    """Turn spans of the loop's clock into spans of the store's, by whole seconds."""
    try:
        there = parsedate_to_datetime(headers.get("date", ""))
    except ValueError as exc:
        raise AbortFailedError("the store does not tell its time") from exc
    return [
        (
            there - timedelta(seconds=now - since) - _SECOND,
            there - timedelta(seconds=now - until) + 2 * _SECOND,
        )
        for since, until in spans
    ]


def of_our_kind(
    found: MultipartUploadTypeDef,
    *,
    storage_class: str | None,
    algorithm: str,
    initiator: str,
) -> bool:
    """Compare what the store tells of an upload with how ours was begun."""
    told = (
        (found.get("StorageClass"), storage_class or "STANDARD"),
        (found.get("ChecksumAlgorithm"), algorithm),
        (found.get("Initiator", {}).get("ID"), initiator),
    )
    return all(not there or not ours or there == ours for there, ours in told)


def check_each_has_its_span(
    begun: Collection[datetime], spans: Collection[tuple[datetime, datetime]]
) -> None:
    """Raise AbortFailedError unless each upload can be that of a request of its own."""
    free = sorted(spans, key=lambda span: span[1])
    for at in sorted(begun):
        mine = next((span for span in free if span[0] <= at <= span[1]), None)
        if mine is None:
            raise AbortFailedError(
                f"{len(begun)} uploads were begun where {len(spans)} could be ours"
            )
        free.remove(mine)


def within(at: datetime, spans: Collection[tuple[datetime, datetime]]) -> bool:
    """Tell whether a time lies in one of the spans."""
    return any(since <= at <= until for since, until in spans)
