"""A model server that answers as OpenAI's does, to whatever a client asks for: what stands behind the gateway.

It looks at the request and not into a script, because what clients send is theirs: tools are called with arguments
that fit their schema, a JSON schema is answered with an instance of it, probes are told by their temperature.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

__all__ = ("DOUBT", "ModelServer", "instance_of")

RIGHT, WRONG = "It is Canberra.", "It is Sydney."
PROBE_TEMPERATURE = 1.25
DOUBT, BREAK, FLAKY, BUSY, FINISHED_TOOL = "doubt", "break", "flaky", "busy", "It is 21 degrees in Canberra."


class ModelServer:
    """`right` says whether it knows better where its probes disagree. `seen` are the bodies of its requests.

    The last message directs it: `doubt` makes probes disagree, `break` ends a stream in the middle, `flaky` fails the
    first time, `busy` always with 429.
    """

    def __init__(self, *, right: bool) -> None:
        self._right = right
        self._asked: Counter[str] = Counter()
        self.seen: list[dict[str, Any]] = []

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[str]:
        """Gives the base URL."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._complete)
        app.router.add_post("/v1/embeddings", self._embed)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}/v1"
        finally:
            await runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append(body)
        question = _question(body)
        self._asked[question] += 1
        if FLAKY in question and self._asked[question] == 1:
            return _error(503, "try again", {"Retry-After": "0"})
        if BUSY in question:
            return _error(429, "too many requests", {"Retry-After": "1"})
        probe = body.get("temperature") == PROBE_TEMPERATURE
        if probe:
            await asyncio.sleep(0.05)  # so that a shown answer is seen before it is judged
        choices = [self._message(body, question, probe, index) for index in range(body.get("n") or 1)]
        if not body.get("stream"):
            return web.json_response({**_head(body, "chat.completion"), "choices": choices, "usage": _USAGE})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, choice in enumerate(_streamed(choices)):
            await response.write(_event(body, {"choices": [choice]}))
            if BREAK in question and number == 3:
                assert request.transport is not None
                request.transport.abort()
                return response
        if (body.get("stream_options") or {}).get("include_usage"):
            await response.write(_event(body, {"choices": [], "usage": _USAGE}))
        await response.write(b"data: [DONE]\n\n")
        return response

    def _message(self, body: Mapping[str, Any], question: str, probe: bool, index: int) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        reason = "stop"
        if body.get("tools") and body["messages"][-1]["role"] != "tool" and body.get("tool_choice") != "none":
            message["tool_calls"] = _calls(body["tools"], 2 if "both" in question else 1)
            reason = "tool_calls"
        elif body["messages"][-1]["role"] == "tool":
            message["content"] = FINISHED_TOOL
        elif (body.get("response_format") or {}).get("type") == "json_schema":
            message["content"] = json.dumps(instance_of(_schema_of(body["response_format"])))
        elif (body.get("response_format") or {}).get("type") == "json_object":
            message["content"] = '{"city": "Canberra"}'
        elif probe and DOUBT in question:
            message["content"] = f"It is town {self._asked[question]}."
        else:
            message["content"] = WRONG if DOUBT in question and not self._right else RIGHT
        choice = {"index": index, "message": message, "finish_reason": reason, "logprobs": None}
        if body.get("logprobs") and message["content"]:
            choice["logprobs"] = {"content": [_logprob(token) for token in _tokens(message["content"])]}
        return choice

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"object": "embedding", "index": i, "embedding": [0.25, -0.5]} for i in range(len(texts))]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return web.json_response({"object": "list", "model": body["model"], "data": data, "usage": usage})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        choice = {"index": 0, "text": RIGHT, "logprobs": None, "finish_reason": "stop"}
        if not body.get("stream"):
            return web.json_response({**_head(body, "text_completion"), "choices": [choice], "usage": _USAGE})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(_event(body, {"choices": [choice]}, "text_completion") + b"data: [DONE]\n\n")
        return response


_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def instance_of(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """A value that fits a JSON schema of the kind that clients derive from Python classes."""
    root = root if root is not None else schema
    if "$ref" in schema:
        return instance_of(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for field in ("anyOf", "oneOf", "allOf"):
        if field in schema:
            return instance_of(schema[field][0], root)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type", "object"):
        case "object":
            return {name: instance_of(each, root) for name, each in schema.get("properties", {}).items()}
        case "array":
            return [instance_of(schema.get("items", {"type": "string"}), root)]
        case "string":
            return "Canberra"
        case "integer" | "number":
            return 21
        case "boolean":
            return True
    return None


def _schema_of(response_format: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = response_format.get("json_schema")
    schema = asked.get("schema") if isinstance(asked, dict) else None
    return schema if isinstance(schema, dict) else {}


def _question(body: Mapping[str, Any]) -> str:
    said = [message.get("content") for message in body["messages"] if message["role"] == "user"]
    last = said[-1] if said else ""
    return last if isinstance(last, str) else json.dumps(last)


def _calls(tools: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    given = [tool.get("function") for tool in tools]
    functions = [each if isinstance(each, dict) else {} for each in (given * count)[:count]]
    return [
        {
            "id": f"call_{i}",
            "type": "function",
            "function": {
                "name": f.get("name", "nameless"),
                "arguments": json.dumps(instance_of(f.get("parameters", {}))),
            },
        }
        for i, f in enumerate(functions)
    ]


def _streamed(choices: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Choices as the choices of chunks, in the small steps that OpenAI's come in."""
    for whole in choices:
        index, message = whole["index"], whole["message"]
        yield _step(index, {"role": "assistant", "content": "" if message["content"] else None, "refusal": None})
        for i, token in enumerate(_tokens(message["content"] or "")):
            logprobs = whole["logprobs"] and {"content": [whole["logprobs"]["content"][i]], "refusal": None}
            yield {**_step(index, {"content": token}), "logprobs": logprobs}
        for number, call in enumerate(message.get("tool_calls", ())):
            arguments = call["function"]["arguments"]
            opening = {"index": number, **call, "function": {**call["function"], "arguments": ""}}
            yield _step(index, {"tool_calls": [opening]})
            for piece in (arguments[:5], arguments[5:]):
                yield _step(index, {"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
        yield {**_step(index, {}), "finish_reason": whole["finish_reason"]}


def _step(index: int, delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}


def _tokens(text: str) -> list[str]:
    return [word if i == 0 else f" {word}" for i, word in enumerate(text.split(" "))] if text else []


def _logprob(token: str) -> dict[str, Any]:
    top = [{"token": token, "logprob": -0.1, "bytes": list(token.encode())}]
    return {**top[0], "top_logprobs": top}


def _head(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-upstream", "object": kind, "created": 1, "model": body["model"]}


def _event(body: Mapping[str, Any], fields: Mapping[str, Any], kind: str = "chat.completion.chunk") -> bytes:
    return b"data: %b\n\n" % json.dumps({**_head(body, kind), **fields}).encode()


def _error(status: int, message: str, headers: Mapping[str, str]) -> web.Response:
    error = {"message": message, "type": "error", "param": None, "code": None}
    return web.json_response({"error": error}, status=status, headers=dict(headers))
