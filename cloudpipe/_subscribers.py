"""Who hears a pipe's events: a queue for each, none of which can stall the upload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .errors import ConfigError
from .events import Drained, End, Error, Event, Progress, Ready

if TYPE_CHECKING:
    from collections import deque
    from typing import Self

_KEPT = (Drained, Error, End)


class EventQueue(asyncio.Queue[Event]):
    """Holds at most `limit` events, and `Drained`, `Error` and `End` beside them.

    A second waiting `Drained` tells nothing new and is left out. When the queue is full
    the oldest `Progress` goes, and when there is none the oldest other event; those
    three, on which somebody waits, are never dropped.
    """

    _queue: deque[Event]  # what asyncio.Queue lets its subclasses work on

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ConfigError("a subscriber's queue holds at least one event")
        super().__init__()
        self._limit = limit

    def offer(self, event: Event) -> None:
        """Add an event without waiting."""
        waiting = self._queue
        if isinstance(event, Drained) and any(isinstance(e, Drained) for e in waiting):
            return
        if not isinstance(event, _KEPT):
            others = [e for e in waiting if not isinstance(e, _KEPT)]
            if len(others) >= self._limit:
                progress = (e for e in others if isinstance(e, Progress))
                waiting.remove(next(progress, others[0]))
        self.put_nowait(event)


class Subscribers:
    """Every queue of one pipe, and what a late one must still hear."""

    def __init__(self) -> None:
        self._queues: list[EventQueue] = []
        self._lasting: list[Event] = []

    def add(self, limit: int) -> EventQueue:
        """Return a new queue; it begins with `Ready`, `Error`, `End` if they were."""
        queue = EventQueue(limit)
        for event in self._lasting:
            queue.offer(event)
        self._queues.append(queue)
        return queue

    def remove(self, queue: asyncio.Queue[Event]) -> None:
        """Forget a queue; idempotent."""
        self._queues = [each for each in self._queues if each is not queue]

    def tell(self, event: Event) -> None:
        """Hand an event to every queue."""
        if isinstance(event, Ready | Error | End):
            self._lasting.append(event)
        for queue in self._queues:
            queue.offer(event)


class Events:
    """Iterates over a subscription of its own, to `End` and including it.

    The subscription begins when this is made, and ends with the iteration, with
    `aclose()`, or when nobody holds this any more.
    """

    def __init__(self, subscribers: Subscribers, limit: int) -> None:
        self._subscribers = subscribers
        self._queue: EventQueue | None = subscribers.add(limit)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._queue is None:
            raise StopAsyncIteration
        event = await self._queue.get()
        if isinstance(event, End):
            self._stop()
        return event

    async def aclose(self) -> None:
        """End the subscription; idempotent."""
        self._stop()

    def __del__(self) -> None:
        if getattr(self, "_queue", None) is not None:
            self._stop()

    def _stop(self) -> None:
        if self._queue is not None:
            self._subscribers.remove(self._queue)
            self._queue = None
