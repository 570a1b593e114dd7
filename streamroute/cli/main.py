"""The `streamroute` command: only its arguments are read here; a command's module is loaded when it is asked for."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import get_args

from streamroute.config.settings import Policy
from streamroute.core.types import Release
from streamroute.errors import StreamrouteError

__all__ = ("build_parser", "main")

USAGE_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 something is wrong (one line on stderr says what), 130
    interrupted."""
    args = build_parser().parse_args(argv)
    try:
        code: int = import_module(f"streamroute.cli.{args.command}").run(args)
        sys.stdout.flush()
    except StreamrouteError as error:
        print(f"streamroute {args.command}: {_one_line(error)}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="streamroute",
        description="Streams a small model at once, judges it while it streams, switches to a larger one when unsure.",
    )
    parser.add_argument("--version", action=_Version, help="print the version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    ask = commands.add_parser("ask", help="ask one question and watch the route decide")
    ask.add_argument("question", metavar="QUESTION")
    ask.add_argument("--json", action="store_true", help="print one JSON object with the whole trace instead")
    _route_options(ask)

    chat = commands.add_parser("chat", help="a conversation; /quit ends it")
    _route_options(chat)

    serve = commands.add_parser("serve", help="serve an OpenAI-compatible gateway")
    serve.add_argument("config", nargs="?", metavar="CONFIG.toml", help="without one: the embedded local models")
    serve.add_argument("--host", help="address to listen on, instead of the configuration's")
    serve.add_argument("--port", type=_port, help="port to listen on, instead of the configuration's")
    serve.add_argument(
        "--workers", type=_count, metavar="N", help="processes on that port; more than one: a ledger_file"
    )

    _usage(commands)

    check = commands.add_parser("check", help="check a configuration without serving it")
    check.add_argument("config", nargs="?", metavar="CONFIG.toml", help="without one: the embedded local models")
    check.add_argument("--reach", action="store_true", help="also ask each server whether it is there")

    _keys(commands)

    models = commands.add_parser("models", help="list, fetch and verify model files")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="what is known and what is here")
    for action, words in (("pull", "fetch what is missing"), ("verify", "hash the files again")):
        sub = actions.add_parser(action, help=words)
        sub.add_argument("names", nargs="*", metavar="NAME", help="without one: the embedded tiers' models")

    demo = commands.add_parser(
        "demo", help="answer a set of questions and compare with always-cheap, -large and random"
    )
    demo.add_argument("--questions", metavar="FILE", help="JSON lines of your own questions instead of the demo's")
    demo.add_argument("--limit", type=_count, metavar="N", help="only the first N questions")
    demo.add_argument("--fresh", action="store_true", help="measure the two baselines again instead of reusing them")
    demo.add_argument("--threshold", type=_probability, metavar="X", help="escalate above this uncertainty (0 to 1)")
    demo.add_argument("--no-color", action="store_true")

    _record(commands)

    evaluation = commands.add_parser("eval", help="measure the judge on labelled data of yours")
    suites = evaluation.add_subparsers(dest="suite", required=True, metavar="SUITE")
    for suite, words, row in (
        ("nli", "entailment, neutral or contradiction?", '{"premise", "hypothesis", "label"}'),
        ("pairs", "do two answers to one question say the same?", '{"question", "a", "b", "equivalent"}'),
    ):
        _judge_options(suites.add_parser(suite, help=words, description=f"{words.capitalize()} Rows: {row}"))
    routing = suites.add_parser(
        "routing",
        help="when is the cheap answer wrong, and what does escalating by that buy?",
        description='Rows: {"id", "question", "cheap": {"answer", "correct", "samples"}, '
        '"large": {"answer", "correct"}}, "large" only where it was asked',
    )
    _judge_options(routing)
    routing.add_argument("--samples", type=_count_or_none, metavar="K", help="only the first K samples of each row")
    routing.add_argument("--folds", type=_folds, default=5, metavar="N", help="parts for what is fitted to labels")

    score = commands.add_parser(
        "score",
        help="clusters, every measure and all pairs of answers of yours",
        description='Rows: {"question", "answer", "samples": [...]}, one JSON object or one a line.',
    )
    score.add_argument("file", nargs="?", metavar="FILE", help="JSON, plain, .gz or .xz; - is the standard input")
    score.add_argument("--question", metavar="Q", help="what the answers answer, instead of a FILE")
    score.add_argument("--answer", metavar="A", help="the answer that was shown, if any")
    score.add_argument("--sample", action="append", default=[], metavar="S", help="another answer; once for each")
    score.add_argument("--json", action="store_true", help="print one JSON object a row instead of tables")
    score.add_argument(
        "--rule",
        choices=("strict", "probability", "no-contradiction", "either"),
        default="probability",
        help="when two answers mean the same",
    )
    score.add_argument("--theta", type=_theta, default=0.5, metavar="T", help="entailment that the rule asks for")
    score.add_argument("--no-matrix", dest="matrix", action="store_false", help="without what needs all pairs compared")
    _model_options(score)

    _calibrate(commands)
    _replay(commands)
    return parser


