"""How long to wait before a re-send: a pure value, used by `_uploader`."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential delays in seconds, with jitter: clients do not march in step."""

    first: float = 0.25
    factor: float = 2.0
    longest: float = 20.0

    def __post_init__(self) -> None:
        if not (self.first >= 0 and self.factor >= 1 and self.longest >= 0):
            raise ConfigError("a backoff needs first >= 0, factor >= 1, longest >= 0")

    def delay(self, attempt: int, jitter: float) -> float:
        """Seconds before re-send `attempt` (from 1): between half and all of the step.

        `jitter` is a random number in [0, 1).
        """
        # 63 doublings are past every `longest`; a larger exponent would overflow.
        step = min(self.longest, self.first * self.factor ** min(attempt - 1, 63))
        return step * (0.5 + jitter / 2)
