"""CloudPipe with its defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _measure import BUCKET, run

# Before the memory is counted, as its peers' imports are.
import cloudpipe.targets
from cloudpipe import CloudPipe

if TYPE_CHECKING:
    from collections.abc import Iterator

assert cloudpipe.targets


async def upload(job: dict[str, str], data: Iterator[bytes]) -> None:
    """Write every chunk."""
    async with CloudPipe.s3(
        BUCKET,
        job["access_key"],
        job["secret_key"],
        job["key"],
        end_point=job["endpoint"],
        region=job["region"],
    ) as pipe:
        for chunk in data:
            await pipe.write(chunk)


run(upload)
