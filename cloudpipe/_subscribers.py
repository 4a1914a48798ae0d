"""Who hears a pipe's events: a queue for each, none of which can stall the upload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .errors import ConfigError
from .events import Drained, End, Error, Event, Progress, Ready

if TYPE_CHECKING:
    from collections import deque


class EventQueue(asyncio.Queue[Event]):
    """Holds at most `limit` events, and `Error` and `End` beside them.

    A second waiting `Drained` tells nothing new and is left out. When the queue is full
    the oldest `Progress` goes, and when there is none the oldest other event; `Error`
    and `End` are never dropped.
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
        if not isinstance(event, Error | End) and len(waiting) >= self._limit:
            waiting.remove(self._least())
        self.put_nowait(event)

    def _least(self) -> Event:
        for event in self._queue:
            if isinstance(event, Progress):
                return event
        return self._queue[0]


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

    def remove(self, queue: EventQueue) -> None:
        """Forget a queue."""
        self._queues.remove(queue)

    def tell(self, event: Event) -> None:
        """Hand an event to every queue."""
        if isinstance(event, Ready | Error | End):
            self._lasting.append(event)
        for queue in self._queues:
            queue.offer(event)
