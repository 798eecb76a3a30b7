"""How much memory a frame of a whole photo takes, and whether it is there: before, not after.

A photo of one colour is a small file, whatever its size; the frame made of it is not.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from photorig.shared.errors import InputError
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.preparation import kept_memory

_BYTES_OF_REGION, _BYTES_OF_PHOTO = 160, 12
"""A pixel of the part in which a head moves, and of the photo; 121 and 8 were measured."""
_REGION = 2.2
"""Sides of the aligned square along that part, see stage.py."""
_USUAL = 512 << 20
"""What every worker has."""
MOST_BYTES = 12 << 30
_SHARE = 0.8
"""Of what is available."""
_CGROUP = Path("/sys/fs/cgroup")


def frame_bytes(portrait: Portrait) -> int:
    """About how much memory it takes to drive the face in the whole photo."""
    height, width = portrait.photo.shape[:2]
    reach = _REGION * portrait.alignment.side
    region = min(reach, width) * min(reach, height)
    return int(_BYTES_OF_REGION * region + _BYTES_OF_PHOTO * width * height)


def check_memory(portrait: Portrait) -> None:
    """Raise InputError where the whole photo takes more memory than there is."""
    needed = frame_bytes(portrait)
    if needed <= _USUAL:
        return
    most = min(MOST_BYTES, int(_SHARE * available_bytes()))
    if needed > most:
        raise InputError(
            f"The photo of {portrait.name!r} is too large for full size: a frame takes"
            f" {needed / 2**30:.1f} GB of memory, and {most / 2**30:.1f} GB can be used",
            "Render the face alone at 1024, or fit a smaller copy of the photo.",
        )


def frames_in_memory(portrait: Portrait) -> int:
    """How many frames of the whole photo there is memory for at once; one at least, of which
    `check_memory` tells."""
    most = min(MOST_BYTES, int(_SHARE * available_bytes()))
    return max(most // frame_bytes(portrait), 1)


def available_bytes() -> int:
    """Of memory, as far as this process may use it: what it has kept, too."""
    available = int(psutil.virtual_memory().available)
    # A container has a limit of its own, of which the system's own figures know nothing.
    with contextlib.suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        available = min(available, max(limit - used, 0))
    return available + kept_memory()
