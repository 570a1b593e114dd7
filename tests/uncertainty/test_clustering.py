from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.base import Pair, Relation
from streamroute.uncertainty.clustering import Clustering, Comparer, Rule, cluster
from streamroute.uncertainty.gist import Gist, gist
from tests.uncertainty.meanings import CONTRADICTS, ENTAILS, NEUTRAL, Meanings, Scripted


def gists(*texts: str) -> list[Gist]:
    return [gist(text) for text in texts]


async def clustered(model: Meanings | Scripted, texts: Sequence[str], answer: str | None = None) -> Clustering:
    return await cluster(Comparer(model, ""), gists(*texts), None if answer is None else gist(answer))


PROBABILITY_CASES = [
    # mean entailment decides, a contradiction either way vetoes
    (ENTAILS, ENTAILS, True),
    (Relation(0.9, 0.1, 0.0), Relation(0.1, 0.9, 0.0), True),
    (Relation(0.9, 0.1, 0.0), Relation(0.09, 0.91, 0.0), False),
    (Relation(0.99, 0.01, 0.0), Relation(0.5, 0.0, 0.5), False),
    (NEUTRAL, NEUTRAL, False),
]


@pytest.mark.parametrize(("forward", "backward", "same"), PROBABILITY_CASES)
def test_the_default_rule(forward: Relation, backward: Relation, same: bool) -> None:
    assert Rule.PROBABILITY.holds(forward, backward, 0.5) is same


ONE_WAY, BOTH_NEUTRAL = (ENTAILS, NEUTRAL), (NEUTRAL, NEUTRAL)


@pytest.mark.parametrize(
    ("rule", "one_way", "both_neutral", "vetoed"),
    [
        (Rule.STRICT, False, False, False),
        (Rule.NO_CONTRADICTION, True, True, False),
        (Rule.EITHER, True, False, True),
    ],
)
def test_the_published_rules_differ_where_they_should(
    rule: Rule, one_way: bool, both_neutral: bool, vetoed: bool
) -> None:
    assert rule.holds(ENTAILS, ENTAILS, 0.5)
    assert not rule.holds(CONTRADICTS, CONTRADICTS, 0.5)
    assert rule.holds(*ONE_WAY, 0.5) is one_way
    assert rule.holds(*BOTH_NEUTRAL, 0.5) is both_neutral
    assert rule.holds(ENTAILS, CONTRADICTS, 0.5) is vetoed


SIMPLEX = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda uv: Relation(min(uv), max(uv) - min(uv), 1 - max(uv)))


@given(st.sampled_from(list(Rule)), SIMPLEX, SIMPLEX)
def test_rules_are_symmetric(rule: Rule, f: Relation, b: Relation) -> None:
    assert rule.holds(f, b, 0.5) is rule.holds(b, f, 0.5)


async def test_texts_of_one_meaning_share_a_cluster() -> None:
    found = await clustered(Meanings(), ["red fox", "blue fox", "red hen", "blue hen", "green fox"])
    assert found.assignment == [0, 1, 0, 1, 2]


async def test_equal_texts_cost_nothing() -> None:
    model = Meanings()
    found = await clustered(model, ["Red fox.", "red **fox**", "the red fox"], answer="red fox")
    assert found.assignment == [0, 0, 0, 0]
    assert model.asked == []
    assert found.contradictions == [0, 0, 0]


async def test_both_directions_are_one_pair_whichever_text_comes_first() -> None:
    one, other = gists("red fox", "blue ox")
    model = Scripted({("red fox", "blue ox"): ENTAILS})
    comparer = Comparer(model, "")
    assert await comparer.compare(one, other) == await comparer.compare(other, one)
    assert model.asked == [Pair("", "blue ox", "red fox")]
    assert comparer.pairs == 1


async def test_the_first_match_wins_against_the_first_member() -> None:
    # The third text equals the second but not the first, and is lexically nearer to the first.
    a, b, c = "red old fox", "some beast", "red old cat"
    model = Scripted({(b, c): ENTAILS, (c, b): ENTAILS})
    found = await clustered(model, [a, b, c])
    assert found.assignment == [0, 1, 1]
    assert [{pair.a, pair.b} for pair in model.asked] == [{a, b}, {a, c}, {b, c}]


