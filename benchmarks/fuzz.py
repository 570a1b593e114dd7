"""Broken and hostile bytes into what reads the wire: a case is bad if anything but our own errors comes out of it.

    python -m benchmarks.fuzz [--cases 1000000] [--seed 0] [--json] [--quick]

Cases are made from well-formed ones by mutation (bits, cuts, repeats, swaps, odd tokens; for JSON also values of other
types in other places), seeded, so that a bad one can be made again by its number. What is held to what:

- `stream`: an upstream's event stream, cut at random: only `WireError`s, and the same deltas, or the same error after
  the same deltas, as when it comes in one piece; what our clients get of it is JSON, streamed and collected.
- `whole`: an upstream's reply that is not streamed: only `WireError`s, and JSON for our clients.
- `passed`, `passed_whole`: the same bytes where they are passed on: only `WireError`s, the same bytes for the client
  and the same end however they are cut, and JSON with our field in it.
- `request`: a client's body up to what it is assigned to and what is asked upstream: only `BadRequestError`s and
  refusals.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.figures import command, show
from streamroute.config.compose import ServedRoute
from streamroute.config.settings import RouteSettings
from streamroute.core.types import Delta, Usage
from streamroute.errors import BadRequestError
from streamroute.gateway.access.auth import EVERYONE
from streamroute.gateway.catalogue import Catalogue
from streamroute.gateway.errors import RefusedError
from streamroute.routing.router import Router, Tier
from streamroute.routing.tiers import question_of
from streamroute.testing import ScriptedUpstream
from streamroute.wire.errors import WireError
from streamroute.wire.openai import (
    ChoiceCollector,
    ChunkEncoder,
    answer_decoder,
    decode_request,
    encode_completion,
    request_body,
)
from streamroute.wire.sse import DONE, SSEDecoder
from streamroute.wire.tap import Tap, WholeTap, with_field

__all__ = ("TARGETS", "case", "run")

CASES = 1_000_000
MAX_EVENT = 4096

_ODD = (b"\x00", b"\xff\xfe", b"\xe2\x82", b"\xf0\x9f\x98", b"\r", b"\r\n\r\n", b"\n\n", b"data:", b"data: [DONE]\n\n",
        b"event: error\n", b": ping\n\n", b"\xef\xbb\xbf", b"null", b"1e999", b"-0", b'"\\ud800"', b"[" * 40, b"{" * 40,
        b'"index":99,', b'"n":0,', b"NaN", b"9" * 30, b'{"error":{"message":1}}')  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e300, 10**30, "", "x", "\u0000", "\ud800", [], {}, [None], [[]], {"a": 1},
    [{"type": "text"}], {"type": "json_schema"}, ["audio"],
    "auto", "retract", [{"role": "user", "content": "?"}], [{"index": "0"}], 128, 2,
)  # fmt: skip

_DELTAS: tuple[dict[str, Any], ...] = (
    {"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo \u20ac \U0001f600"}, {"content": None},
    {},
    {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":"}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}, {"refusal": "no"}, {"reasoning_content": "hm"},
    {"content": [{"type": "text", "text": "part"}]},
)  # fmt: skip


def _chunk(rng: random.Random) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "delta": rng.choice(_DELTAS), "finish_reason": None}
    if rng.random() < 0.2:
        top = [{"token": "a", "logprob": -0.1, "bytes": [97]}]
        choice["logprobs"] = {"content": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": top}]}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def _well_formed_stream(rng: random.Random) -> bytes:
    end = rng.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r"))
    documents = [_chunk(rng) for _ in range(rng.randrange(1, 6))]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
    events = [json.dumps(document).encode() for document in [*documents, last, usage]]
    lines = [b"data: " + data + end + end for data in [*events, b"[DONE]"]]
    if rng.random() < 0.3:
        lines.insert(rng.randrange(len(lines)), b": keep-alive" + end + end)
    return b"".join(lines)


def _well_formed_reply(rng: random.Random) -> bytes:
    message = {"role": "assistant", **rng.choice(_DELTAS)}
    choices = [{"index": 0, "message": message, "finish_reason": rng.choice(("stop", "length", None))}]
    return json.dumps({"id": "c", "choices": choices, "usage": {"prompt_tokens": 1, "completion_tokens": 2}}).encode()


def _well_formed_request(rng: random.Random) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": rng.choice(("auto", "cheap", "large", "other")),
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": rng.choice(("Why?", [{"type": "text", "text": "Why?"}]))},
        ],
    }
    more: dict[str, Any] = {
        "stream": True, "stream_options": {"include_usage": True}, "n": 1, "temperature": 1.0, "stop": ["a"], "seed": 1,
        "max_tokens": 5, "logprobs": True, "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": "auto", "response_format": {"type": "text"}, "modalities": ["text"], "audio": {},
        "functions": [], "user": "u",
        "streamroute": {"release": "retract", "judge": True}, "metadata": {"a": "b"}, "logit_bias": {"1": 2},
    }  # fmt: skip
    for name in rng.sample(sorted(more), rng.randrange(5)):
        body[name] = more[name]
    return body


def _mutated(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(6):
            case 0 if out:
                out[at % len(out)] ^= 1 << rng.randrange(8)
            case 1:
                del out[at : at + rng.randrange(1, 30)]
            case 2:
                out[at:at] = rng.choice(_ODD)
            case 3:
                piece = out[at : at + rng.randrange(1, 80)]
                out[at:at] = piece
            case 4:
                out[at:at] = rng.randbytes(rng.randrange(1, 5))
            case _:
                del out[at:]
    return bytes(out)


def _altered(value: Any, rng: random.Random) -> Any:
    """One value somewhere in a document replaced, dropped or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(sorted(value))
        if rng.random() < 0.15:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: _altered(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], _altered(value[at], rng), *value[at + rng.randrange(2) :]]
    return rng.choice(_VALUES)