def _usage(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "usage",
        help="what a gateway's ledger says was used and spent",
        description="Tokens as `counted+~estimated`. `superseded` and `probes` are what was spent beside the answers"
        " that stand; a cost with a question mark has a part of which it is not known how the upstream bills it.",
    )
    parser.add_argument("ledger", nargs="?", metavar="LEDGER", help="the file that `ledger_file` under [server] names")
    parser.add_argument("--config", metavar="FILE", help="the configuration that names it, instead")
    parser.add_argument("--by", choices=("key", "route", "model", "day"), help="a line for each; one for all without")
    parser.add_argument("--since", metavar="DATE", help="only from this UTC day on: 2026-11-24, or 2026-11-24T09:30")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--export", metavar="FILE", help="write every request to a .csv or .parquet file (extra: parquet)"
    )
    parser.add_argument("--legs", action="store_true", help="every leg of the requests instead")


def _keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    keys = commands.add_parser("keys", help="make keys for the clients of a gateway")
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="print a new key (on standard error) and the [[key]] table with its hash")
    new.add_argument("name", metavar="NAME", help="what the ledger and the log call the client", type=_name)
    new.add_argument("--route", action="append", metavar="R", help="a route or tier it may ask for; all without one")
    new.add_argument("--requests-per-minute", type=_count, metavar="N")
    new.add_argument("--day", type=_amount, metavar="MONEY", help="what it may spend in a day")
    new.add_argument("--month", type=_amount, metavar="MONEY", help="what it may spend in a month")
    new.add_argument("--board", action="store_true", help="it may read the metrics, the board and every decision")
    actions.add_parser("hash", help="read a key of your own from standard input and print its hash")