async def test_the_answer_represents_its_cluster() -> None:
    # The probes are equal to each other, but only the first is equal to the answer.
    a, one, two = "answer given here", "some probe", "further sample"
    model = Scripted({pair: ENTAILS for x, y in ((a, one), (one, two)) for pair in ((x, y), (y, x))})
    assert (await clustered(model, [one, two])).assignment == [0, 0]
    assert (await clustered(model, [one, two], answer=a)).assignment == [0, 0, 1]


async def test_no_pair_is_asked_twice() -> None:
    model = Meanings()
    comparer = Comparer(model, "")
    probes = gists("red fox", "blue fox", "red hen", "green ox")
    for n in range(len(probes) + 1):
        await cluster(comparer, probes[:n], gist("red cat"))
    assert len(model.asked) == len({frozenset(pair) for pair in model.asked}) == comparer.pairs


MEANINGS = st.lists(st.sampled_from(["red", "blue", "green"]), min_size=1, max_size=6)


@given(MEANINGS, st.booleans())
async def test_clusters_are_the_meanings_and_prefixes_are_stable(meanings: list[str], answered: bool) -> None:
    texts = [f"{meaning} animal{'abcdef'[i]}" for i, meaning in enumerate(meanings)]
    model = Meanings(neutral=["green"])
    comparer = Comparer(model, "")
    answer = gist("red answer") if answered else None
    final = await cluster(comparer, gists(*texts), answer)
    labels = ["red", *meanings] if answered else meanings
    order = list(dict.fromkeys(labels))
    assert final.assignment == [order.index(label) for label in labels]
    for n in range(len(texts)):
        part = await cluster(comparer, gists(*texts[:n]), answer)
        size = len(part.assignment)
        assert part.assignment == final.assignment[:size]
        assert part.contradictions == final.contradictions[:n]
        if answered:
            np.testing.assert_array_equal(part.similarity, final.similarity[:size, :size])


async def test_fragments_and_sentences_are_asked_with_their_question() -> None:
    model = Scripted({})
    comparer = Comparer(model, "Which animal is it?")
    await comparer.compare(gist("fox"), gist("hen"))
    assert model.asked == [Pair("Which animal is it?", "fox", "hen")]
    long = gist("It is certainly the old red fox."), gist("That must have been a small hen.")
    model.asked.clear()
    await comparer.compare(*long)
    assert sorted(model.asked[0]) == sorted(("Which animal is it?", long[0].claim, long[1].claim))


async def test_of_a_long_question_the_end_is_kept() -> None:
    model = Scripted({})
    comparer = Comparer(model, " ".join(f"w{i}" for i in range(100)))
    await comparer.compare(gist("fox"), gist("hen"))
    assert model.asked[0].context.split() == [f"w{i}" for i in range(76, 100)]


async def test_a_long_answer_agrees_with_what_it_entails_later() -> None:
    answer = gist("It is an old animal. It is a red fox.")
    probe = gist("a vixen, red")
    model = Scripted({(answer.support, probe.claim): ENTAILS})
    assert (await cluster(Comparer(model, ""), [probe], answer)).assignment == [0, 0]
    vetoed = Scripted({(answer.support, probe.claim): ENTAILS, (answer.claim, probe.claim): CONTRADICTS})
    assert (await cluster(Comparer(vetoed, ""), [probe], answer)).assignment == [0, 1]


async def test_the_longer_answer_is_read_as_the_premise_even_where_the_probe_is_longer_still() -> None:
    answer = gist("An old animal. A red fox.")
    probe = gist("it is surely a vixen with a coat as red as the evening sun, no less")
    assert len(probe.claim) > len(answer.support)
    model = Scripted({(answer.support, probe.claim): ENTAILS})
    assert (await cluster(Comparer(model, ""), [probe], answer)).assignment == [0, 0]
    other_way = Scripted({(probe.claim, answer.support): ENTAILS})
    assert (await cluster(Comparer(other_way, ""), [probe], answer)).assignment == [0, 1]


async def test_a_settled_difference_counts_as_a_contradiction() -> None:
    found = await clustered(Meanings(), ["It was built in 1937."], answer="It was built in 1936.")
    assert found.contradictions == [1.0]
    assert found.similarity[0, 1] == 0.0
