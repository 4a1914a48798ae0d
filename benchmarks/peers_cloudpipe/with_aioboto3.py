"""aioboto3's `upload_fileobj` with its defaults, from an asynchronous file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aioboto3
from _measure import BUCKET, run

if TYPE_CHECKING:
    from collections.abc import Iterator


class Reader:
    """The chunks as the file that aioboto3 wants to read."""

    def __init__(self, data: Iterator[bytes]) -> None:
        self._data = data
        self._rest = b""

    async def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        pieces, missing = [self._rest], size - len(self._rest)
        while missing > 0 and (chunk := next(self._data, b"")):
            pieces.append(chunk)
            missing -= len(chunk)
        whole = b"".join(pieces)
        self._rest = whole[size:]
        return whole[:size]


async def upload(job: dict[str, str], data: Iterator[bytes]) -> None:
    """Let it read every chunk."""
    async with aioboto3.Session().client(
        "s3",
        endpoint_url=job["endpoint"],
        region_name=job["region"],
        aws_access_key_id=job["access_key"],
        aws_secret_access_key=job["secret_key"],
    ) as client:
        await client.upload_fileobj(Reader(data), BUCKET, job["key"])


run(upload)
