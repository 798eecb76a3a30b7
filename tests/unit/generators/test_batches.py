"""Several pictures at once: only where no byte changes, and fewer where memory ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from photorig.shared.errors import ModelError
from photorig.worker.generators.batches import Batches

LATENTS = np.arange(10, dtype=np.float32).reshape(10, 1, 1)


class Device:
    """Makes a picture of one pixel of each number, as many at once as it has memory for."""

    def __init__(self, memory: int = 99, rounds_in_batches: bool = False) -> None:
        self.memory, self.rounds_in_batches = memory, rounds_in_batches
        self.calls: list[int] = []

    def make(self, which: slice) -> np.ndarray:
        latents = LATENTS[which]
        self.calls.append(len(latents))
        if len(latents) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        images = latents.reshape(-1, 1, 1, 1).repeat(3, axis=3).astype(np.uint8)
        return images + (self.rounds_in_batches and len(latents) > 1)


def made(device: Device, batches: Batches) -> np.ndarray:
    return batches.run(256, len(LATENTS), device.make)[:, 0, 0, 0]


def test_batches_are_used_once_they_are_proven() -> None:
    device, batches = Device(), Batches("cuda", largest=4)
    np.testing.assert_array_equal(made(device, batches), np.arange(10))
    assert device.calls == [4, 1, 1, 1, 1, 4, 1, 1]
    device.calls.clear()
    made(device, batches)
    assert device.calls == [4, 4, 1, 1]


def test_a_device_that_rounds_otherwise_in_batches_makes_one_by_one() -> None:
    device, batches = Device(rounds_in_batches=True), Batches("cuda", largest=4)
    for _ in range(2):
        np.testing.assert_array_equal(made(device, batches), np.arange(10))
    assert device.calls.count(4) == 1


def test_out_of_memory_makes_smaller_batches() -> None:
    device, batches = Device(memory=2), Batches("cuda", largest=8)
    np.testing.assert_array_equal(made(device, batches), np.arange(10))
    assert device.calls[:3] == [8, 4, 2]
    device.calls.clear()
    made(device, batches)
    assert device.calls == [2] * 5


class Memory:
    """A device with so many bytes free, on which a picture takes 300."""

    def __init__(self, free: int) -> None:
        self._free = free

    def watched(self, make: Callable[[], Any]) -> tuple[Any, int]:
        return make(), 300

    def free(self) -> int:
        return self._free


@pytest.mark.parametrize(("free", "at_once"), [(800, 2), (1600, 4), (99_000, 4), (100, 1)])
def test_memory_says_how_many_are_made_at_once(free: int, at_once: int) -> None:
    device, batches = Device(), Batches("cuda", largest=4, memory=Memory(free))
    np.testing.assert_array_equal(made(device, batches), np.arange(10))
    assert device.calls[:2] == [1, at_once], "the first one is made alone and watched"
    assert max(device.calls) == at_once


def test_no_memory_for_one_is_a_sentence() -> None:
    with pytest.raises(ModelError, match=r"not enough memory for one picture.*--device cpu"):
        made(Device(memory=0), Batches("cuda", largest=4))


def test_a_lost_device_is_a_sentence() -> None:
    def lost(which: slice) -> np.ndarray:
        raise RuntimeError("CUDA error: unspecified launch failure")

    with pytest.raises(ModelError, match="cuda was lost"):
        Batches("cuda").run(256, len(LATENTS), lost)


def test_other_errors_stay_what_they_are() -> None:
    def wrong(which: slice) -> np.ndarray:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Batches("cuda").run(256, len(LATENTS), wrong)


def test_a_processor_makes_one_by_one() -> None:
    device = Device()
    made(device, Batches("cpu"))
    assert device.calls == [1] * 10
