"""The quota while bodies arrive: what the store holds, and what is on its way into it.

What counts is checked in the commit; this refuses early, so that bodies of unknown
length do not fill the disk before they are refused. Other processes' uploads on their
way are not known here.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ...errors import UsageExceededError
from ._transaction import Usage, read_usage

if TYPE_CHECKING:
    from ._index_reader import IndexReader, Snapshot
    from ._transaction import Limits


class Account:
    """The usage as last known, and the growth by bodies that are arriving."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._guard = threading.Lock()
        self._seq = -1
        self._usage = Usage(0, 0)
        self._arriving = 0

    def learn(self, seq: int, usage: Usage) -> None:
        """Take over the usage as of a commit; from any thread."""
        with self._guard:
            if seq >= self._seq:
                self._seq, self._usage = seq, usage

    def look(self, snapshot: Snapshot) -> Usage:
        """Return the usage that a reader sees, taken over."""
        usage = read_usage(snapshot.db)
        self.learn(snapshot.seq, usage)
        return usage

    def add(self, growth: int) -> None:
        """Count growth that arrives, or went into the usage, or will not come."""
        with self._guard:
            self._arriving += growth

    def check(self) -> None:
        """Raise `UsageExceededError` where what arrives does not fit."""
        with self._guard:
            self.limits.check(self._usage, self._arriving, 0)


class Arrival:
    """One body that arrives, in the place of `replaced` bytes; `end` it."""

    def __init__(self, account: Account, reader: IndexReader, replaced: int) -> None:
        self._account = account
        self._reader = reader
        self._replaced = replaced
        self._size = 0
        self._counted = 0
        self._ended = False

    async def add(self, size: int) -> None:
        """Count bytes that came; raises `UsageExceededError` where there is no room."""
        if self._account.limits.quota is None:
            return
        self._size += size
        growth = max(0, self._size - self._replaced)
        if growth == self._counted:
            return
        self._account.add(growth - self._counted)
        self._counted = growth
        try:
            self._account.check()
        except UsageExceededError:
            # Others may have deleted meanwhile.
            await self._reader.read(self._account.look)
            self._account.check()

    def end(self) -> None:
        """Count it no more: it is in the usage, or will not be; from any thread."""
        if not self._ended:
            self._ended = True
            self._account.add(-self._counted)
