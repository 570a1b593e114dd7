import textwrap

import pytest

from streamroute.uncertainty.pycode import binds, canonical, parsed


def form(source: str) -> str:
    tree = parsed(textwrap.dedent(source))
    assert tree is not None
    made = canonical(tree)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("def f(a, b):\n    return a + b", "def f(x,y): return (x+y)  # sum"),
        ('"""M."""\ndef f():\n    """Doc."""\n    return "x"', "def f():\n  return 'x'"),
        ("def f():\n    '''Only words.'''", "def f(): pass"),
        ("def f(a):\n  for i in a:\n    t = i\n  return t", "def f(b):\n  for k in b:\n    s = k\n  return s"),
        ("def f(a): return [x for x in a]", "def f(z): return [y for y in z]"),
        ("f = lambda a, *b, **c: a", "f = lambda p, *q, **r: p"),
        ("def f(a):\n def g(b): return a + b\n return g", "def f(x):\n def g(y): return x + y\n return g"),
        (
            "def f(p):\n try:\n  pass\n except E as e:\n  raise e\n match p:\n  case [a, *r]:\n   return a, r",
            "def f(q):\n try:\n  pass\n except E as x:\n  raise x\n match q:\n  case [b, *s]:\n   return b, s",
        ),
        (
            "async def f(a):\n n = 0\n def g():\n  nonlocal n\n  n = a",
            "async def f(b):\n m = 0\n def g():\n  nonlocal m\n  m = b",
        ),
        ("class A:\n def m(self, k): return k", "class A:\n def m(this, v): return v"),
    ],
)
def test_layout_comments_docstrings_and_local_names_do_not_count(a: str, b: str) -> None:
    assert form(a) == form(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("def f(a, b): return a - b", "def f(a, b): return b - a"),
        ("def f(a): return a", "def g(a): return a"),
        ("x = 1", "y = 1"),
        ("def f(x, y=x): return x", "def f(z, y=x): return y"),
        ("def f(a, y=x): return a", "def f(a, y=z): return a"),
        ("def f(x, y=x): return y", "def f(z, y=z): return y"),
        ("def f(a): return a\nf(a=1)", "def f(b): return b\nf(b=1)"),
        ("def f(a): return locals()", "def f(b): return locals()"),
        ("def f():\n global n\n n = 1", "def f():\n global m\n m = 1"),
        ("def f():\n g = lambda len: len\n return len(x)", "def f():\n g = lambda sum: sum\n return sum(x)"),
        ("def f():\n import os\n return os", "def f():\n import sys\n return sys"),
        ("class A:\n n = 1", "class A:\n m = 1"),
        ("class A:\n def m(self): return self.x", "class A:\n def m(self): return self.y"),
        ("def f(s):\n if any((y := t) for t in s): return y", "def f(s):\n if any((z := t) for t in s): return y"),
        ("def f():\n return 'x'", "def f():\n return 'y'"),
    ],
)
def test_what_a_program_does_counts(a: str, b: str) -> None:
    assert form(a) != form(b)


@pytest.mark.parametrize(
    "source", ["def f(): pass", "class A: pass", "import os", "from a import b", "a = 1\nprint(a)"]
)
def test_what_defines_imports_or_assigns_is_a_program(source: str) -> None:
    tree = parsed(source)
    assert tree is not None
    assert binds(tree)


@pytest.mark.parametrize("source", ["Paris", "x = 5", "3 + 4", "", "not true", "yes, no"])
def test_words_that_happen_to_parse_are_none(source: str) -> None:
    tree = parsed(source)
    assert tree is not None
    assert not binds(tree)


@pytest.mark.parametrize(
    "source",
    ["(" * 10_000, "x = 1\0", "x = '\ud800'", "x = " + "9" * 5_000, "x = 1\n" * 10_000, "def", "\\", "f'{" * 5_000],
)
def test_what_cannot_be_read_is_no_source(source: str) -> None:
    assert parsed(source) is None


@pytest.mark.parametrize(
    "source",
    [
        "-" * 19_000 + "1", "a" + ".b" * 9_000, "1" + "+1" * 9_000, "lambda:" * 2_500 + "1", "2**" * 6_000 + "1",
        "if x: y\n" + "elif x: y\n" * 1_900, "f(**" * 4_000, "[x for x in " * 1_500, "with (" * 3_000,
        "f" + "()" * 9_000, "x = [" + "[" * 80 + "]" * 80 + "]",
    ],
)  # fmt: skip
def test_deep_source_is_read_or_refused_but_never_fails(source: str) -> None:
    tree = parsed(source)  # how deep is too deep is the interpreter's to say
    assert tree is None or canonical(tree) is None or binds(tree) in (True, False)


def test_odd_escapes_and_long_integers_are_read_in_silence() -> None:
    assert form(r"x = '\d'") == r"x = '\\d'"
    tree = parsed("x = 0x" + "f" * 8_000)
    assert tree is not None
    assert canonical(tree) is None
