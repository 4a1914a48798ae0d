"""Write a blob driver in 60 lines, and pass the contract suite with it.

This one keeps rows in dictionaries. Put your store in their place: each method is one
request to it, and the two swaps must be atomic there (a transaction, a compare-and-set,
or, as here, no `await` between looking and changing).

    python examples/own_driver.py

`tests/examples/test_own_driver.py` is how the contract suite runs over it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from blob.errors import ContainerNotEmptyError, NoSuchContainerError
from blob.simple import ContainerRow, FileRow, SimpleDriver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from blob import FileInfo


class DictDriver(SimpleDriver):
    """Keeps containers and files in dictionaries."""

    kind = "dict"

    def __init__(self) -> None:
        super().__init__()
        self._containers: dict[str, ContainerRow] = {}
        self._files: dict[str, dict[str, FileRow]] = {}

    async def container_rows(self) -> Iterable[ContainerRow]:
        """Return all containers."""
        return self._containers.values()

    async def container_row(self, container: str) -> ContainerRow | None:
        """Return one container."""
        return self._containers.get(container)

    async def swap_container(
        self, container: str, old: ContainerRow | None, new: ContainerRow | None
    ) -> bool:
        """Create, change or delete a container."""
        if self._containers.get(container) != old:
            return False
        if new is not None:
            self._containers[container] = new
            self._files.setdefault(container, {})
        elif self._files[container]:
            raise ContainerNotEmptyError
        else:
            del self._containers[container], self._files[container]
        return True

    async def file_row(self, container: str, key: str) -> FileRow | None:
        """Return one file."""
        return self._files.get(container, {}).get(key)

    async def swap_file(
        self,
        container: ContainerRow,
        key: str,
        old: FileRow | None,
        new: FileRow | None,
    ) -> bool:
        """Create, replace or delete a file."""
        there = self._containers.get(container.info.name)
        if there is None or there.id != container.id:
            raise NoSuchContainerError
        files = self._files[there.info.name]
        if files.get(key) is not old:
            return False
        if new is not None:
            files[key] = new
        else:
            del files[key]
        return True

    async def file_infos(
        self, container: str, start: bytes, limit: int
    ) -> Sequence[FileInfo]:
        """Return files in the order of their keys' bytes."""
        files = self._files.get(container, {})
        keys = sorted(key for key in map(str.encode, files) if key >= start)
        return [files[key.decode()].info for key in keys[:limit]]


async def pieces(*texts: str) -> AsyncIterator[bytes]:
    """Send texts as a body."""
    for text in texts:
        yield text.encode()


async def main() -> None:
    """Put something, list it, read it back."""
    async with DictDriver() as driver:
        await driver.container_create("notes")
        for key in ("2026/hello.txt", "2026/bye.txt", "readme.txt"):
            await driver.file_create("notes", key, pieces("this is ", key, "\n"))
        page = await driver.file_list("notes", delimiter="/")
        print("prefixes:", *page.prefixes)
        for file in page.files:
            print(f"{file.key}: {file.size} bytes, ETag {file.etag}")
        async with await driver.file_read("notes", "2026/hello.txt") as reader:
            async for piece in reader:
                print(piece.decode(), end="")


if __name__ == "__main__":
    asyncio.run(main())
