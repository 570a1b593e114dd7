"""Stream a routed answer with the `openai` package, and say so when a shown one is taken back.

python examples/openai_client.py "What is the capital of Australia?" --url http://127.0.0.1:8080/v1    # key: $KEY
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import Any

from openai import OpenAI

from streamroute.client import AnswerView


def show(chunks: Iterable[Any], write: Callable[[str], object]) -> AnswerView:
    """Write an answer as it comes. What was written cannot be unwritten on a terminal: a line tells that it is void."""
    view = AnswerView()
    for chunk in chunks:
        void = len(view.superseded)
        write(view.take(chunk))
        for withdrawn in view.superseded[void:]:
            if withdrawn.how == "retracted":
                write(f"\n[the above is withdrawn: {withdrawn.reason}]\n")
    return view


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask a streamroute gateway, and watch the answer.")
    parser.add_argument("question")
    parser.add_argument("--url", default="http://127.0.0.1:8080/v1")
    parser.add_argument("--model", default="streamroute")
    args = parser.parse_args()
    with OpenAI(base_url=args.url, api_key=os.environ.get("KEY", "none")) as client:
        chunks = client.chat.completions.create(
            model=args.model,
            messages=[{"role": "user", "content": args.question}],
            stream=True,
            extra_body={"streamroute": {"release": "retract"}},
        )
        view = show(chunks, lambda text: print(text, end="", flush=True))
    print(f"\n[{view.tier}: {view.decision}, {view.reason}]")


if __name__ == "__main__":
    main()
