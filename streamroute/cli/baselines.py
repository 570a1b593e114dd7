"""What each model answers by itself, measured once and kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from streamroute.cli.comparison import Answered
from streamroute.core.types import Leg
from streamroute.models.manifest import load_manifest
from streamroute.routing.router import Router

__all__ = ("Recordings", "answer_alone", "default_path")


def default_path() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamroute" / "demo-baselines.json"


class Recordings:
    """Answers by key, in one JSON file. A file that cannot be read or written only costs time."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._path = path
        self._answers: dict[str, Answered] = {} if fresh else _load(path)

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> Answered | None:
        return self._answers.get(key)

    def put(self, key: str, answer: Answered) -> None:
        self._answers[key] = answer
        draft = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(self._answers))
            draft.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()


def key_of(router: Router, tier: int, question: str, params: Mapping[str, Any]) -> str:
    """Everything that determines the answer: the model file's hash, the settings, the question."""
    settings, manifest = router.tiers[tier], load_manifest()
    name = settings.upstream.model
    model = manifest[name].sha256 if name in manifest else name
    asked = [model, settings.label, settings.system, {**settings.params, **params}, question]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]


async def answer_alone(router: Router, tier: int, question: str, params: Mapping[str, Any]) -> Answered:
    """The tier's own answer, unjudged, with nothing else running."""
    reply = await router.complete([{"role": "user", "content": question}], params=params, start_tier=tier, judge=False)
    record = reply.route.leg(Leg(tier))
    tokens = 0 if record is None else record.completion_tokens
    return Answered(text=reply.text.strip(), first=reply.route.timings.first_kept or 0.0, tokens=tokens)


def _load(path: Path) -> dict[str, Answered]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Answered])
    except (OSError, msgspec.DecodeError):
        return {}
