"""A folder that several computers fill with frames, killed at any moment: nothing lost or doubled.

The nodes are processes of this computer that write as ``photorig farm render`` does, and are ended
by SIGKILL. What a node says it has made is its ledger.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from photorig.shared.files.frame_index import FrameIndex

FRAMES = 40
NODE = """
import struct, sys, time, zlib
from pathlib import Path
from photorig.shared.files.frame_index import FrameIndex

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

def picture(frame):
    rows = b"".join(b"\\0" + bytes([frame, row, 7] * 64) for row in range(64))
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\\x89PNG\\r\\n\\x1a\\n" + parts

index = FrameIndex(Path(sys.argv[1]), many_write=True)
print("ready", flush=True)
for frame in map(int, sys.argv[2].split(",")):
    key = f"{frame:064x}"
    if not index.is_finished(frame, key):
        time.sleep(0.004)
        index.store(frame, key, picture(frame))
        print(frame, flush=True)
"""


def node(folder: Path, frames: list[int]) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", NODE, str(folder), ",".join(map(str, frames))]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def said(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    with process.stdout:
        lines = process.stdout.read().split("\n")
    process.wait()
    return [int(line) for line in lines[:-1] if line]  # the last one may be cut


@pytest.mark.parametrize("seed", range(3))
def test_two_nodes_that_are_killed_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    halves = list(range(0, FRAMES, 2)), list(range(1, FRAMES, 2))
    ledger: list[int] = []
    killed = [node(tmp_path, frames) for frames in halves]
    time.sleep(chance.uniform(0.01, 0.12))
    for process in killed:
        process.kill()
        ledger += said(process)
    # Their chunks are given to others, of other sizes, while the folder is what they have left.
    rest = list(range(FRAMES))
    middle = chance.randrange(5, FRAMES - 5)
    after = [node(tmp_path, rest[:middle]), node(tmp_path, rest[middle:])]
    ledger += [frame for process in after for frame in said(process)]
    assert all(process.returncode == 0 for process in after)
    index = FrameIndex(tmp_path, many_write=True)
    assert all(index.is_finished(frame, f"{frame:064x}") for frame in range(FRAMES))
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == [f"frame_{frame:04d}.png" for frame in range(FRAMES)]
    # A frame that a node had told of was never made again; one in its hands may have been.
    assert len(ledger) == len(set(ledger))
