"""What `import streamroute` gives, and what it must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import streamroute

HEAVY = ("onnxruntime", "tokenizers", "aiohttp", "openai", "xllamacpp", "rich", "numpy")


def streamroute_stub() -> list[str]:
    tree = ast.parse((Path(streamroute.__path__[0]) / "__init__.pyi").read_text(encoding="utf-8"))
    (names,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    return list(ast.literal_eval(names))


def test_every_public_name_is_there() -> None:
    assert set(streamroute.__all__) == set(streamroute_stub())
    assert all(hasattr(streamroute, name) for name in streamroute.__all__)


def test_the_stub_that_type_checkers_read_names_what_it_exports() -> None:
    assert streamroute_stub() == sorted(
        set(streamroute_stub()), key=lambda name: (not name.isupper(), name[0].islower(), name)
    )


def test_the_import_is_light() -> None:
    probe = f"import streamroute, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True).stdout
    assert loaded.strip() == "[]"


def test_a_bundled_judge_tells_capitals_apart_and_ends_its_thread() -> None:
    import asyncio
    import threading

    async def main() -> None:
        before = threading.active_count()
        async with streamroute.bundled_judge() as judge:
            session = judge.session("What is the capital of Australia?")
            samples = [streamroute.Sample(f"The capital of Australia is {city}.") for city in ("Sydney", "Perth")]
            found = await session.evaluate(
                answer="The capital of Australia is Canberra.", answer_finished=True, samples=samples, expected=2
            )
            assert (found.samples, found.expected) == (2, 2)
            assert 0 <= found.low <= found.score <= found.high <= 1
        assert threading.active_count() <= before + 1, "only the loop's own helper thread may remain"

    asyncio.run(main())