def _record(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    record = commands.add_parser(
        "record",
        help="write down what a route's models say to your questions, for eval, calibrate and replay",
        description='Questions: {"id", "question", "gold": [...], "kind": "free", "number", "yesno" or "choice"}; '
        "without gold answers rows have no label. An interrupted recording goes on where it ended.",
    )
    record.add_argument("questions", metavar="QUESTIONS.jsonl")
    record.add_argument("-o", "--output", required=True, metavar="FILE", help="JSON lines that rows are appended to")
    record.add_argument("--samples", type=_count, default=10, metavar="K", help="of the cheap model, for each question")
    record.add_argument("--limit", type=_count, metavar="N", help="only the first N questions")
    record.add_argument("--kinds", type=_kinds, metavar="KIND,..", help="only questions of these kinds")
    record.add_argument("--max-tokens", type=_count, metavar="N", help="of an answer; the tiers' own limits without it")
    record.add_argument("--no-logprobs", dest="logprobs", action="store_false", help="for servers that refuse them")
    record.add_argument(
        "--verify",
        type=_count_or_none,
        default=0,
        metavar="K",
        help="ask the cheap model so often if its answer is true",
    )
    record.add_argument(
        "--labels", metavar="FILE", help='JSON lines {"id", "cheap": true, "large": false}, which go before any grade'
    )
    _tier_options(record)


def _calibrate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "calibrate",
        help="a threshold from labelled records, and what can be promised of it",
        description='Rows: {"id", "score", "features", "wrong", ...}, or {"id", "question", "cheap", "large"} with '
        "answers and samples, which are judged first.",
    )
    parser.add_argument("records", metavar="RECORDS", help="JSON lines, plain, .gz or .xz; - is the standard input")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.toml", help="the artefact, for `calibration`")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--target-rate", type=_probability, metavar="B", help="the share to escalate")
    target.add_argument("--budget", type=_amount, metavar="MONEY", help="what escalations may cost a request")
    target.add_argument("--max-error", type=_theta, metavar="A", help="the share of wrong answers among those kept")
    target.add_argument("--gain-price", type=_number, metavar="X", help="escalate above this gain in right answers")
    parser.add_argument(
        "--confidence", type=_theta, default=0.9, metavar="C", help="of --max-error; default: %(default)s"
    )
    parser.add_argument("--marginal", action="store_true", help="--max-error of all requests, on average")
    parser.add_argument("--regret", action="store_true", help="--max-error of answers that the larger model gets right")
    parser.add_argument("--require-certificate", action="store_true", help="without one: write nothing, exit with 1")
    parser.add_argument(
        "--score", choices=("fitted", "judge"), default="fitted", help="fit the score, or take it as is"
    )
    parser.add_argument("--labels", metavar="FILE", help='rows {"id", "correct"}: what was said of the answers')
    parser.add_argument(
        "--agreement", action="store_true", help="an answer without a label is right if the large agrees"
    )
    parser.add_argument("--save-records", metavar="FILE", help="write the judged records, for other targets")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the splits")
    parser.add_argument("--config", metavar="FILE", help="the configuration that the artefact is for")
    parser.add_argument("--route", metavar="NAME", help="a route of it; the first without it")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


