"""The words of the field as frozen values: legs, deltas, samples, evidence, verdicts."""

from __future__ import annotations

import enum

from streamroute.core.values import value


@value
class Leg:
    """One request to one model: the answer of a tier, or one probe sample of it.

    `tier` is an index into the ordered tiers, 0 the cheapest. `probe` is None for the answer.
    """

    tier: int
    probe: int | None = None

    def __lt__(self, other: Leg) -> bool:
        """By tier, an answer before its probes."""
        return (self.tier, -1 if self.probe is None else self.probe) < (
            other.tier,
            -1 if other.probe is None else other.probe,
        )

    def __str__(self) -> str:
        return f"tier {self.tier}" if self.probe is None else f"tier {self.tier} probe {self.probe}"


CHARACTERS_PER_TOKEN = 4
"""The usual rule of thumb for English, for upstreams and records that do not count."""


@value
class Usage:
    """Tokens of one leg. `counted` is False when we estimated them because the upstream did not say."""

    prompt_tokens: int
    completion_tokens: int
    counted: bool = True


@value
class TokenLogprob:
    """Natural log-probability of one generated token, with the most likely alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@value
class Delta:
    """One step of a streamed answer.

    `index` tells the choices of one request apart. `tool_calls` is the raw JSON of the delta's tool-call array,
    passed on untouched. A delta without text, tool calls and refusal is never a first token.
    """

    text: str = ""
    index: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()
    tool_calls: bytes | None = None
    refusal: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None

    @property
    def has_content(self) -> bool:
        return bool(self.text or self.tool_calls or self.refusal)


@value
class Sample:
    """A finished probe. `mean_logprob` is the mean natural log-probability of its tokens, where known."""

    text: str
    finish_reason: str = "stop"
    mean_logprob: float | None = None


@value
class Confidence:
    """What its log-probabilities say of an answer so far: its first content token, and the mean and the least of the
    natural log-probabilities of all `tokens` of them."""

    first: TokenLogprob
    mean: float
    least: float
    tokens: int


@value(kw_only=True)
class Features:
    """What the score of an answer is made of (METHOD 2.2): each in [0, 1], higher is worse, None is not known.

    `disagreement` (x1) of the probes with the answer, `entropy` (x2) over meanings, `contradiction` (x3) between answer
    and probes, `snne` (x4), `lexical` diversity of the probes' words, `minority` (x7): another meaning is held by more,
    `refusal` (x8): the share of the probes that refuse or disclaim, `length` (x9) of the probes on a log scale, `doubt`
    (the larger of x5 and x6) of the answer's log-probabilities, `prior` (x10): what the prompt alone lets expect.
    `ignorant`: the answer says that it does not know. `identical`: all texts are spelled alike, which only lowers.
    """

    disagreement: float
    contradiction: float
    entropy: float
    snne: float
    lexical: float = 0.0
    refusal: float = 0.0
    length: float = 0.0
    minority: bool = False
    ignorant: bool = False
    identical: bool = False
    doubt: float | None = None
    prior: float | None = None


@value(kw_only=True)
class Evidence:
    """What the judge knows after some of the probes. Higher `score` and entropies mean less certain.

    `low <= score <= high` are the values that `score` can still reach whatever the `expected - samples` probes to come
    will say. They are (0, 1) where nothing is certified. `entropy` is the discrete semantic entropy in nats of the
    texts judged so far, `entropy_mean` its posterior mean (Dirichlet process), comparable across sample counts.
    `assignment[i]` is the cluster of the i-th sample, `sizes[c]` the number of texts in cluster c. `features` are those
    that `score` was made of.
    """

    samples: int
    expected: int
    score: float
    low: float = 0.0
    high: float = 1.0
    entropy: float = 0.0
    entropy_mean: float = 0.0
    sizes: tuple[int, ...] = ()
    assignment: tuple[int, ...] = ()
    answer_cluster: int | None = None
    agreement: float | None = None
    refusals: int = 0
    nli_pairs: int = 0
    seconds: float = 0.0
    note: str = ""
    features: Features | None = None

    @property
    def answer_judged(self) -> bool:
        return self.answer_cluster is not None


class Decision(enum.StrEnum):
    UNDECIDED = "undecided"
    ACCEPT = "accept"
    ESCALATE = "escalate"


@value
class Verdict:
    """A decision and the machine-readable reason for it. `to` is the tier to escalate to; None means the next one.
    With `append` a shown answer is not withdrawn but followed by the larger one, whatever the release mode."""

    decision: Decision
    reason: str = ""
    to: int | None = None
    append: bool = False

    @property
    def decided(self) -> bool:
        return self is not UNDECIDED and self.decision is not Decision.UNDECIDED


UNDECIDED = Verdict(Decision.UNDECIDED)


class Release(enum.StrEnum):
    """What the reader may see of an answer before the verdict on it, and what happens to it on escalation.

    `HOLD` shows nothing. The next three show it at once: on escalation it is withdrawn, or followed by the larger
    model's answer, or continued by the larger model where that can be done, and withdrawn where not. `AUTO` holds or
    shows by what the evidence lets expect.
    """

    HOLD = "hold"
    RETRACT = "retract"
    APPEND = "append"
    CONTINUE = "continue"
    AUTO = "auto"
