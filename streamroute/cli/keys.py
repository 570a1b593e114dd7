"""`streamroute keys`: make a client's key, or hash one that there is."""

from __future__ import annotations

import argparse
import getpass
import json
import sys

from streamroute.errors import ConfigError
from streamroute.gateway.access.auth import hash_of, new_key

__all__ = ("run",)

SHORTEST = 32


def run(args: argparse.Namespace) -> int:
    if args.action == "hash":
        print(hash_of(_read()))
    else:
        key = new_key()
        # Apart from the table, so that the table alone goes where the output is sent to.
        print(f"The key of {args.name}, shown this once: {key}", file=sys.stderr)
        print(_table(args, key))
    return 0


def _table(args: argparse.Namespace, key: str) -> str:
    """The `[[key]]` to paste. Every TOML basic string that we need is a JSON string too."""
    lines = ["[[key]]", f"name = {json.dumps(args.name)}", f"hash = {json.dumps(hash_of(key))}"]
    if args.route:
        lines.append(f"routes = {json.dumps(args.route)}")
    if args.requests_per_minute is not None:
        lines.append(f"requests_per_minute = {args.requests_per_minute}")
    budget = [f"{name} = {getattr(args, name)!r}" for name in ("day", "month") if getattr(args, name) is not None]
    if budget:
        lines.append(f"budget = {{ {', '.join(budget)} }}")
    if args.board:
        lines.append("board = true")
    return "\n".join(lines)


def _read() -> str:
    """A key from the standard input; from a terminal without showing it. Raises `ConfigError` for one that is no key,
    or that could be guessed from its hash."""
    key = (getpass.getpass("key: ") if sys.stdin.isatty() else sys.stdin.read()).strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError("a key is one line of printable ASCII characters without blanks")
    if len(key) < SHORTEST:
        raise ConfigError(
            f"a key of {len(key)} characters may be guessed from its hash, {SHORTEST} random ones are wanted: "
            "`streamroute keys new` makes one"
        )
    return key
