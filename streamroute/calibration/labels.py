"""Labels that nobody had to write for the purpose: what users say, and whether the larger model says the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from streamroute.calibration.records import Record
from streamroute.uncertainty.clustering import Comparer
from streamroute.uncertainty.gist import gist
from streamroute.uncertainty.sequential import Stance

__all__ = ("Feedback", "decode_feedback", "differs", "joined")


class Feedback(msgspec.Struct, frozen=True):
    """What was said of the answer to one request: `id` is that of its record."""

    id: str
    correct: bool


_DECODER = msgspec.json.Decoder(Feedback)


def decode_feedback(line: bytes) -> Feedback:
    """Of one JSON object {"id", "correct"}; unknown fields are ignored. Raises ValueError, naming the field."""
    return _DECODER.decode(line)


def joined(records: Iterable[Record], feedback: Sequence[Feedback]) -> list[Record]:
    """The records with these labels, which win over labels that they have; the last of one id counts.

    What is said of a request that was escalated is said of the larger model's answer. Its cheap one stays unlabelled:
    labels of kept answers alone are a biased sample, which is why a few requests should be shadowed.
    """
    said: Mapping[str, bool] = {each.id: each.correct for each in feedback}
    return [_labelled(record, said.get(record.id)) for record in records]


def _labelled(record: Record, correct: bool | None) -> Record:
    if correct is None:
        return record
    return replace(record, large_wrong=not correct) if record.escalated else replace(record, wrong=not correct)


async def differs(comparer: Comparer, question: str, cheap: str, large: str) -> bool | None:
    """Whether the cheap answer says something else than the larger model's: a label without anyone's help, which takes
    the larger model for right. None where that one refuses or does not know. Raises `ScorerError`."""
    shown, reference = gist(cheap, question), gist(large, question)
    if reference.stance is not Stance.CLAIM:
        return None
    (found,) = await comparer.compare_with_answer(shown, [reference])
    return not found.equivalent
