"""A frame that takes more memory than there is is refused before it takes any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.errors import InputError
from photorig.worker.compositing import memory
from photorig.worker.compositing.memory import available_bytes, check_memory, frame_bytes
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

from ..fakes import tiny_portrait


def photo_of(width: int, height: int, side: float) -> Portrait:
    """A portrait with a photo of that size, which takes no memory itself."""
    photo = np.broadcast_to(np.uint8(127), (height, width, 3))
    alignment = Alignment(np.array([[1 / side, 0, 0.5 - width / 2 / side], [0, 1 / side, 0]]))
    return replace(tiny_portrait(), photo=photo, alignment=alignment)


def test_the_face_in_a_bomb_of_one_colour_is_refused() -> None:
    with pytest.raises(InputError, match="too large for full size") as caught:
        check_memory(photo_of(9999, 9999, 9999))
    assert "1024" in caught.value.hint


def test_a_small_face_in_a_large_photo_takes_little() -> None:
    assert frame_bytes(photo_of(9999, 9999, 500)) < frame_bytes(photo_of(9999, 9999, 5000)) / 3


def test_what_is_needed_is_compared_with_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    portrait = photo_of(4000, 3000, 2000)
    assert 1 << 30 < frame_bytes(portrait) < 3 << 30
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 << 30)
    check_memory(portrait)
    monkeypatch.setattr(memory, "available_bytes", lambda: 1 << 30)
    with pytest.raises(InputError):
        check_memory(portrait)
    check_memory(tiny_portrait())


def test_a_containers_own_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "kept_memory", lambda: 0)
    free = available_bytes()
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("100\n")
    assert available_bytes() > free / 2
    (tmp_path / "memory.max").write_text("1100\n")
    assert available_bytes() == 1000


def test_what_this_process_has_freed_and_kept_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "kept_memory", lambda: 0)
    without = available_bytes()
    monkeypatch.setattr(memory, "kept_memory", lambda: 1 << 40)
    assert available_bytes() > without + (1 << 39)
