"""What must be true after a schedule, whatever happened in it."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
from card_server import SIZE, card, portrait_bytes
from client_program import FRAMES
from PIL import Image

from photorig.shared.files.frame_index import INDEX_NAME, FrameIndex, picture_key
from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.portraits.portrait import Portrait

_PATIENCE_SECONDS = 10.0


def check_folder(folder: Path) -> list[str]:
    """Problems with the frames: lost, half, damaged, wrong, doubled, and files that are strange."""
    frames, problems = folder / "frames", []
    portrait = Portrait.from_bytes(portrait_bytes(1)).id
    index = FrameIndex(frames)
    names = {INDEX_NAME}
    for frame in FRAMES:
        request = FrameRequest(portrait, FACE_SCHEMA.vector({"headYaw": frame}), SIZE, frame=frame)
        path = frames / f"frame_{frame:04d}.png"
        names.add(path.name)
        if not index.is_finished(frame, picture_key(request, "card")):
            problems.append(f"frame {frame} is {'half' if path.exists() else 'lost'}")
            continue
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
        except Exception as error:  # whatever a decoder says of a damaged file
            problems.append(f"frame {frame} is damaged: {error}")
            continue
        if not np.array_equal(pixels, card(portrait, request.parameters, SIZE)):
            problems.append(f"frame {frame} is another one")
    stored = Counter((folder / "ledger").read_text().split())
    problems += [f"frame {one} was stored {n} times" for one, n in stored.items() if n > 1]
    strange = {path.name for path in frames.iterdir()} - names
    problems += [f"{name} is left among the frames" for name in sorted(strange)]
    return problems


def leftovers(folder: Path) -> list[str]:
    """Processes, temporary files and connection files that should have gone."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := _left(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _left(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(folder) in word for word in process.cmdline()):
                found.append(f"a process is left: {process.cmdline()[2:4]}")
    found += [f"{path.name} is left in the temporary folder" for path in (folder / "tmp").iterdir()]
    found += [f"{path.name} is left" for path in (folder / "run").iterdir()]
    return found
