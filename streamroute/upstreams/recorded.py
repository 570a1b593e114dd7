"""Answers that were recorded with their timings, and the recorder: replays cost nothing and are the same every time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import msgspec

from streamroute.core.types import Delta, TokenLogprob, Usage
from streamroute.errors import ConfigError, UpstreamError, UpstreamInterruptedError
from streamroute.upstreams.base import ChatRequest, Message, Upstream

__all__ = ("RecordedUpstream", "Recorder", "Recording", "Step", "load_recordings", "save_recordings")


class Step(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One delta, `at` seconds after the request started."""

    at: float
    text: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    tool_calls: str | None = None
    refusal: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None

    @classmethod
    def of(cls, at: float, delta: Delta) -> Step:
        calls = None if delta.tool_calls is None else delta.tool_calls.decode()
        return cls(at, delta.text, delta.logprobs, calls, delta.refusal, delta.finish_reason, delta.usage)

    @property
    def delta(self) -> Delta:
        calls = None if self.tool_calls is None else self.tool_calls.encode()
        return Delta(self.text, 0, self.logprobs, calls, self.refusal, self.finish_reason, self.usage)


class Recording(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One leg as it was. With `error` it broke off, `ended` seconds after its start, with that message."""

    messages: tuple[Message, ...]
    steps: tuple[Step, ...]
    model: str = ""
    probe: bool = False
    seed: int | None = None
    error: str | None = None
    ended: float = 0.0


class RecordedUpstream:
    """Says again what was recorded, with its timings.

    A recording answers the requests that have its messages and are an answer or a probe as it was. Where there are
    several, a `seed` in the request's params picks the one that was recorded with it, or else by its remainder; without
    a seed they take turns. What was never recorded raises an `UpstreamError` that names the question.
    """

    supports_n = False

    def __init__(self, name: str, recordings: Iterable[Recording], *, model: str | None = None) -> None:
        self.name = name
        self._by_request: defaultdict[bytes, list[Recording]] = defaultdict(list)
        self._turns: defaultdict[bytes, int] = defaultdict(int)
        models = set()
        for recording in recordings:
            self._by_request[_key(recording.messages, recording.probe)].append(recording)
            models.add(recording.model)
        self.model = model or (models.pop() if len(models) == 1 else "") or name

    @classmethod
    def load(cls, name: str, path: Path | str) -> RecordedUpstream:
        """Raises `ConfigError` for a file that holds no recordings."""
        return cls(name, load_recordings(path))

    async def aclose(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        deltas = self._play(self._pick(request))
        try:
            yield deltas
        finally:
            await deltas.aclose()

    def _pick(self, request: ChatRequest) -> Recording:
        key = _key(request.messages, request.probe)
        recordings = self._by_request.get(key)
        if not recordings:
            kind = "probe of" if request.probe else "answer to"
            raise UpstreamError(f"no recorded {kind} {_question(request.messages)}", upstream=self.name)
        seed = request.params.get("seed")
        if isinstance(seed, int):
            same = [recording for recording in recordings if recording.seed == seed]
            return same[0] if same else recordings[seed % len(recordings)]
        turn = self._turns[key]
        self._turns[key] = turn + 1
        return recordings[turn % len(recordings)]

    async def _play(self, recording: Recording) -> AsyncGenerator[Delta]:
        began = anyio.current_time()
        for step in recording.steps:
            await anyio.sleep_until(began + step.at)
            yield step.delta
        await anyio.sleep_until(began + recording.ended)
        if recording.error is not None:
            raise UpstreamInterruptedError(recording.error, upstream=self.name)


class Recorder:
    """Another upstream, with what it says written down in `recordings`.

    A leg that was left before its end is not: what it would have said is not known. Times are those at which the reader
    took each delta. Closing closes the other upstream.
    """

    supports_n = False
    """Each probe is asked for by itself, so that it has a recording of its own."""

    def __init__(self, upstream: Upstream) -> None:
        self.name = upstream.name
        self.model = upstream.model
        self._upstream = upstream
        self.recordings: list[Recording] = []

    async def aclose(self) -> None:
        await self._upstream.aclose()

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncGenerator[AsyncIterator[Delta]]:
        began = anyio.current_time()
        async with AsyncExitStack() as stack:
            try:
                deltas = await stack.enter_async_context(self._upstream.stream(request))
            except UpstreamError as error:
                self._keep(request, [], began, error)
                raise
            noted = self._note(request, deltas, began)
            stack.push_async_callback(noted.aclose)
            yield noted

    async def _note(self, request: ChatRequest, deltas: AsyncIterator[Delta], began: float) -> AsyncGenerator[Delta]:
        steps: list[Step] = []
        try:
            async for delta in deltas:
                steps.append(Step.of(anyio.current_time() - began, delta))
                yield delta
        except UpstreamError as error:
            self._keep(request, steps, began, error)
            raise
        self._keep(request, steps, began)

    def _keep(
        self, request: ChatRequest, steps: Sequence[Step], began: float, error: UpstreamError | None = None
    ) -> None:
        seed = request.params.get("seed")
        self.recordings.append(
            Recording(
                messages=request.messages,
                steps=tuple(steps),
                model=self._upstream.model,
                probe=request.probe,
                seed=seed if isinstance(seed, int) else None,
                error=None if error is None else str(error).removeprefix(f"{error.upstream}: "),
                ended=anyio.current_time() - began,
            )
        )


_RECORDING: Final = msgspec.json.Decoder(Recording)


def save_recordings(path: Path | str, recordings: Iterable[Recording]) -> None:
    """One JSON object a line."""
    Path(path).write_bytes(b"".join(msgspec.json.encode(recording) + b"\n" for recording in recordings))


def load_recordings(path: Path | str) -> list[Recording]:
    """Raises `ConfigError` that names the file and the line when it cannot be read or a line is not a recording."""
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the recordings: {error.strerror}") from error
    recordings = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            recordings.append(_RECORDING.decode(line))
        except msgspec.DecodeError as error:
            raise ConfigError(f"{path}:{number}: not a recording: {error}") from error
    return recordings


def _key(messages: Sequence[Message], probe: bool) -> bytes:
    return msgspec.json.encode((messages, probe), order="deterministic")


def _question(messages: Sequence[Message]) -> str:
    content = str(messages[-1].get("content", "")) if messages else ""
    line = " ".join(content.split())
    return repr(line if len(line) <= 80 else line[:79] + "…")