def _pieces(data: bytes, rng: random.Random) -> list[bytes]:
    if rng.random() < 0.1:
        return [data[i : i + 1] for i in range(len(data))]
    bounds = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(6)))
    return [data[a:b] for a, b in zip([0, *bounds], [*bounds, len(data)], strict=True)]


def _passed_on(deltas: list[Delta]) -> None:
    """What our own clients would get."""
    encoder, collector = ChunkEncoder(id="c", created=1, model="m", logprobs=True), ChoiceCollector()
    for delta in deltas:
        json.loads(encoder.delta(delta).removeprefix(b"data: "))
        collector.add(delta)
    json.loads(encode_completion(id="c", created=1, model="m", choices=collector.choices(), logprobs=True))


def _heard(pieces: list[bytes]) -> tuple[list[Delta], str]:
    decoder = answer_decoder("text/event-stream", max_event=MAX_EVENT)
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += decoder.feed(piece)
    try:
        deltas += decoder.eof()
    except WireError as error:
        return deltas, str(error)
    return deltas, "ended"


def _stream(rng: random.Random) -> str:
    data = _mutated(_well_formed_stream(rng), rng)
    pieces = [piece for piece in _pieces(data, rng) if piece]
    whole, cut = _heard([data] if data else []), _heard(pieces)
    if whole != cut:
        raise AssertionError(f"cut as {pieces} it says {cut}, in one piece {whole}")
    try:
        _passed_on(whole[0])
    except WireError:
        return "refused"
    return "ended" if cut[1] == "ended" else "refused"


def _whole(rng: random.Random) -> str:
    data = _mutated(_well_formed_reply(rng), rng)
    decoder = answer_decoder("application/json", max_event=MAX_EVENT)
    for piece in _pieces(data, rng):
        decoder.feed(piece)
    try:
        _passed_on(decoder.eof())
    except WireError:
        return "refused"
    return "ended"


class _Told(msgspec.Struct):
    streamroute: dict[str, str]
    # All else is the upstream's: what is odd in it has passed on purpose.


