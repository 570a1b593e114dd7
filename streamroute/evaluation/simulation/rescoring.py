"""The score of a calibration in place of the judge's own, of evidence that was judged without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from msgspec import structs

from streamroute.calibration.artefact import Artefact
from streamroute.core.types import Evidence
from streamroute.errors import ConfigError, DataFileError
from streamroute.uncertainty.combine import REFUSAL_SCORE, ScoreOf

__all__ = ("check_binding", "rescoring")


def rescoring(artefact: Artefact) -> Callable[[Evidence], Evidence] | None:
    """What becomes of the evidence under the score of `artefact`; None where that is the judge's own.

    The score is made anew of the features. Which scores can still be reached is not known from them, so nothing is
    certified before the last probe of a judged answer: live, the same decisions fall earlier. The function raises
    `DataFileError` for evidence without features.
    """
    combined = artefact.score.combined()
    return None if combined is None else _Rescoring(combined)


class _Rescoring:
    def __init__(self, score: ScoreOf) -> None:
        self._score = score

    def __call__(self, evidence: Evidence) -> Evidence:
        if evidence.features is None:
            raise DataFileError("the evidence has no features to make a calibrated score of: judge the routes anew")
        # A refusal that no probe answers has nothing to escalate, whatever the score is made of.
        refused = evidence.answer_judged and evidence.note == "refusal"
        score = REFUSAL_SCORE if refused else self._score(evidence.features)
        last = evidence.answer_judged and evidence.samples >= evidence.expected
        settled = last and evidence.low == evidence.high  # else log-probabilities of the answer are still to come
        low, high = (score, score) if settled else (0.0, 1.0)
        return replace(evidence, score=score, low=low, high=high)


def check_binding(artefact: Artefact, *, probes: int, judge_sha256: str) -> None:
    """Raises `ConfigError` where the scores were of another number of probes, or of another judge. Records do not say
    all that a route's own binding does."""
    made = artefact.binding
    differences = made.differences(structs.replace(made, probes=probes, judge_sha256=judge_sha256))
    if differences:
        raise ConfigError(f"the calibration is not of these scores: {'; '.join(differences)}")
