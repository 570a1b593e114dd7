import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.structure import Calls, Code, Json, Kind, Structural, structural, structured

ADD = '```python\ndef add(a, b):\n    """Adds."""\n    return a + b  # sum\n```'
PLUS = "Here it is:\n\n```py\ndef add(x, y):\n    return (x + y)\n```\nThat is all."
MINUS = "```python\ndef add(a, b):\n    return a - b\n```"
DATA = '{"city": "Paris", "year": 1889}'
CALL = '[{"name": "weather", "arguments": "{\\"city\\": \\"Paris\\"}"}]'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (DATA, Json),
        (f"```json\n{DATA}\n```", Json),
        (f"```\n{DATA}\n```", Json),
        (f"Sure:\n```json\n{DATA}\n```\nDone.", Json),
        (CALL, Calls),
        (ADD, Code),
        (PLUS, Code),
        ("import os\nprint(os.name)", Code),
        ("```js\nf(1)\n```", Code),
    ],
)
def test_knows_data_calls_and_code(text: str, kind: type) -> None:
    assert isinstance(structured(text), kind)


@pytest.mark.parametrize(
    "text",
    [
        "", "Paris", "x = 5", "```\n42\n```", "```text\nx = 1\n```", "```json\n{bad\n```", "{bad}", "[Paris](link)",
        "[1] says so", "In short, one may use the following, which is old and slow, and so on.\n```js\nf(1)\n```", "3",
        "[" + "1," * 60_000 + "1]", "```", "``````",
    ],
)  # fmt: skip
def test_words_have_no_structure(text: str) -> None:
    assert structured(text) is None


def test_equal_code_is_equivalent_and_other_code_is_not() -> None:
    assert structural(ADD, PLUS) == Structural(Kind.CODE, True, 1.0)
    found = structural(ADD, MINUS)
    assert found is not None
    assert found.equivalent is False
    assert 0.5 < found.agreement < 1


def test_data_is_compared_by_leaves_and_calls_by_name_and_leaves() -> None:
    assert structural(DATA, f"```json\n{DATA.replace('1889', '1889.0')}\n```") == Structural(Kind.JSON, True, 1.0)
    assert structural(DATA, DATA.replace("1889", "1890")) == Structural(Kind.JSON, False, 0.5)
    worded = structural(DATA, DATA.replace("Paris", "Lutetia"))
    assert worded == Structural(Kind.JSON, None, 0.5, (("Paris", "Lutetia"),))
    assert structural(CALL, CALL.replace("weather", "news")) == Structural(Kind.CALLS, False, 0.0)


def test_prose_may_say_what_data_says_but_calls_nothing() -> None:
    assert structural(DATA, "Paris, in 1889") == Structural(Kind.JSON, None, 0.0, ((DATA, "Paris, in 1889"),))
    assert structural("Paris", CALL) == Structural(Kind.CALLS, False, 0.0)
    assert structural(DATA, CALL) == Structural(Kind.CALLS, False, 0.0)
    assert structural("Paris", "Rome") is None


TEXTS = st.sampled_from(
    [ADD, PLUS, MINUS, DATA, CALL, "Paris", "", "{}", "[]", '["b", "a"]', '["a", "b"]', "```js\nf(1)\n```"]
)


@given(TEXTS, TEXTS)
def test_equal_keys_are_equivalence_and_sides_do_not_matter(a: str, b: str) -> None:
    found, back = structural(a, b), structural(b, a)
    left, right = structured(a), structured(b)
    if found is None or back is None:
        assert (found, back, left, right) == (None, None, None, None)
        return
    assert (found.kind, found.equivalent, found.agreement) == (back.kind, back.equivalent, back.agreement)
    alike = left is not None and right is not None and (left.kind, left.key) == (right.kind, right.key)
    assert alike == (found.equivalent is True) == (found.agreement == 1)
