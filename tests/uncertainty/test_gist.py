import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.gist import MAX_CHARS, gist, gist_of_growing
from streamroute.uncertainty.sequential import Stance

CAPITAL = "What is the capital of Australia?"


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("Sure! Canberra is the capital.", "Canberra is the capital."),
        ("Great question. The capital is Canberra. It lies inland.", "The capital is Canberra."),
        ("Here is the answer: Canberra", "Canberra"),
        ("What is the capital of Australia? Canberra.", "Canberra."),
        ("Great Britain won the war.", "Great Britain won the war."),
        ("I have no live data. However, it was Canberra in 2021.", "However, it was Canberra in 2021."),
        ("Sure!", "Sure!"),
        ("", ""),
    ],
)
def test_the_claim_is_the_first_sentence_that_asserts_something(text: str, claim: str) -> None:
    assert gist(text, CAPITAL).claim == claim


def test_the_support_goes_on_behind_the_claim() -> None:
    found = gist("Sure! It is Canberra. It lies inland. It is small. It is green.", CAPITAL)
    assert found.support == "It is Canberra. It lies inland. It is small."


def test_a_cut_off_text_loses_its_unfinished_end_but_never_all() -> None:
    assert gist("Canberra. It was chosen bec", CAPITAL, truncated=True).support == "Canberra."
    assert gist("Canberra, which was chosen bec", CAPITAL, truncated=True).claim == "Canberra, which was chosen bec"


def test_the_last_number_of_a_cut_off_calculation_is_not_its_result() -> None:
    question = "Tom has 3 apples and buys 4 more. How many?"
    assert gist("First 3 + 1 = 4, and then", question, truncated=True).answer is None
    assert gist("First 3 + 1 = 4, and then 7", question).key == "number:7"


def test_working_that_has_not_reached_its_result_is_unsettled() -> None:
    question = "A rectangle is 7 cm wide and 12 cm long. What is its area?"
    assert gist("To find the area, multiply the sides. So 7 cm by", question, truncated=True).unsettled
    assert not gist("The area is eighty-four square centimetres.", question).unsettled
    assert not gist("Nobody knows the area of Atlantis.", "How large is Atlantis?").unsettled


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Canb",
        "Canberra is the",
        "Sure!",
        "I'm sorry, but I have no access to real-time information.",
        "I can't help with that.",
        '{"city":\n"Canberra",\n',
        "Here is the code:\n```python\nprint('It is Canberra.')\n",
    ],
)
def test_a_growing_answer_without_a_finished_claim_cannot_be_judged(text: str) -> None:
    assert gist_of_growing(text, CAPITAL) is None


def test_a_growing_answer_is_judged_by_its_first_finished_claim() -> None:
    found = gist_of_growing("Sure! Canberra is the capital. It was ch", CAPITAL)
    assert found is not None
    assert found.claim == found.support == "Canberra is the capital."


def test_growing_calculations_are_judged_by_their_marked_result_only() -> None:
    question = "What is 3 * 4 + 1?"
    assert gist_of_growing("First, 3 times 4 is twelve. Then", question) is None
    found = gist_of_growing(r"It is \boxed{13}. Check", question)
    assert found is not None
    assert found.key == "number:13"


def test_a_disclaimer_is_judged_once_the_answer_behind_it_is_finished() -> None:
    text = "I have no access to live data. However, it was Canberra in 2021. Ask"
    found = gist_of_growing(text, CAPITAL)
    assert found is not None
    assert found.stance is Stance.CLAIM


@given(st.text(max_size=80), st.text(max_size=40), st.booleans())
def test_every_text_has_a_gist(text: str, question: str, truncated: bool) -> None:
    assert (
        gist(text, question, truncated=truncated).claim.split()
        == gist(text, question, truncated=truncated).claim.split()
    )
    gist_of_growing(text, question)


def test_code_is_compared_by_its_canonical_form_and_never_refuses() -> None:
    found = gist("```python\ndef f(a):\n    raise E('Sorry, I do not know.')\n```")
    assert found.key == gist("Sure:\n```\ndef f(b): raise E('Sorry, I do not know.')\n```").key
    assert found.key.startswith("code:")
    assert found.stance is Stance.CLAIM


def test_a_text_too_long_to_be_read_whole_counts_as_cut_off() -> None:
    long = "Canberra. " + "It is inland. " * 10_000
    assert gist(long, CAPITAL) == gist(long[:MAX_CHARS], CAPITAL, truncated=True)
