from __future__ import annotations

import pytest

from streamroute.evaluation.baselines import BASELINES, NEEDS_SAMPLES
from streamroute.evaluation.learned import LEARNED
from streamroute.evaluation.methods import FITTED, OURS
from streamroute.evaluation.paradigms import PARADIGMS, How, Principle, Uses, When, paradigm
from streamroute.uncertainty.measures.families import Family, family
from streamroute.uncertainty.measures.samples import SampleSet
from streamroute.uncertainty.measures.table import measure_all

MEASURES = tuple(measure_all(SampleSet(texts=[], assignment=[])))
SYSTEMS = ("always-cheap", "always-large", "oracle", "random", "sequential", "cascade-routing", "streamroute-early")


def test_every_method_and_system_has_its_paradigm_and_nothing_else_has() -> None:
    assert set(PARADIGMS) == {OURS, FITTED, *MEASURES, *BASELINES, *LEARNED, *SYSTEMS}
    with pytest.raises(KeyError, match="unheard"):
        paradigm("unheard")


def test_every_note_is_one_sentence() -> None:
    for name, each in PARADIGMS.items():
        assert each.note[0].isupper(), name
        assert each.note.endswith("."), name
        assert len(each.note) < 100, name


def test_what_is_learned_uses_labels() -> None:
    for name, each in PARADIGMS.items():
        assert name == "oracle" or (Uses.LABELS in each.uses) == (each.how is How.LEARNED), name


def test_samples_are_used_by_what_is_decided_after_them() -> None:
    for name, each in PARADIGMS.items():
        if each.when is When.AFTER_SAMPLES:
            assert Uses.SAMPLES in each.uses, name
    for name in (*NEEDS_SAMPLES, *(name for name in MEASURES if family(name) is not Family.ALONE)):
        assert Uses.SAMPLES in paradigm(name).uses, name
        assert paradigm(name).when is When.AFTER_SAMPLES, name
    for name in MEASURES:
        alone = family(name) is Family.ALONE
        assert (Uses.SAMPLES not in paradigm(name).uses) == alone, name
        assert (Uses.ANSWER in paradigm(name).uses) >= (family(name) is Family.ANSWER), name


def test_only_what_reads_no_answer_can_decide_before_it() -> None:
    before = {name for name, each in PARADIGMS.items() if each.when is When.BEFORE}
    assert before == {"query-router", "random", "always-cheap", "always-large", "oracle"}
    assert not (Uses.ANSWER | Uses.SAMPLES) & paradigm("query-router").uses


def test_bounds_and_controls_follow_no_principle() -> None:
    assert {name for name, each in PARADIGMS.items() if each.paradigm is Principle.NONE} == {
        "random", "always-cheap", "always-large", "oracle"
    }  # fmt: skip
    assert {each.paradigm for each in PARADIGMS.values()} == set(Principle) - {Principle.DIFFICULTY}


def test_uses_read_as_words() -> None:
    assert str(Uses.ANSWER | Uses.LOG_PROBABILITIES) == "answer, log-probabilities"
    assert str(Uses.NOTHING) == "nothing"