def _tapped(pieces: list[bytes]) -> tuple[bytes, str]:
    tap = Tap(n=1)
    out = b"".join([tap.feed(piece) for piece in pieces])
    try:
        tap.eof()
    except WireError as error:
        return out, str(error)
    return out + tap.tail(b'{"route":"r"}', Usage(1, 1)), "ended"


def _passed(rng: random.Random) -> str:
    data = _mutated(_well_formed_stream(rng), rng)
    pieces = [piece for piece in _pieces(data, rng) if piece]
    whole, cut = _tapped([data] if data else []), _tapped(pieces)
    if whole != cut:
        raise AssertionError(f"cut as {pieces} it gives {cut}, in one piece {whole}")
    if whole[1] != "ended":
        return "refused"
    *_, told, done = [event.data for event in SSEDecoder().feed(whole[0])]
    if done != DONE or msgspec.json.decode(told, type=_Told).streamroute != {"route": "r"}:
        raise AssertionError(f"ends in {told!r}, {done!r}")
    return "ended"


def _passed_whole(rng: random.Random) -> str:
    data = _mutated(_well_formed_reply(rng), rng)
    try:
        WholeTap(data, n=1)
    except WireError:
        return "refused"
    msgspec.json.decode(with_field(data, b"{}"), type=_Told)
    return "ended"


def _request_target() -> Callable[[random.Random], str]:
    tiers = [Tier(upstream=ScriptedUpstream("a", name=name, model=name)) for name in ("cheap", "large")]
    route = RouteSettings(name="auto", tiers=("cheap", "large"))
    catalogue = Catalogue({"auto": ServedRoute(route, Router(tiers))})

    def target(rng: random.Random) -> str:
        document: Any = _well_formed_request(rng)
        for _ in range(rng.randrange(4)):
            document = _altered(document, rng)
        body = json.dumps(document).encode()
        if rng.random() < 0.4:
            body = _mutated(body, rng)
        headers = {} if rng.random() < 0.9 else {"x-streamroute-release": rng.choice(("hold", "no", "", "\u20ac"))}
        try:
            asked = decode_request(body)
            catalogue.assign(asked, headers, EVERYONE)
            question_of(asked.messages)
            msgspec.json.encode(request_body(model="m", messages=asked.messages, params=asked.params))
        except (BadRequestError, RefusedError):
            return "refused"
        return "served"

    return target


TARGETS: dict[str, Callable[[], Callable[[random.Random], str]]] = {
    "stream": lambda: _stream,
    "whole": lambda: _whole,
    "passed": lambda: _passed,
    "passed_whole": lambda: _passed_whole,
    "request": _request_target,
}


def case(target: Callable[[random.Random], str], seed: int, number: int) -> str:
    """Run one case; what became of it. Raises whatever must not come out."""
    return target(random.Random(f"{seed}/{number}"))


def run(name: str, cases: int, *, seed: int = 0) -> dict[str, Any]:
    """`cases` of one target: what became of them, and the bad ones, by their numbers, at most ten."""
    target = TARGETS[name]()
    became: Counter[str] = Counter()
    bad: list[str] = []
    began = time.perf_counter()
    for number in range(cases):
        try:
            became[case(target, seed, number)] += 1
        except Exception as error:
            became["bad"] += 1
            if len(bad) < 10:
                bad.append(f"{number}: {type(error).__name__}: {error}"[:400])
    return {
        "cases": cases,
        **dict(sorted(became.items())),
        "bad_ones": bad,
        "seconds": round(time.perf_counter() - began),
    }


def main() -> int:
    parser = command("Mutated bytes into the decoders of answers and requests.")
    parser.add_argument("--cases", type=int, default=CASES, help="of all targets together (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=tuple(TARGETS), help="only this one")
    args = parser.parse_args()
    names = [args.target] if args.target else list(TARGETS)
    cases = 3_000 if args.quick else args.cases
    found = {name: run(name, cases // len(names), seed=args.seed) for name in names}
    show(found, as_json=args.json)
    return int(any(figures["bad_ones"] for figures in found.values()))


if __name__ == "__main__":
    sys.exit(main())
