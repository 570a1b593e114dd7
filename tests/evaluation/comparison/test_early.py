import msgspec
import numpy as np

from streamroute.evaluation.comparison.early import early_stopping
from streamroute.evaluation.judged import Judgement, judge_rows, with_samples
from streamroute.evaluation.rows import RoutingRow
from tests.evaluation.comparison.test_sets import SameWords, row

KNOWN = row(0)
GUESSED = msgspec.structs.replace(row(1), cheap=msgspec.structs.replace(row(1).cheap, answer="It is Adelaide."))


def judged(rows: list[RoutingRow], most: int) -> list[Judgement]:
    return [judge_rows(SameWords(), [with_samples(each, count) for each in rows]) for count in range(1, most + 1)]


def test_it_stops_where_one_meaning_leads_and_goes_on_where_none_does() -> None:
    found = early_stopping(judged([KNOWN, GUESSED], 3))
    assert found.taken is not None
    assert found.taken.tolist() == [1, 3]
    assert found.probes == 2.0


def test_the_score_is_that_of_the_samples_that_were_taken() -> None:
    prefixes = judged([KNOWN, GUESSED], 3)
    found = early_stopping(prefixes)
    assert found.scores is not None
    expected = [prefixes[0].rows[0].evidence.score, prefixes[2].rows[1].evidence.score]
    np.testing.assert_allclose(found.scores, expected)
    assert found.nli_pairs == np.mean([prefixes[0].rows[0].evidence.nli_pairs, prefixes[2].rows[1].evidence.nli_pairs])