class _Version(argparse.Action):
    """Looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"streamroute {metadata.version('streamroute')}")
        parser.exit()


def _route_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--release",
        choices=("hold", "retract", "append", "continue", "auto"),
        help="what may be seen before the verdict",
    )
    parser.add_argument("--probes", type=_count, metavar="N", help="samples that the small model is judged by")
    parser.add_argument("--threshold", type=_probability, metavar="X", help="escalate above this uncertainty (0 to 1)")
    _tier_options(parser)


def _tier_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", help="a gateway configuration; without it the embedded local models"
    )
    parser.add_argument("--route", metavar="NAME", help="a route of the configuration; the first without it")
    parser.add_argument("--no-color", action="store_true")


def _replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "replay",
        help="what other settings would have done with recorded routes",
        description="Drives the decision core over routes whose every leg is recorded, in virtual time. Rows:"
        ' {"id", "question", "cheap": {"answer", "samples", "correct", "timing"}, "large": {"answer", ...}}, or lines'
        " of `ask --json`. Timings are stated where the rows have none.",
    )
    parser.add_argument("file", metavar="FILE", help="JSON lines, plain, .gz or .xz")
    parser.add_argument(
        "--policy",
        choices=(*get_args(Policy), "always-cheap", "always-large", "sequential"),
        default="threshold",
        help="with the defaults of a configuration; sequential: the whole cheap answer first, then probes, judge and "
        "large model",
    )
    parser.add_argument("--release", choices=tuple(map(str, Release)), default="hold")
    parser.add_argument(
        "--threshold", type=_probability, metavar="X", help="escalate above this score (.5, or the calibration's)"
    )
    parser.add_argument(
        "--calibration", metavar="ARTEFACT.toml", help="score and threshold of `calibrate`; judged to the last probe"
    )
    parser.add_argument(
        "--sweep", type=_count, nargs="?", const=20, metavar="N", help="thresholds from 0 to 1 in N steps (20)"
    )
    parser.add_argument("--compare", action="store_true", help="all systems side by side")
    parser.add_argument("--probes", type=_count, default=5, metavar="N", help="samples to judge by (5)")
    parser.add_argument("--wave", type=_count, metavar="N", help="so many probes at once; all without it")
    parser.add_argument(
        "--skip-confident", type=_theta, metavar="X", help="no probes where the first token was so probable"
    )
    parser.add_argument("--hedge-after", type=_seconds, metavar="S", help="start the large model beside the cheap one")
    parser.add_argument(
        "--annoyance", type=_seconds, default=9.0, metavar="S", help="auto: a retraction, in seconds (9)"
    )
    parser.add_argument(
        "--deadline", type=_seconds, default=2.5, metavar="S", help="keep if undecided then; inf: never"
    )
    parser.add_argument("--timings", metavar="FILE.toml", help="[cheap], [large], [probes]: first, rate; [judge]")
    parser.add_argument("--price-ratio", type=_positive, default=15.0, metavar="R", help="large to cheap, a token (15)")
    parser.add_argument("--prompt-price", type=_seconds, default=0.25, metavar="P", help="of a generated token's (.25)")
    parser.add_argument("--probes-together", action="store_true", help="probes of one request share its prompt")
    parser.add_argument("--bill-cancelled", action="store_true", help="cancelled legs are billed to their end")
    parser.add_argument("--judged", metavar="FILE", help="keeps what the judge said, and asks only what is not there")
    parser.add_argument("--limit", type=_count, metavar="N", help="only the first N rows")
    parser.add_argument("--csv", metavar="OUT.csv", help="write every figure of every point")
    parser.add_argument("--plot", metavar="OUT.png", help="draw cost, quality and waiting (extra: plot)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    _model_options(parser)


def _judge_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="JSON lines, plain, .gz or .xz; - is the standard input")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--limit", type=_count, metavar="N", help="only the first N rows")
    _model_options(parser)


def _model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help="a model of the manifest; its default one without it")
    parser.add_argument("--manifest", metavar="FILE", help="a manifest of judges; the bundled one without it")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, not {text!r}")
    return int(text)


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*", text):  # `config.tables.Name`
        raise argparse.ArgumentTypeError(f"a name is of letters, digits and ._:/@+-, not {text!r}")
    return text


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _kinds(text: str) -> tuple[str, ...]:
    known = ("free", "number", "yesno", "choice")  # `grading.Kind`, whose module this does not load
    kinds = tuple(text.split(","))
    for kind in kinds:
        if kind not in known:
            raise argparse.ArgumentTypeError(f"no kind of question is called {kind!r}; there is {', '.join(known)}")
    return kinds


def _folds(text: str) -> int:
    if _count(text) < 2:
        raise argparse.ArgumentTypeError("expected at least 2 folds: one is fitted to, another is measured on")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"expected a port between 0 and 65535, not {text!r}")
    return int(text)


def _float(text: str) -> float:
    """Not a number where the text is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _probability(text: str) -> float:
    value = _float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, not {text!r}")
    return value


def _seconds(text: str) -> float:
    """Not negative; infinite is allowed."""
    value = _float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, not {text!r}")
    return value


def _positive(text: str) -> float:
    value = _seconds(text)
    if value == 0 or value == float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text!r}")
    return value


def _number(text: str) -> float:
    value = _float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, not {text!r}")
    return value


def _amount(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected an amount of at least 0, not {text!r}")
    return value


def _theta(text: str) -> float:
    value = _probability(text)
    if value in (0, 1):
        raise argparse.ArgumentTypeError(f"expected a number above 0 and below 1, not {text!r}")
    return value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
