"""A cross-encoder on onnxruntime: pairs of texts in, relations out. Synchronous: `batcher` keeps it off the loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Encoding, Tokenizer

from streamroute.errors import ModelFileError, ScorerError
from streamroute.nli.batcher import EntailmentWorker
from streamroute.nli.manifest import LABELS, ModelSpec, bundled_manifest, read_manifest
from streamroute.uncertainty.base import Relation

__all__ = ("CrossEncoder", "load_bundled")

BUCKETS = (32, 64, 96, 128, 192, 256, 384, 512)
MAX_BATCH = 32
_INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
_SELF_TEST = (
    (("A man is asleep on the sofa.", "A man is asleep on the sofa."), "entailment"),
    (("A man is asleep on the sofa.", "The man is not asleep."), "contradiction"),
)


class CrossEncoder:
    """The judge's model in memory. Safe to call from one thread at a time.

    Raises ModelFileError when the files are not what the manifest promises, cannot be loaded, or give labels in another
    order than it says (found by two canonical pairs).
    """

    def __init__(self, spec: ModelSpec) -> None:
        model, vocabulary = spec.verified()
        self.spec = spec
        self._tokenizer = _tokenizer(vocabulary, spec)
        self._room = spec.max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=True)
        self._session = _session(model, spec)
        self._wanted = [entry.name for entry in self._session.get_inputs()]
        self._columns = [spec.labels.index(label) for label in LABELS]
        self._check()

    def relations(self, pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        """One relation for each (premise, hypothesis), in order. Blocks. Raises ScorerError.

        Pairs of similar length run together, for padding is pure loss. Too long a pair loses the end of its premise;
        its hypothesis only what does not fit alone.
        """
        encoded = [self._encode(premise, hypothesis) for premise, hypothesis in pairs]
        order = sorted(range(len(pairs)), key=lambda i: len(encoded[i].ids))
        groups: dict[int, list[int]] = {}
        for i in order:
            bucket = next((b for b in BUCKETS if len(encoded[i].ids) <= b), len(encoded[i].ids))
            groups.setdefault(bucket, []).append(i)
        results: dict[int, Relation] = {}
        for members in groups.values():
            for start in range(0, len(members), MAX_BATCH):
                part = members[start : start + MAX_BATCH]
                for i, row in zip(part, self._run([encoded[i] for i in part]), strict=True):
                    results[i] = Relation(*map(float, row))
        return [results[i] for i in range(len(pairs))]

    def _encode(self, premise: str, hypothesis: str) -> Encoding:
        """Truncated from the premise's tail; a hypothesis that leaves the premise no room is cut to half of it."""
        encoding = self._tokenizer.encode(premise, hypothesis)
        if len(encoding.ids) <= self.spec.max_tokens:
            return encoding
        first, second = (self._tokenizer.encode(text, add_special_tokens=False) for text in (premise, hypothesis))
        # At least a quarter of the room is the premise's: a hypothesis alone can be judged against nothing.
        least = min(len(first.ids), self._room // 4)
        hypothesis_room = min(len(second.ids), self._room - least)
        first.truncate(self._room - hypothesis_room)
        second.truncate(hypothesis_room)
        return self._tokenizer.post_process(first, second)

    def _run(self, batch: Sequence[Encoding]) -> npt.NDArray[np.float64]:
        """(len(batch), 3) probabilities in the order of LABELS."""
        width = max(len(encoding.ids) for encoding in batch)
        feed: dict[str, npt.NDArray[np.int64]] = {}
        for name in self._wanted:
            array = np.zeros((len(batch), width), dtype=np.int64)
            for i, encoding in enumerate(batch):
                array[i, : len(encoding.ids)] = getattr(encoding, _INPUTS[name])
            feed[name] = array
        try:
            logits = np.asarray(self._session.run(None, feed)[0], dtype=np.float64)
        except Exception as error:  # onnxruntime raises its own unrelated classes
            raise ScorerError(f"{self.spec.name}: {error}") from error
        if not np.isfinite(logits).all():
            raise ScorerError(f"{self.spec.name}: gave logits that are not finite")
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: npt.NDArray[np.float64] = (powers / powers.sum(axis=1, keepdims=True))[:, self._columns]
        return probabilities

    def _check(self) -> None:
        names = {entry.name for entry in self._session.get_inputs()}
        if not names <= _INPUTS.keys() or "input_ids" not in names:
            raise ModelFileError(f"{self.spec.path}: unknown inputs {sorted(names)}, expected {', '.join(_INPUTS)}")
        try:
            found = self.relations([pair for pair, _ in _SELF_TEST])
        except (ScorerError, IndexError, TypeError) as error:
            raise ModelFileError(f"{self.spec.path}: the self-test failed ({error})") from error
        for relation, (pair, label) in zip(found, _SELF_TEST, strict=True):
            guess = LABELS[int(np.argmax(relation))]
            if guess != label:
                raise ModelFileError(
                    f"{self.spec.path}: calls {pair[0]!r} -> {pair[1]!r} {guess}, not {label}:"
                    f" its labels are not in the order {', '.join(self.spec.labels)}"
                )


def _tokenizer(content: bytes, spec: ModelSpec) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelFileError(f"{spec.tokenizer}: not a tokenizer ({error})") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _session(content: bytes, spec: ModelSpec) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = spec.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning thread takes from the model that streams on the same cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(
            content,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(spec.disabled_optimizers),
        )
    except Exception as error:  # onnxruntime raises its own unrelated classes
        raise ModelFileError(f"{spec.path}: not a model that onnxruntime can load ({error})") from error


def load_bundled(name: str | None = None, *, manifest: Path | None = None, max_queued: int = 256) -> EntailmentWorker:
    """The judge's model behind its worker thread: the bundled one, or `name` of a `manifest`. Blocks for the loading.

    Raises ModelFileError. Close it with `aclose()`.
    """
    path = manifest if manifest is not None else bundled_manifest()
    models, default = read_manifest(path)
    chosen = default if name is None else name
    if chosen not in models:
        raise ModelFileError(f"{path}: no model {chosen!r} (there are: {', '.join(models)})")
    return EntailmentWorker(CrossEncoder(models[chosen]), max_queued=max_queued)
