import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.uncertainty.code import Block, canonical_code, code_similarity, fenced, is_program, is_source


def test_a_text_is_taken_apart_at_its_fences() -> None:
    found = fenced("See:\n```Python\nx = 1\n```\nand ```y``` or\n```\nz")
    assert found.blocks == (Block("python", "x = 1"), Block("", "y"), Block("", "z"))
    assert found.prose.split() == ["See:", "and", "or"]
    assert fenced("no fence") == ((), "no fence")


@given(st.text("`ab \n", max_size=60))
def test_every_text_is_prose_and_blocks(text: str) -> None:
    found = fenced(text)
    assert sum(len(block.body) for block in found.blocks) <= len(text)
    assert found.blocks or found.prose == text


@pytest.mark.parametrize(
    ("body", "language", "program"),
    [
        ("anything", "rust", True),
        ("x = 1", "text", False),
        ("42", "", False),
        ("Paris is the capital", "", False),
        ("import os", "", True),
        ("const a = 1;\nf(a);", "", True),
        ("", "python", False),
    ],
)
def test_a_fence_may_hold_a_program_or_words(body: str, language: str, program: bool) -> None:
    assert is_program(body, language) is program


def test_prose_is_no_source() -> None:
    assert not is_source("The capital is Canberra.")
    assert is_source("import os\nprint(os.name)")


@pytest.mark.parametrize(
    ("a", "b", "language"),
    [
        ("f(a); // call", "f( a ) ;\n/* done */", "js"),
        ("select a from t -- all", "SELECT a\nFROM t", "sql"),
        ("ls  # list", "ls", "bash"),
        ("<p>x</p><!-- y -->", "<p>x</p>", "html"),
        ("def f(a): return a", "def f(b):\n  return b", "python"),
        ("def f(a): return a", "def f(b):\n  return b", ""),
        ("print 'a' # old", "print   'a'", "python"),
        ("a: 1\n\nb: 2 # two", "a: 1\nb: 2", "yaml"),
    ],
)
def test_layout_and_comments_do_not_count(a: str, b: str, language: str) -> None:
    assert canonical_code(a, language) == canonical_code(b, language)


@pytest.mark.parametrize(
    ("a", "b", "language"),
    [
        ('f("// a")', 'f("// b")', "js"),
        ('f("a b")', 'f("ab")', "js"),
        ("a - 1", "a + 1", "c"),
        ("a:\n  b: 1\nc: 2", "a:\n  b: 1\n  c: 2", "yaml"),
        ("select 'A'", "select 'a'", "sql"),
        ("# a", "# b", "c"),
    ],
)
def test_what_code_says_counts(a: str, b: str, language: str) -> None:
    assert canonical_code(a, language) != canonical_code(b, language)


def test_the_fewer_tokens_change_the_more_alike_two_codes_are() -> None:
    one = canonical_code("def f(a):\n  return a + 1", "python")
    near = canonical_code("def f(a):\n  return a + 2", "python")
    far = canonical_code("class Walrus: pass", "python")
    assert code_similarity(one, one) == 1
    assert 0 <= code_similarity(one, far) < code_similarity(one, near) < 1


@pytest.mark.parametrize(
    "unit", ['"', "'", "`", "/*", "<!--", "//", "\\", "#", "a ", "\0", "\ud800", "é(", '\\\\"', "*/", "-"]
)
@pytest.mark.parametrize("language", ["js", "sql", "bash"])
def test_what_is_not_closed_runs_to_its_end(unit: str, language: str) -> None:
    # Were anything tried twice, this would not end.
    assert len(canonical_code(unit * (20_000 // len(unit)), language)) <= 20_001
