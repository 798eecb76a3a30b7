"""A hundred frames through a killed Blender, a full disk and a killed worker."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from mishaps import disk_of, render_and_kill, resize
from portrait_files import read_pixels
from renders import still

N_FRAMES = 100
FRAME_KILOBYTES = 200
AHEAD = 16
"""Frames that may be lost with a worker or a Blender: rendered, but not stored yet."""


def stored(folder: Path) -> set[int]:
    return {int(path.stem[-4:]) for path in folder.glob("frame_*.png")}


@pytest.mark.own_worker
def test_a_hundred_frames_survive_all_of_it_and_none_is_lost_or_doubled(
    shot: bpy.types.Scene,
    addon: object,
    modules: SimpleNamespace,
    card_worker: Path,
    card_worker_program: Path,
    tmp_path: Path,
) -> None:
    shot.frame_end = N_FRAMES
    settings = shot.camera.data.photorig
    for frame, roll in ((1, -20.0), (N_FRAMES, 20.0)):
        settings.headRoll = roll
        settings.keyframe_insert("headRoll", frame=frame)
    blend = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    with disk_of(60 * FRAME_KILOBYTES, tmp_path / "disk") as folder:
        log = tmp_path / "blender.log"
        render_and_kill(addon.__name__, card_worker_program, blend, folder, 25, log, 0.03)
        after_kill = stored(folder)
        assert 25 <= len(after_kill) < 60, log.read_text()

        with pytest.raises(RuntimeError, match=r"disk .* is full"):
            bpy.ops.photorig.render_to_sequencer(directory=f"{folder}/")
        after_full_disk = stored(folder)
        assert after_kill <= after_full_disk
        assert 50 <= len(after_full_disk) < 70

        resize(folder, 150 * FRAME_KILOBYTES)
        _render_with_a_worker_that_is_killed(modules, shot, folder)
        assert stored(folder) == set(range(1, N_FRAMES + 1))
        _check_that_nothing_is_doubled(modules, shot, folder, card_worker)
        shot.frame_set(61)
        expected = still(shot, tmp_path / "f12.png")
        np.testing.assert_array_equal(read_pixels(folder / "frame_0061.png"), expected)


def _render_with_a_worker_that_is_killed(
    modules: SimpleNamespace, shot: bpy.types.Scene, folder: Path
) -> None:
    bpy.ops.photorig.stop_worker()
    os.environ["PHOTORIG_TEST_DELAY"] = "0.03"
    plan = modules.sequence_job.plan_sequence(bpy.context, shot, folder)
    job = modules.sequence_job.start(plan)
    found = len(stored(folder))
    was_killed = False
    while not job.is_done:
        job.tick()
        time.sleep(0.005)
        if not was_killed and len(stored(folder)) > found + 10:
            os.kill(modules.link.link.connection.pid, signal.SIGKILL)
            was_killed = True
    assert (job.error, job.restarts, was_killed) == ("", 1, True)


def _check_that_nothing_is_doubled(
    modules: SimpleNamespace, shot: bpy.types.Scene, folder: Path, log: Path
) -> None:
    rendered = Counter(int(line) for line in log.read_text().split())
    again = sum(count - 1 for count in rendered.values())
    print(f"{again} pictures were made twice")
    assert set(rendered) == set(range(1, N_FRAMES + 1))
    assert again <= 3 * AHEAD, "what was under way at each of the three mishaps"
    journal = [json.loads(line) for line in (folder / "photorig_frames.jsonl").open()]
    assert len({line["file"] for line in journal}) == N_FRAMES
    (strip,) = modules.compat.strips_of(shot.sequence_editor)
    names = [element.filename for element in strip.elements]
    assert names == [f"frame_{frame:04d}.png" for frame in range(1, N_FRAMES + 1)]
