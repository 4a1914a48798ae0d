"""The algorithm of listing: one page of keys, rolled up at a delimiter. Pure.

Everything is bytes of UTF-8, whose order is the order of code points and of S3. Used by
the memory driver and by `blob.simple`.
"""

from __future__ import annotations

from .errors import InvalidArgumentError
from .rules import page_size


def encode(name: str, text: str) -> bytes:
    """Return the text as UTF-8, or raise `InvalidArgumentError` naming the argument."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"The {name} is not Unicode text.") from error


def group_of(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """Return what the key is rolled up to, None where it stands for itself."""
    if not delimiter:
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def after_group(group: bytes) -> bytes:
    """Return the least byte string greater than every key that starts with it."""
    return group[:-1] + bytes((group[-1] + 1,))  # UTF-8 holds no byte 0xff


class Pager:
    """Builds one page from keys offered in order.

    Until `done`, offer the first key at or after `start` (None: there is none); `start`
    moves past whole groups, so that a page costs its entries and not their members.
    """

    def __init__(
        self, prefix: bytes, marker: bytes, delimiter: bytes, max_keys: int
    ) -> None:
        max_keys = page_size(max_keys)
        self.start = max(prefix, marker + b"\0" if marker else b"")
        self.entries: list[tuple[bytes, bool]] = []
        """Keys, and groups (with True), in order."""
        self.truncated = False
        self.done = max_keys == 0
        self._prefix = prefix
        self._marker = marker
        self._delimiter = delimiter
        self._max_keys = max_keys

    def offer(self, key: bytes | None) -> None:
        """Take the first key at or after `start`, or learn that there is none."""
        if key is None or not key.startswith(self._prefix):
            self.done = True
            return
        group = group_of(key, self._prefix, self._delimiter)
        if group is not None and group <= self._marker:
            self.start = after_group(group)
        elif len(self.entries) == self._max_keys:
            self.truncated = self.done = True
        elif group is None:
            self.entries.append((key, False))
            self.start = key + b"\0"
        else:
            self.entries.append((group, True))
            self.start = after_group(group)

    @property
    def next_marker(self) -> str | None:
        """The last entry of a page that has another after it."""
        return self.entries[-1][0].decode() if self.truncated else None
