"""A reverse proxy that makes a store slow: every PUT is answered half a second late."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
from aiohttp import web
from yarl import URL

DELAY = 0.5  # seconds


def application(upstream: str) -> web.Application:
    """Forward everything to `upstream`, bodies as they come."""

    async def session(app: web.Application):  # noqa: ANN202 - aiohttp's cleanup context
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as made:
            app["session"] = made
            yield

    async def forward(request: web.Request) -> web.Response:
        async with request.app["session"].request(
            request.method,
            URL(f"{upstream}{request.raw_path}", encoded=True),
            headers=request.headers,  # Host too: it is signed
            data=request.content.iter_chunked(1 << 18) if request.body_exists else None,
            skip_auto_headers=("Content-Type",),
        ) as answer:
            body = await answer.read()
        if request.method == "PUT":
            await asyncio.sleep(DELAY)
        headers = answer.headers.copy()
        for name in ("Content-Length", "Transfer-Encoding"):
            headers.popall(name, None)
        return web.Response(status=answer.status, headers=headers, body=body)

    app = web.Application(client_max_size=0)
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{tail:.*}", forward)
    return app


web.run_app(
    application(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), print=None
)
