"""We as a client: the bytes of an answer, streamed or whole, to deltas. Without I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from streamroute.core.types import Delta, Usage
from streamroute.wire.chunk import UNEXPLAINED, Chunk, decode_chunk, decode_error, to_delta, to_usage
from streamroute.wire.errors import IncompleteError, ReportedError, WireError
from streamroute.wire.sse import DONE, MAX_EVENT, SSEDecoder

__all__ = ("AnswerDecoder", "StreamedAnswer", "WholeAnswer", "answer_decoder")


class AnswerDecoder(Protocol):
    """Bytes of one answer in, deltas out.

    `complete`: every choice has given its `finish_reason`. `done`: there is nothing more to read. `error`: what is
    wrong with the bytes, a `ReportedError` for an error that they report; known after the deltas before it were
    returned.
    """

    done: bool
    error: WireError | None

    @property
    def complete(self) -> bool: ...

    def feed(self, chunk: bytes) -> list[Delta]:
        """The deltas that say something, up to the end or the first error. They never carry usage."""
        ...

    def eof(self) -> list[Delta]:
        """What is left to say when the bytes have ended: the usage, on the last delta.

        Raises the `error`, unless it came after the end of the answer and reports nothing, and `IncompleteError` where
        the answer is not complete.
        """
        ...


class StreamedAnswer:
    """A stream of chunks for `n` choices."""

    __slots__ = ("_events", "_heard", "_n", "_sse", "_unfinished", "_usage", "done", "error")

    def __init__(self, *, n: int = 1, max_event: int = MAX_EVENT) -> None:
        self._n = n
        self._sse = SSEDecoder(max_event=max_event)
        self._unfinished = set(range(n))
        self._heard = False
        self._events = 0
        self._usage: Usage | None = None
        self.done = False
        self.error: WireError | None = None

    @property
    def complete(self) -> bool:
        return not self._unfinished

    def feed(self, chunk: bytes) -> list[Delta]:
        deltas: list[Delta] = []
        self._heard = True
        if self.done or self.error is not None:
            return deltas
        try:
            for event in self._sse.feed(chunk):
                self._events += 1
                data = event.data
                if data == DONE:
                    self.done = True
                    break
                if event.name == b"error":
                    message, code = decode_error(data)
                    raise ReportedError(message or UNEXPLAINED, code=code)
                if data and not data.isspace():
                    self._read(decode_chunk(data), deltas)
            else:
                self.error = self._sse.error
        except WireError as error:
            self.error = error
        return deltas

    def eof(self) -> list[Delta]:
        # Rubbish after the end of the answer costs its usage, a report of a failure the answer.
        if self.error is not None and not (self.complete and not isinstance(self.error, ReportedError)):
            raise self.error
        if self._heard and not self._events:
            raise WireError("not an event stream")
        if self._unfinished:
            said = "said that it was done" if self.done else "ended"
            raise IncompleteError(f"the stream {said} before a finish_reason")
        return [] if self._usage is None else [Delta(usage=self._usage)]

    def _read(self, chunk: Chunk, deltas: list[Delta]) -> None:
        usage = to_usage(chunk)
        if usage is not None:
            self._usage = usage  # some servers count along; the last one counts
        for choice in chunk.choices or ():
            if not 0 <= choice.index < self._n:
                raise WireError(f"choice {choice.index} of {self._n} was never asked for")
            delta = to_delta(choice)
            if delta.finish_reason is not None:
                self._unfinished.discard(choice.index)
            if delta.has_content or delta.logprobs or delta.finish_reason is not None:
                deltas.append(delta)


class WholeAnswer:
    """One JSON document for `n` choices: some servers answer so whatever was asked."""

    __slots__ = ("_body", "_max", "_n", "done", "error")

    def __init__(self, *, n: int = 1, max_event: int = MAX_EVENT) -> None:
        self._n = n
        self._max = max_event
        self._body = bytearray()
        self.done = False
        self.error: WireError | None = None

    @property
    def complete(self) -> bool:
        return False

    def feed(self, chunk: bytes) -> list[Delta]:
        self._body += chunk
        if len(self._body) > self._max and self.error is None:
            self.error = WireError(f"the completion is larger than {self._max} bytes")
        return []

    def eof(self) -> list[Delta]:
        if self.error is not None:
            raise self.error
        chunk = decode_chunk(bytes(self._body))
        deltas = [to_delta(choice) for choice in chunk.choices or ()]
        if {delta.index for delta in deltas} != set(range(self._n)):
            raise IncompleteError(f"the completion holds {len(deltas)} choices, not {self._n}")
        # A whole message is finished by nature; the reason is what may be missing.
        deltas = [replace(delta, finish_reason=delta.finish_reason or "stop") for delta in deltas]
        deltas[-1] = replace(deltas[-1], usage=to_usage(chunk))
        return deltas


def answer_decoder(content_type: str, *, n: int = 1, max_event: int = MAX_EVENT) -> AnswerDecoder:
    """The decoder for a reply of this content type. All but JSON is taken for a stream: some servers mislabel it."""
    return (WholeAnswer if content_type == "application/json" else StreamedAnswer)(n=n, max_event=max_event)
