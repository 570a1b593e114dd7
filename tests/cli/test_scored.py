import io
from dataclasses import replace

import numpy as np
from rich.console import Console

from streamroute.cli.scored import picture
from streamroute.evaluation.scoring import Scored

SCORED = Scored(
    question="Who?",
    answered=True,
    texts=("Ann", "Bob", "It is\nAnn."),
    assignment=(0, 1, 0),
    score=0.4321,
    measures={"discrete-se": 0.69, "eigv-jaccard": 1.5, "num-sets": 2.0, "kle": None},
    entailment=np.array([[1.0, 0.014, 0.9], [0.0, 1.0, 0.0], [0.8, 0.0, 1.0]]),
    contradiction=np.array([[0.0, 0.9, 0.0], [0.9, 0.0, 0.9], [0.0, 0.9, 0.0]]),
    nli_pairs=3,
    seconds=0.25,
)


def shown(scored: Scored, *, width: int = 80, colour: bool = False) -> str:
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=False,
    )
    console.print(picture(scored, width=width))
    return file.getvalue()


def words(scored: Scored, *, width: int = 80) -> list[list[str]]:
    return [line.split() for line in shown(scored, width=width).splitlines()]


def test_texts_stand_by_cluster_with_their_numbers() -> None:
    lines = words(SCORED)
    texts = [["0", "0", "Ann", "(the", "answer)"], ["0", "2", "It", "is", "Ann."], ["1", "1", "Bob"]]
    start = lines.index(texts[0])
    assert lines[start : start + 3] == texts


def test_each_cluster_has_a_colour() -> None:
    lines = [line for line in shown(SCORED, colour=True).splitlines() if "Ann" in line or "Bob" in line]
    assert ["\x1b[32m" in line for line in lines] == [True, True, False]
    assert ["\x1b[35m" in line for line in lines] == [False, False, True]


def test_measures_stand_by_family_with_their_sign_and_without_what_is_unknown() -> None:
    lines = words(SCORED)
    meanings = lines.index(["meanings", "of", "the", "samples", "(higher:", "less", "certain)"])
    assert lines[meanings + 1 : meanings + 3] == [["discrete-se", "0.690"], ["num-sets", "2.000"]]
    assert lines[meanings + 3] == ["graph", "of", "the", "samples", "(higher:", "less", "certain)"]
    assert not any("kle" in line or "kernel" in line for line in lines)


def test_a_matrix_is_rounded_and_says_which_way_it_reads() -> None:
    lines = words(SCORED)
    at = lines.index(["entailment", "(row:", "premise,", "column:", "hypothesis)"])
    assert lines[at + 1 : at + 3] == [["0", "1", "2"], ["0", "1.00", "0.01", "0.90"]]
    assert ["contradiction", "(row:", "premise,", "column:", "hypothesis)"] in lines


def test_a_matrix_that_does_not_fit_is_not_squeezed() -> None:
    wide = replace(SCORED, texts=("a",) * 40, assignment=(0,) * 40, entailment=np.eye(40), contradiction=None)
    assert "entailment: 40 columns do not fit here; --json has them" in shown(wide)


def test_what_a_terminal_would_obey_is_shown_as_such() -> None:
    evil = replace(SCORED, question="[red]\x1b[2J", texts=("\ud800", "", "\u202eb"))
    text = shown(evil)
    assert "[red]�[2J" in text
    assert "\x1b" not in text
    assert "(empty)" in text
    text.encode()


def test_nothing_at_all_is_a_picture_too() -> None:
    nothing = replace(
        SCORED, answered=False, texts=(), assignment=(), entailment=np.eye(0), contradiction=None, measures={}
    )
    assert "0 texts, 0 clusters" in shown(nothing)
