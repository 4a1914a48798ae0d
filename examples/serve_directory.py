"""Serve a directory of your own as S3 from inside an aiohttp application.

    python examples/serve_directory.py DIRECTORY [PORT]

The directory, empty or new at first, becomes the store: objects are rows of an index
and files with names of no meaning, so any key is possible and nothing is ever half.

The application keeps its own pages; the store answers under /s3. It prints where that
is, with a key that it makes at its first start and keeps beside the data, so that you
can say

    aws --endpoint-url http://127.0.0.1:8080/s3 s3 mb s3://photos
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from blob import create_driver
from blob.gateway import (
    AccessKey,
    Server,
    StaticKeys,
    generate_key,
    make_app,
    read_keys,
    write_keys,
)


async def hello(_request: web.Request) -> web.Response:
    """Answer as any page of your application would."""
    return web.Response(text="Hello. The store is under /s3\n")


def own_key(directory: Path) -> AccessKey:
    """Return the key of this store: whoever holds another one owns other buckets."""
    keys = directory / "keys.toml"
    directory.mkdir(parents=True, exist_ok=True)
    if not keys.exists():
        write_keys(keys, [generate_key()])
    return read_keys(keys)[0]


async def main(directory: Path, key: AccessKey, port: int) -> None:
    """Serve until interrupted."""
    async with create_driver({"type": "fs", "root": directory}) as driver:
        app = web.Application()
        app.router.add_get("/", hello)
        app.add_subapp("/s3", make_app(driver, auth=StaticKeys([key])))
        async with Server(app, port=port) as server:
            print(f"AWS_ENDPOINT_URL={server.endpoint}/s3")
            print(f"AWS_ACCESS_KEY_ID={key.access_key}")
            print(f"AWS_SECRET_ACCESS_KEY={key.secret_key}", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    own = Path(sys.argv[1])
    try:
        asyncio.run(main(own, own_key(own), int([*sys.argv, "8080"][2])))
    except KeyboardInterrupt:
        print("stopped")
