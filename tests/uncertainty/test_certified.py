"""Certified decisions through the public functions of the score (METHOD 3.2). `benchmarks.certified` runs many more."""

from benchmarks.certified import count


def test_a_certified_decision_never_differs_from_that_after_all_probes() -> None:
    found = count(400, seed=3)
    assert found["early"] > 30  # or nothing was tested
    assert found["differing"] == 0
