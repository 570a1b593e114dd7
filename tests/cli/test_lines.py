import asyncio
import os
from pathlib import Path

import pytest

from streamroute.cli.lines import LineReader


async def all_lines(fd: int) -> list[str]:
    reader, lines = LineReader(fd), []
    while (line := await reader.line()) is not None:
        lines.append(line)
    return lines


async def test_a_pipe_s_lines_come_one_by_one_even_when_written_at_once() -> None:
    read, write = os.pipe()
    os.write(write, "eins\r\nzwei\n\nöde ohne Ende".encode())
    os.close(write)
    try:
        assert await all_lines(read) == ["eins", "zwei", "", "öde ohne Ende"]
    finally:
        os.close(read)


async def test_a_regular_file_can_be_read_too(tmp_path: Path) -> None:
    path = tmp_path / "script.txt"
    path.write_text("one\ntwo\n")
    with path.open("rb") as file:
        assert await all_lines(file.fileno()) == ["one", "two"]


async def test_waiting_for_a_line_can_be_cancelled() -> None:
    read, write = os.pipe()
    try:
        waiting = asyncio.ensure_future(LineReader(read).line())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    finally:
        os.close(read)
        os.close(write)
