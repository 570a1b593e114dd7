import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.refusals import stance
from streamroute.uncertainty.sequential import Stance


@pytest.mark.parametrize(
    "text",
    [
        "I can't help with that.",
        "I\u2019m sorry, but I can\u2019t assist with that request.",
        "I cannot fulfill this request.",
        "I'm sorry, I cannot provide instructions for that, as it is illegal.",
        "I must decline. It would violate my guidelines.",
        "I cannot engage in that conversation. Is there something else I can help you with?",
    ],
)
def test_a_policy_refusal(text: str) -> None:
    assert stance(text) is Stance.POLICY


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I do not have access to real-time information.",
        "I'm sorry, I cannot answer that question without more context.",
        "As an AI language model, I don't have information about him. Please provide more details.",
        "The exact date is unknown.",
        "I'm not sure.",
        "Your question is unclear. Could you please clarify?",
    ],
)
def test_ignorance(text: str) -> None:
    assert stance(text) is Stance.IGNORANCE


@pytest.mark.parametrize(
    "text",
    [
        "Canberra is the capital.",
        "I'm not sure, but I think it is Paris.",
        "As an AI, I do not have real-time data. As of 2021, the owner was Dai Yongge.",
        "As an AI language model, I don't have access to live data. However, the third season came out in 2017.",
        "It is not known who wrote it, but Homer is credited.",
        "No, it is illegal to drive on the left in France.",
        "She was unable to walk.",
        "He refused to comply with the order.",
        "",
    ],
)
def test_an_answer_with_or_without_a_disclaimer(text: str) -> None:
    assert stance(text) is Stance.CLAIM


@given(st.text())
def test_every_text_has_a_stance(text: str) -> None:
    assert stance(text) in Stance
