"""A cross-encoder on onnxruntime: pairs of texts in, relations out. Synchronous: `batcher` keeps it off the loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Tokenizer

from streamroute.errors import ModelFileError, ScorerError
from streamroute.nli.batcher import EntailmentWorker
from streamroute.nli.encoding import PairEncoder, Row, batches
from streamroute.nli.manifest import LABELS, ModelSpec, chosen_model
from streamroute.uncertainty.base import Pair, Relation, Relations

__all__ = ("CrossEncoder", "load_bundled")

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_SELF_TEST = (
    (Pair("", "A man is asleep on the sofa.", "A man is asleep on the sofa."), "entailment"),
    (Pair("", "A man is asleep on the sofa.", "The man is not asleep."), "contradiction"),
)


class CrossEncoder:
    """The judge's model in memory. Safe to call from one thread at a time.

    Raises ModelFileError when the files are not what the manifest promises, cannot be loaded, or give labels in another
    order than it says (found by two canonical pairs).
    """

    def __init__(self, spec: ModelSpec) -> None:
        model, vocabulary = spec.verified()
        self.spec = spec
        self._encoder = _encoder(vocabulary, spec)
        self._session = _session(model, spec)
        self._wanted = [entry.name for entry in self._session.get_inputs()]
        self._columns = [spec.labels.index(label) for label in LABELS]
        self._check()

    def relations(self, pairs: Sequence[Pair]) -> list[Relations]:
        """The relations of each pair, in order. Blocks. Raises ScorerError.

        Any strings will do: too long ones are cut, and what is no text reads as nothing.
        """
        rows = self._encoder.rows(pairs)
        found = np.empty((len(rows), self.spec.directions, len(LABELS)))
        for part in batches([len(row.ids) for row in rows]):
            found[part] = self._run([rows[i] for i in part])
        # The two directions of a pair are those of one row, or two rows that follow each other.
        both = found.reshape(len(pairs), 2, len(LABELS)).tolist()
        return [Relations(Relation(*forward), Relation(*backward)) for forward, backward in both]

    def _run(self, rows: Sequence[Row]) -> npt.NDArray[np.float64]:
        """(len(rows), directions, 3) probabilities, the last axis in the order of LABELS."""
        ids, mask, types = np.zeros((3, len(rows), max(len(row.ids) for row in rows)), dtype=np.int64)
        for i, row in enumerate(rows):
            used = slice(len(row.ids))
            ids[i, used], mask[i, used], types[i, used] = row.ids, 1, row.types
        columns = dict(zip(_INPUTS, (ids, mask, types), strict=True))
        try:
            output = self._session.run(None, {name: columns[name] for name in self._wanted})[0]
            logits = np.asarray(output, dtype=np.float64)
        except Exception as error:  # onnxruntime raises its own unrelated classes
            raise ScorerError(f"{self.spec.name}: {error}") from error
        shape = (len(rows), self.spec.directions, len(LABELS))
        if logits.shape != (shape[0], shape[1] * shape[2]):
            raise ScorerError(
                f"{self.spec.name}: gave logits of the shape {logits.shape}, not {shape[1] * shape[2]} a row"
            )
        if not np.isfinite(logits).all():
            raise ScorerError(f"{self.spec.name}: gave logits that are not finite")
        logits = logits.reshape(shape)
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities: npt.NDArray[np.float64] = (powers / powers.sum(axis=-1, keepdims=True))[..., self._columns]
        return probabilities

    def _check(self) -> None:
        if not set(self._wanted) <= set(_INPUTS) or "input_ids" not in self._wanted:
            raise ModelFileError(f"{self.spec.path}: unknown inputs {self._wanted}, expected {', '.join(_INPUTS)}")
        try:
            found = self.relations([pair for pair, _ in _SELF_TEST])
        except (ScorerError, IndexError, TypeError) as error:
            raise ModelFileError(f"{self.spec.path}: the self-test failed ({error})") from error
        for relations, (pair, label) in zip(found, _SELF_TEST, strict=True):
            guess = LABELS[int(np.argmax(relations.forward))]
            if guess != label:
                raise ModelFileError(
                    f"{self.spec.path}: calls {pair.a!r} -> {pair.b!r} {guess}, not {label}:"
                    f" its labels are not in the order {', '.join(self.spec.labels)}"
                )


def _encoder(content: bytes, spec: ModelSpec) -> PairEncoder:
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelFileError(f"{spec.tokenizer}: not a tokenizer ({error})") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # An answer that spells out "[SEP]" must not end its own segment.
    tokenizer.encode_special_tokens = True
    cls, sep = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    if cls is None or sep is None:
        raise ModelFileError(f"{spec.tokenizer}: has no [CLS] or no [SEP]")

    def tokenise(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    return PairEncoder(tokenise, cls=cls, sep=sep, directions=spec.directions, max_tokens=spec.max_tokens)


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
    return EntailmentWorker(CrossEncoder(chosen_model(name, manifest)), max_queued=max_queued)
