from __future__ import annotations

import pytest

from streamroute.errors import ConfigError
from streamroute.evaluation.simulation.outcome import Billing


def test_a_ratio_prices_in_generated_tokens_of_the_cheap_tier() -> None:
    cheap, large = Billing.of_ratio(15, prompt=0.25).prices
    assert (cheap.of(4, 10), large.of(4, 10)) == (11, 165)


@pytest.mark.parametrize(("ratio", "prompt"), [(0, 0.25), (-1, 0.25), (float("nan"), 0.25), (15, -0.1)])
def test_prices_that_cannot_be_are_refused(ratio: float, prompt: float) -> None:
    with pytest.raises(ConfigError, match="prices must be positive"):
        Billing.of_ratio(ratio, prompt=prompt)
