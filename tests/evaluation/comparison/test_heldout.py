import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamroute.evaluation.comparison.heldout import escalations

RIGHT, WRONG = True, False


def test_the_threshold_is_that_of_the_other_folds() -> None:
    scores = np.array([0.9, 0.1, 0.8, 0.2])
    cheap, large = np.array([WRONG, RIGHT, WRONG, RIGHT]), np.array([RIGHT] * 4)
    folds = np.array([0, 0, 1, 1])
    found = escalations(scores, cheap, large, folds, share=1.0)
    # Fold 1 escalates from .8 on, which .9 is above; fold 0 from .9 on, which .8 is not.
    assert found.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_nothing_is_escalated_where_the_large_model_was_no_better_elsewhere() -> None:
    cheap, large = np.array([RIGHT, RIGHT, WRONG]), np.array([RIGHT, WRONG, RIGHT])
    assert escalations(np.array([1.0, 2.0, 3.0]), cheap, large, np.array([0, 0, 1]), share=0.95)[2] == 0.0


def test_rows_at_the_limit_are_escalated_as_often_as_it_asks_for() -> None:
    scores, large = np.zeros(5), np.array([RIGHT] * 5)
    cheap = np.array([WRONG, WRONG, RIGHT, RIGHT, WRONG])
    assert escalations(scores, cheap, large, np.array([0, 0, 0, 0, 1]), share=0.5)[4] == 0.5


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), min_size=4, max_size=30), st.data())
def test_labels_of_a_fold_have_no_say_in_its_own_escalations(
    rows: list[tuple[float, bool, bool]], data: st.DataObject
) -> None:
    scores, cheap, large = (np.array(column) for column in zip(*rows, strict=True))
    folds = np.arange(len(rows)) % 2
    before = escalations(scores, cheap, large, folds, share=0.9)
    flipped = np.where(folds == 0, data.draw(st.booleans()), cheap)
    after = escalations(scores, flipped, large, folds, share=0.9)
    assert (before[folds == 0] == after[folds == 0]).all()
