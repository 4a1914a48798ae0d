"""obstore's asynchronous writer with its defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import obstore
from _measure import BUCKET, run
from obstore.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Iterator


async def upload(job: dict[str, str], data: Iterator[bytes]) -> None:
    """Write every chunk."""
    store = S3Store(
        BUCKET,
        endpoint=job["endpoint"],
        region=job["region"],
        access_key_id=job["access_key"],
        secret_access_key=job["secret_key"],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    async with obstore.open_writer_async(store, job["key"]) as writer:
        for chunk in data:
            await writer.write(chunk)


run(upload)
