"""A model server for the soak: it answers at once or haltingly, and every so often in one of the wrong ways.

    python -m benchmarks.faulty        # prints its port, serves until its standard input ends

What it says and how it fails depends on the question alone (`<number> ...` as the last message), so that whoever asks
knows what to expect. `GET /stats` tells how many requests were begun, ended, left by their client, and are open.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from typing import Any

from aiohttp import web

__all__ = ("FAULTS", "Scene", "scene")

FAULTS = ("cut", "stall", "reset", "rubbish", "late_error", "empty", "overloaded", "broken", "no_usage")
STALL = 30.0


class Scene:
    """What the models say to a question: whether the probes agree with the answer, and which leg goes wrong how."""

    def __init__(self, number: int, fault_share: float) -> None:
        rng = random.Random(f"scene {number}")
        self.agrees = rng.random() < 0.7
        self.words = rng.randrange(4, 30)
        self.pace = rng.choice((0.0, 0.0, 0.002, 0.01))
        self.fault = rng.choice(FAULTS) if rng.random() < fault_share else None
        self.where = rng.choice(("small", "probe", "large"))


def scene(number: int, fault_share: float = 0.05) -> Scene:
    return Scene(number, fault_share)


class Server:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.open = 0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.counts["begun"] += 1
        self.open += 1
        try:
            response = await self._answer(request, body)
        except (asyncio.CancelledError, ConnectionResetError):
            self.counts["left"] += 1
            raise
        else:
            self.counts["ended"] += 1
            return response
        finally:
            self.open -= 1

    async def stats(self, request: web.Request) -> web.Response:
        return web.json_response({**self.counts, "open": self.open})

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        number = int(str(body["messages"][-1]["content"]).split()[0])
        played = scene(number)
        probe = body.get("temperature") == 1.25
        leg = "probe" if probe else body["model"]
        fault = played.fault if played.where == leg else None
        self.counts["faults"] += fault is not None
        if fault in ("overloaded", "broken"):
            status = 429 if fault == "overloaded" else 503
            return web.json_response({"error": {"message": fault}}, status=status, headers={"Retry-After": "60"})
        answer = number if not probe or played.agrees else number + random.Random().randrange(1, 99)
        words = [f" {answer}"] * played.words
        if not body.get("stream"):
            return web.json_response(_whole(words, body["model"]))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for place, word in enumerate(words):
            if fault is not None and place == played.words // 2:
                await _fail(fault, request, response)
                if fault not in ("no_usage", "stall"):
                    return response
            await response.write(_event({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}))
            if played.pace:
                await asyncio.sleep(played.pace)
        end = _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if fault != "no_usage" and (body.get("stream_options") or {}).get("include_usage"):
            end += _event({"choices": [], "usage": _usage(words)})
        await response.write(end + b"data: [DONE]\n\n")
        return response


async def _fail(fault: str, request: web.Request, response: web.StreamResponse) -> None:
    match fault:
        case "reset":
            assert request.transport is not None
            request.transport.abort()
        case "stall":
            await asyncio.sleep(STALL)
        case "rubbish":
            await response.write(b"data: {not json\n\n")
        case "late_error":
            await response.write(_event({"error": {"message": "overloaded", "code": "server_error"}}))
        case "empty":
            await response.write(b"data: [DONE]\n\n")
        case _:
            pass


def _usage(words: list[str]) -> dict[str, int]:
    return {"prompt_tokens": 5, "completion_tokens": len(words), "total_tokens": 5 + len(words)}


def _whole(words: list[str], model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(words)}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": choices,
        "usage": _usage(words),
    }


def _event(fields: dict[str, Any]) -> bytes:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", **fields}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def serve() -> None:
    server = Server()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_get("/stats", server.stats)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
