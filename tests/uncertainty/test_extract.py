import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.extract import Form, extract, is_arithmetic, is_polar, number_of, numbers
from streamroute.uncertainty.leaves import json_leaves

SUM = "Tom has 3 apples and buys 4 more. How many apples has he?"
CHOICE = "Which is a city? A) Rome B) the Nile C) Etna"


@pytest.mark.parametrize(
    ("text", "question", "form", "value"),
    [
        (r"So \boxed{\frac{3}{4}}.", "", Form.NUMBER, "3/4"),
        (r"First \boxed{1}, then \boxed{2}", "", Form.NUMBER, "2"),
        (r"\boxed{x^{2}}", "", Form.TEXT, "x 2"),
        ("3 + 4 = 7\n#### 7", "", Form.NUMBER, "7"),
        ("The final answer is: $1,234.50.", "", Form.NUMBER, "2469/2"),
        ("The answer is 5 apples because 2 + 3 = 5.", "", Form.NUMBER, "5"),
        ("Answer: Canberra", "", Form.TEXT, "canberra"),
        ("The answer is **B**", CHOICE, Form.LETTER, "B"),
        ("A) Rome", CHOICE, Form.LETTER, "A"),
        ("It must be option C.", CHOICE, Form.LETTER, "C"),
        ("Yes, it does.", "Does it rain?", Form.POLARITY, "yes"),
        ("**No**. It never did.", "Did it?", Form.POLARITY, "no"),
        ("3 and 4 make 7 apples", SUM, Form.NUMBER, "7"),
        ("```python\nprint(3)\n```\nSo \\boxed{3}", "", Form.NUMBER, "3"),
        ("```python\nprint(3 + 4)\n```\nIt is 7.", SUM, Form.NUMBER, "7"),
        ("```sh\nls\n```", "Write code that lists 1 or 2 files, each.", Form.CODE, '["ls"]'),
        ("The answer is half.", "", Form.NUMBER, "1/2"),
        ("The answer is 3/4 cup", "", Form.NUMBER, "3/4"),
        ('[{"name": "f", "arguments": ""}]', "", Form.CALLS, '[["f", [["$", "{}"]]]]'),
        ('```json\n{"b": "X", "a": 1.0}\n```', "", Form.JSON, '[["$.a", "n:1"], ["$.b", "s:x"]]'),
    ],
)
def test_finds_the_final_answer(text: str, question: str, form: Form, value: str) -> None:
    found = extract(text, question)
    assert found is not None
    assert (found.form, found.value) == (form, value)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Canberra is the capital.", "What is the capital?"),
        ("No one knows.", "Is it known?"),
        ("A Roman city.", "Name a city."),
        ("Yes.", "What is it?"),
        ("It has 7 moons.", "How many moons has it?"),
        ("{not json}", ""),
        (r"\boxed{unclosed", ""),
        ("", ""),
    ],
)
def test_finds_nothing_where_nothing_is_marked(text: str, question: str) -> None:
    assert extract(text, question) is None


@pytest.mark.parametrize("text", ["The answer is 4", "The answer is 4.", "3 and 4 make 7", '{"a": 1}', "#### 12"])
def test_a_growing_text_is_not_cut_short(text: str) -> None:
    assert extract(text, SUM, finished=False) is None
    assert extract(text, SUM) is not None


def test_a_growing_text_gives_its_answer_once_it_goes_on() -> None:
    found = extract("The answer is 4. That is", SUM, finished=False)
    assert found is not None
    assert found.value == "4"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1,234", Fraction(1234)), ("$5", Fraction(5)), ("2/3", Fraction(2, 3)), ("-.5", Fraction(-1, 2)),
        ("50%", Fraction(50)), ("1/0", None), ("", None), ("x", None), ("9" * 100, None),
    ],
)  # fmt: skip
def test_a_number_is_its_exact_value(written: str, value: Fraction | None) -> None:
    assert number_of(written) == value


@given(st.fractions())
def test_fractions_read_back(value: Fraction) -> None:
    assert number_of(str(value)) == (value if len(str(value)) <= 60 else None)


def test_numbers_counts_words_and_the_parts_of_dates() -> None:
    assert numbers("On May 27, 1937 two men and the 3rd") == tuple(map(Fraction, (1937, 5, 27, 2, 3)))


@pytest.mark.parametrize(
    ("question", "polar"),
    [
        ("Is it so?", True),
        ("Tell me: did he win?", True),
        ("What is it?", False),
        ("True or false: it rains", True),
        ("", False),
        ("Is it so? Tell me", False),
        ("He asked: is it so ??", True),
    ],
)
def test_knows_a_polar_question(question: str, polar: bool) -> None:
    assert is_polar(question) is polar


@pytest.mark.parametrize(
    ("question", "arithmetic"),
    [
        (SUM, True),
        ("What is 3 * 4?", True),
        ("What is 144 divided by 9?", True),
        ("What is 13 squared?", True),
        ("What is the square root of 196?", True),
        ("A rug is 2 m wide and 3 m long. What is its area?", True),
        ("How many moons has Mars?", False),
        ("Which country won the World Cup in 2010?", False),
        ("Who was born in 1879 and died in 1955?", False),
        ("What is a square root?", False),
    ],
)
def test_knows_an_arithmetic_question(question: str, arithmetic: bool) -> None:
    assert is_arithmetic(question) is arithmetic


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("xy", min_size=1, max_size=2), JSON, min_size=1))
def test_json_is_compared_by_its_leaves_not_its_layout(value: dict[str, object]) -> None:
    compact = extract(json.dumps(value))
    pretty = extract(json.dumps(dict(reversed(value.items())), indent=3))
    assert compact is not None
    assert pretty is not None
    assert compact.value == pretty.value
    assert json_leaves(value)
