"""What a pipe tells its subscribers; `name` is the seed's where it had the event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from .errors import CloudPipeError

__all__ = (
    "Drained",
    "End",
    "Error",
    "Event",
    "Outcome",
    "PartDone",
    "PartRetried",
    "PartSizeGrown",
    "PartStarted",
    "Progress",
    "Ready",
)

Outcome: TypeAlias = Literal["finished", "aborted", "terminated", "failed"]


@dataclass(frozen=True, slots=True)
class Ready:
    """The pipe takes data from now on."""

    name: ClassVar[str] = "cp-ready"


@dataclass(frozen=True, slots=True)
class Drained:
    """There is room again for what `write_nowait` refused."""

    name: ClassVar[str] = "cp-drained"


@dataclass(frozen=True, slots=True)
class PartStarted:
    """A part, or the one plain PUT of a small object (number 1), goes out."""

    name: ClassVar[str] = "cp-part-started"
    number: int
    size: int


@dataclass(frozen=True, slots=True)
class PartDone:
    """The store acknowledged a part."""

    name: ClassVar[str] = "cp-part-done"
    number: int
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class PartRetried:
    """A request failed and is sent again after `delay` seconds; number 0: no part's."""

    name: ClassVar[str] = "cp-part-retried"
    number: int
    operation: str
    attempt: int
    delay: float
    error: CloudPipeError


@dataclass(frozen=True, slots=True)
class PartSizeGrown:
    """From part `number` on the parts are `size` bytes, so that 10,000 suffice."""

    name: ClassVar[str] = "cp-part-size-grown"
    number: int
    size: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes taken from the producer and bytes acknowledged by the store so far."""

    name: ClassVar[str] = "cp-progress"
    taken: int
    uploaded: int
    expected: int | None


@dataclass(frozen=True, slots=True)
class Error:
    """The upload failed for good: at most once, and only `End` follows."""

    name: ClassVar[str] = "cp-error"
    error: CloudPipeError


@dataclass(frozen=True, slots=True)
class End:
    """The last event, exactly once, also when the start failed.

    `upload_id` names a multipart upload that was left at the store: by `terminate()`,
    or because it could not be removed. It is empty otherwise, also when `terminate()`
    came before an upload was begun or the store had told its id.
    """

    name: ClassVar[str] = "cp-end"
    outcome: Outcome
    upload_id: str = ""


Event: TypeAlias = (
    Ready
    | Drained
    | PartStarted
    | PartDone
    | PartRetried
    | PartSizeGrown
    | Progress
    | Error
    | End
)
