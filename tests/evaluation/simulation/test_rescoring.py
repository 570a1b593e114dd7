"""A calibration's score in place of the judge's, of evidence that was judged without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamroute.calibration.artefact import ScoreFit
from streamroute.calibration.recalibrate import Platt
from streamroute.core.types import Evidence, Features, Sample
from streamroute.errors import ConfigError, DataFileError
from streamroute.evaluation.judged import Blocking
from streamroute.evaluation.simulation.rescoring import check_binding, rescoring
from streamroute.evaluation.simulation.simulate import simulate
from streamroute.testing import run_virtual
from streamroute.uncertainty.fitted import Logistic
from streamroute.uncertainty.judge import SemanticEntropy
from tests.calibration.made import BINDING, artefact
from tests.evaluation.judges import CONTRADICTS, ENTAILS, Written
from tests.evaluation.simulation.recorded import BILLING, TIMINGS, about, plan, route
from tests.evaluation.simulation.recorded import Written as WrittenJudge

FITTED = ScoreFit.of(
    Platt(1.5, 0.2), Logistic(-1.0, {"disagreement": 2.0, "entropy": 1.0}, {"disagreement": 0.5, "entropy": 0.5})
)
FEATURES = Features(disagreement=0.5, contradiction=0.25, entropy=0.125, snne=0.0)


def score(features: Features = FEATURES) -> float:
    combined = FITTED.combined()
    assert combined is not None
    return combined(features)


def rescored(**fields: object) -> Evidence:
    made = rescoring(artefact(score=FITTED))
    assert made is not None
    found = {"samples": 2, "expected": 2, "score": 0.9, "low": 0.9, "high": 0.9, "answer_cluster": 0}
    return made(Evidence(**{"features": FEATURES, **found, **fields}))  # type: ignore[arg-type]


def test_the_judges_own_score_stays_as_it_is() -> None:
    assert rescoring(artefact(score=ScoreFit.of(Platt(1.0, 0.0)))) is None


def test_after_the_last_probe_the_score_is_what_it_will_stay() -> None:
    found = rescored()
    assert found.low == found.score == found.high == score() != 0.9


@pytest.mark.parametrize(
    "fields", [{"samples": 1}, {"answer_cluster": None}, {"low": 0.4}], ids=["a probe", "the answer", "log-probs"]
)
def test_while_something_is_to_come_nothing_is_certain(fields: dict[str, object]) -> None:
    found = rescored(**fields)
    assert (found.low, found.score, found.high) == (0.0, score(), 1.0)


def test_a_refusal_that_no_probe_answers_is_kept() -> None:
    assert rescored(note="refusal", score=0.0, low=0.0, high=0.0).score == 0.0
    assert rescored(note="refusal", answer_cluster=None).score == score()


def test_evidence_without_features_is_named() -> None:
    with pytest.raises(DataFileError, match="no features"):
        rescored(features=None)


def test_it_is_the_score_that_a_judge_with_this_calibration_gives() -> None:
    texts = ("It is Rome.", "Rome.", "Oslo.")
    model = Blocking(Written({(a, b): CONTRADICTS if "Oslo." in (a, b) else ENTAILS for a in texts for b in texts}))
    combined, made = FITTED.combined(), rescoring(artefact(score=FITTED))
    assert combined is not None
    assert made is not None

    async def judged(judge: SemanticEntropy) -> Evidence:
        return await judge.session("Capital of Italy?").evaluate(
            answer=texts[0], answer_finished=True, samples=[Sample(text) for text in texts[1:]], expected=2
        )

    plain = run_virtual(lambda: judged(SemanticEntropy(model)))
    fitted = run_virtual(lambda: judged(SemanticEntropy(model, score=combined)))
    again = made(plain)
    assert (again.low, again.score, again.high) == (about(fitted.low), about(fitted.score), about(fitted.high))
    assert again.score != plain.score


def test_the_core_hears_the_other_score_and_the_judges_is_kept() -> None:
    judge, before = WrittenJudge((0.9, 0.9)), route()
    after = before.rescored(lambda evidence: replace(evidence, score=0.1))
    assert simulate(before, plan(), judge, BILLING, TIMINGS.judge).tier == 1
    assert simulate(after, plan(), judge, BILLING, TIMINGS.judge).tier == 0
    assert simulate(before, plan(), judge, BILLING, TIMINGS.judge).tier == 1
    assert {evidence.score for evidence in after.evidence.values()} == {0.9}


def test_a_calibration_of_other_probes_or_of_another_judge_is_refused() -> None:
    check_binding(artefact(), probes=5, judge_sha256=BINDING.judge_sha256)
    with pytest.raises(ConfigError, match=r"not of these scores: probes was 5 and is 3; judge_sha256 was '.*' and is"):
        check_binding(artefact(), probes=3, judge_sha256="f" * 64)
