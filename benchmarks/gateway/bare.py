"""The leanest honest pass-through on aiohttp: every byte as it comes, one write for each read, nothing looked at.

python -m benchmarks.gateway.bare PORT UPSTREAM
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator

import aiohttp
import uvloop
from aiohttp import web

SESSION = web.AppKey("session", aiohttp.ClientSession)


async def session(app: web.Application) -> AsyncGenerator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False) as made:
        app[SESSION] = made
        yield


async def passed(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    async with request.app[SESSION].post(sys.argv[2] + request.path, data=body, headers=headers) as reply:
        told = {"Content-Type": reply.headers["Content-Type"]}
        if "Content-Length" in reply.headers:
            return web.Response(body=await reply.read(), status=reply.status, headers=told)
        response = web.StreamResponse(status=reply.status, headers=told)
        await response.prepare(request)
        async for data in reply.content.iter_any():
            await response.write(data)
        await response.write_eof()
        return response


async def serve() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_post("/v1/chat/completions", passed)
    return app


def main() -> None:
    uvloop.install()
    web.run_app(
        serve(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        handler_cancellation=True,
        print=None,
    )


if __name__ == "__main__":
    main()
