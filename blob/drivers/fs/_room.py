"""How much of the disk the store leaves free, so that it can always delete and close.

Deleting takes space before it gives some: it writes to the log. So what grows the store
is refused while little is left; used by the index writer and by data files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import StorageFullError

if TYPE_CHECKING:
    from pathlib import Path

_FLOOR = 32 * 1024 * 1024
# Of a small file system this part is enough.
_PART = 8


class Room:
    """The space of the file system that the root is on; its methods block."""

    def __init__(self, root: Path) -> None:
        self._root = root
        found = os.statvfs(root)
        self.floor = min(_FLOOR, found.f_blocks * found.f_frsize // _PART)

    def has(self, size: int, spare: int = 0) -> bool:
        """Whether the floor is still free after so many bytes more.

        `spare` bytes are free inside the index, whose file never shrinks: they count,
        but not for all of the floor, as the log cannot use them.
        """
        if not self.floor:  # a file system that does not tell
            return True
        found = os.statvfs(self._root)
        free = found.f_bavail * found.f_frsize - size
        return free + spare >= self.floor and free >= self.floor // 2

    def check(self) -> None:
        """Raise `StorageFullError` where the floor is reached."""
        if not self.has(0):
            raise StorageFullError
