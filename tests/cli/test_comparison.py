import itertools
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.cli.comparison import Answered, Routed, Row, compare, random_spread
from streamroute.cli.questions import Question


def row(*, small: bool, large: bool, escalated: bool, kept: float | None = 1.0) -> Row:
    def say(right: bool) -> str:
        return "yes" if right else "no"

    return Row(
        question=Question(id="q", question="Is it?", gold=("yes",), kind="yesno", difficulty="easy"),
        small=Answered(text=say(small), first=0.1, tokens=10),
        large=Answered(text=say(large), first=0.5, tokens=20),
        routed=Routed(
            text=say(large if escalated else small),
            escalated=escalated,
            verdict="escalate" if escalated else "accept",
            reason="samples_agree",
            entropy=0.0,
            clusters=(6,),
            first_shown=kept,
            first_kept=kept,
            small_tokens=60,
            large_tokens=20 if escalated else 0,
        ),
    )


def test_a_perfect_router_beats_random_by_what_it_knows() -> None:
    rows = [row(small=True, large=True, escalated=False), row(small=False, large=True, escalated=True)]
    small, large, random, routed = compare(rows)
    assert [line.accuracy for line in (small, large, random, routed)] == [0.5, 1.0, 0.75, 1.0]
    assert (small.large_tokens, large.large_tokens, random.large_tokens, routed.large_tokens) == (0, 40, 20, 20)
    assert random.first_kept == pytest.approx(0.3)
    assert routed.small_tokens == 120


def test_a_route_that_kept_nothing_has_no_time_to_average() -> None:
    rows = [
        row(small=True, large=True, escalated=False, kept=None),
        row(small=True, large=True, escalated=False, kept=2.0),
    ]
    assert compare(rows)[3].first_kept == 2.0


ROWS = st.lists(
    st.builds(row, small=st.booleans(), large=st.booleans(), escalated=st.booleans()), min_size=2, max_size=7
)


@given(ROWS)
def test_random_is_the_mean_over_all_subsets_of_the_routed_size(rows: list[Row]) -> None:
    m = sum(each.routed.escalated for each in rows)
    accuracies = [
        fmean(
            each.question.is_answered_by(each.large.text if index in chosen else each.small.text)
            for index, each in enumerate(rows)
        )
        for chosen in itertools.combinations(range(len(rows)), m)
    ]
    assert compare(rows)[2].accuracy == pytest.approx(fmean(accuracies))
    assert random_spread(rows) == pytest.approx(pstdev(accuracies), abs=1e-9)


def test_one_question_has_no_spread() -> None:
    assert random_spread([row(small=True, large=False, escalated=True)]) == 0.0
