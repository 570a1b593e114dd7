"""What llama.cpp's server says, in our words: bodies to it, chunks from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.errors import UpstreamProtocolError, UpstreamStatusError
from streamroute.upstreams.base import ChatRequest

__all__ = ("ChunkReader", "request_body")


def request_body(request: ChatRequest, n: int, *, first: int = 0) -> dict[str, Any]:
    """The body of one streaming request for `n` choices, of which the first is the request's choice `first`.

    The server gives choice i the seed `seed + i`; so do we where one request takes several calls.
    `return_progress` makes the server call back for every batch of the prompt, so that a request can be stopped while
    its prompt is still being read.
    """
    body = {key: value for key, value in request.params.items() if value is not None}
    if (limit := body.pop("max_completion_tokens", None)) is not None:
        body.setdefault("max_tokens", limit)
    if isinstance(seed := body.get("seed"), int):
        body["seed"] = seed + first
    body |= {
        "messages": [dict(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
        "n": n,
    }
    return body


class ChunkReader:
    """Reads the chunks of one request. `first` is the index that its first choice gets; `finished` counts the choices
    that gave a finish reason; `usage` sums what the choices reported (their prompt is one and the same)."""

    def __init__(self, upstream: str, *, first: int = 0) -> None:
        self._upstream = upstream
        self._first = first
        self.finished = 0
        self.usage: Usage | None = None

    def read(self, chunk: Any) -> Iterator[Delta]:
        """Deltas of one chunk, often none. Raises `UpstreamStatusError` for an error chunk, `UpstreamProtocolError`
        for one that is no chat-completion chunk."""
        try:
            if (error := chunk.get("error")) is not None:
                raise self._failure(error)
            self._count(chunk.get("usage"))
            deltas = [self._delta(choice) for choice in chunk["choices"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            told = f"not a chat-completion chunk ({type(error).__name__}: {error}): {str(chunk)[:200]}"
            raise UpstreamProtocolError(told, upstream=self._upstream) from error
        for delta in deltas:
            self.finished += delta.finish_reason is not None
            if delta.has_content or delta.logprobs or delta.finish_reason is not None:
                yield delta

    def _delta(self, choice: Mapping[str, Any]) -> Delta:
        delta = choice["delta"]
        calls = delta.get("tool_calls")
        return Delta(
            text=delta.get("content") or "",
            index=self._first + choice["index"],
            logprobs=tuple(_logprobs(choice)),
            tool_calls=json.dumps(calls, ensure_ascii=False).encode() if calls else None,
            finish_reason=choice.get("finish_reason"),
        )

    def _count(self, usage: Mapping[str, Any] | None) -> None:
        if usage is not None:
            before = self.usage.completion_tokens if self.usage is not None else 0
            self.usage = Usage(usage["prompt_tokens"], before + usage["completion_tokens"])

    def _failure(self, error: Any) -> UpstreamStatusError:
        status = error.get("code") if isinstance(error, Mapping) else None
        message = error.get("message") if isinstance(error, Mapping) else None
        status = status if isinstance(status, int) else 500
        return UpstreamStatusError(str(message or error), upstream=self._upstream, status=status)


def _logprobs(choice: Mapping[str, Any]) -> Iterator[TokenLogprob]:
    for entry in (choice.get("logprobs") or {}).get("content") or ():
        if entry["token"]:  # the end-of-answer token is reported with an empty text: not a token of the answer
            top = tuple((other["token"], float(other["logprob"])) for other in entry.get("top_logprobs") or ())
            yield TokenLogprob(entry["token"], float(entry["logprob"]), top)
