"""Render to Sequencer: files, index and strip; what is finished is never rendered again."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from portrait_files import read_pixels

pytestmark = pytest.mark.shared_worker


def _render(folder: Path) -> None:
    bpy.ops.photorig.render_to_sequencer(directory=f"{folder}/")


def _rendered(log: Path) -> list[int]:
    """Frames the worker has rendered, and forget them."""
    frames = sorted(int(line) for line in log.read_text().split())
    log.write_text("")
    return frames


def _strips(scene: bpy.types.Scene, modules: SimpleNamespace) -> list:
    return list(modules.compat.strips_of(scene.sequence_editor))


def strip_frames(strip: bpy.types.Strip) -> int:
    """How many frames a strip covers (``frame_final_duration`` goes away in 6.0)."""
    return int(strip.duration if hasattr(strip, "duration") else strip.frame_final_duration)


def test_it_writes_the_frames_and_adds_one_strip(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    _render(folder)
    names = [f"frame_{frame:04d}.png" for frame in range(1, 5)]
    assert sorted(path.name for path in folder.glob("*.png")) == names
    (strip,) = _strips(shot, modules)
    assert [element.filename for element in strip.elements] == names
    assert modules.compat.strip_content_start(strip) == 1
    assert strip_frames(strip) == 4


def test_its_pixels_are_those_of_the_engine(shot: bpy.types.Scene, tmp_path: Path) -> None:
    shot.render.filepath = str(tmp_path / "anim_")
    bpy.ops.render.render(animation=True)
    _render(tmp_path / "frames")
    for frame in range(1, 5):
        engine = read_pixels(tmp_path / f"anim_{frame:04d}.png")
        sequence = read_pixels(tmp_path / "frames" / f"frame_{frame:04d}.png")
        np.testing.assert_array_equal(engine, sequence)


def test_f12_still_renders_the_face_after_the_strip_was_added(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    _render(tmp_path / "frames")
    _rendered(card_worker)
    shot.frame_set(2)
    bpy.ops.render.render()
    assert _rendered(card_worker) == [2]


def test_a_sequencer_without_a_scene_shows_the_strip(shot: bpy.types.Scene, tmp_path: Path) -> None:
    """Since 5.0 each workspace has a scene of its own for its sequencer, at first none."""
    workspaces = [each for each in bpy.data.workspaces if hasattr(each, "sequencer_scene")]
    if not workspaces:
        pytest.skip("this Blender's sequencers show the window's scene")
    elsewhere = bpy.data.scenes.new("Elsewhere")
    for each in workspaces:
        each.sequencer_scene = None
    workspaces[-1].sequencer_scene = elsewhere
    _render(tmp_path / "frames")
    assert {each.sequencer_scene for each in workspaces[:-1]} == {shot}
    assert workspaces[-1].sequencer_scene == elsewhere


def test_finished_frames_are_not_rendered_again(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    _render(tmp_path)
    assert _rendered(card_worker) == [1, 2, 3, 4]
    _render(tmp_path)
    assert _rendered(card_worker) == []


def test_only_frames_whose_parameters_changed_are_rendered_again(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    _render(tmp_path)
    _rendered(card_worker)
    settings = shot.camera.data.photorig
    settings.keyframe_insert("mouthSmileLeft", frame=3)
    settings.mouthSmileLeft = 1.0
    settings.keyframe_insert("mouthSmileLeft", frame=4)
    _render(tmp_path)
    assert _rendered(card_worker) == [4]


def test_a_missing_or_truncated_file_is_rendered_again(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    _render(tmp_path)
    _rendered(card_worker)
    (tmp_path / "frame_0002.png").unlink()
    (tmp_path / "frame_0003.png").write_bytes(b"half")
    _render(tmp_path)
    assert _rendered(card_worker) == [2, 3]


def test_another_size_or_mode_is_another_picture(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    shot.frame_end = 1
    _render(tmp_path)
    shot.camera.data.photorig.size = "512"
    _render(tmp_path)
    shot.camera.data.photorig.mode = "ABSOLUTE"
    _render(tmp_path)
    assert _rendered(card_worker) == [1, 1, 1]


def test_a_damaged_index_costs_nothing(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    _render(tmp_path)
    _rendered(card_worker)
    journal = tmp_path / "photorig_frames.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + b"{]\n" + lines[2] + lines[3][:20])
    cut_short = tmp_path / json.loads(lines[3])["file"]
    _render(tmp_path)
    assert _rendered(card_worker) == []  # each picture says itself which request it answers
    cut_short.unlink()
    _render(tmp_path)
    assert _rendered(card_worker) == [int(cut_short.stem[-4:])]


def _start_with_a_worker_that_will_be_killed(
    shot: bpy.types.Scene, modules: SimpleNamespace
) -> subprocess.Popen:
    """Eight different frames of half a second, and a worker with two seconds to live."""
    os.environ["PHOTORIG_TEST_DELAY"] = "0.5"
    shot.camera.data.photorig.keyframe_insert("headPitch", frame=1)
    shot.camera.data.photorig.headPitch = 20
    shot.camera.data.photorig.keyframe_insert("headPitch", frame=8)
    shot.frame_end = 8
    bpy.ops.photorig.start_worker()
    pid = modules.link.link.connection.pid
    return subprocess.Popen(["sh", "-c", f"sleep 2; kill -{int(signal.SIGKILL)} {pid}"])


@pytest.mark.own_worker
def test_a_killed_worker_is_started_again_and_no_frame_is_lost_or_doubled(
    shot: bpy.types.Scene, card_worker: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    killer = _start_with_a_worker_that_will_be_killed(shot, modules)
    _render(tmp_path)
    assert killer.wait() == 0
    assert modules.sequence_job.slot.current.restarts == 1
    assert len(list(tmp_path.glob("frame_*.png"))) == 8
    # Those that the worker had begun when it died are rendered a second time, and no others.
    rendered = _rendered(card_worker)
    assert set(rendered) == set(range(1, 9))
    assert len(rendered) <= 8 + 1
    journal = (tmp_path / "photorig_frames.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["file"] for line in journal) == [
        f"frame_{frame:04d}.png" for frame in range(1, 9)
    ]


@pytest.mark.own_worker
def test_a_worker_that_is_stopped_on_purpose_stays_stopped_and_the_next_run_continues(
    shot: bpy.types.Scene,
    addon: object,
    card_worker: Path,
    modules: SimpleNamespace,
    tmp_path: Path,
) -> None:
    killer = _start_with_a_worker_that_will_be_killed(shot, modules)
    preferences = bpy.context.preferences.addons[addon.__name__].preferences
    preferences.auto_start = False
    with pytest.raises(RuntimeError):
        _render(tmp_path)
    preferences.auto_start = True
    killer.wait()
    finished = {int(path.stem[-4:]) for path in tmp_path.glob("frame_*.png")}
    assert 0 < len(finished) < 8
    _rendered(card_worker)
    os.environ["PHOTORIG_TEST_DELAY"] = "0"
    _render(tmp_path)
    assert set(_rendered(card_worker)) == set(range(1, 9)) - finished
    assert len(list(tmp_path.glob("frame_*.png"))) == 8
    assert not list(tmp_path.glob(".*.part"))


def test_the_strip_is_refreshed_in_place(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    _render(tmp_path)
    (strip,) = _strips(shot, modules)
    strip.channel, strip.blend_alpha = 5, 0.5
    shot.frame_start, shot.frame_end = 2, 7
    _render(tmp_path)
    (strip,) = _strips(shot, modules)
    assert (strip.channel, strip.blend_alpha) == (5, 0.5)
    assert len(strip.elements) == 6
    assert strip.elements[0].filename == "frame_0002.png"
    assert modules.compat.strip_content_start(strip) == 2
    shot.frame_end = 3
    _render(tmp_path)
    (strip,) = _strips(shot, modules)
    assert len(strip.elements) == strip_frames(strip) == 2


def test_a_held_pose_is_rendered_once(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    shot.frame_end = 7
    _render(tmp_path)
    assert _rendered(card_worker) == [1, 2, 3, 4]
    held = [(tmp_path / f"frame_{frame:04d}.png").read_bytes() for frame in range(4, 8)]
    assert all(picture == held[0] for picture in held)


def test_a_frame_step_holds_each_picture(
    shot: bpy.types.Scene, card_worker: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.frame_step = 2
    _render(tmp_path)
    assert _rendered(card_worker) == [1, 3]
    (strip,) = _strips(shot, modules)
    shown = [element.filename for element in strip.elements]
    assert shown == ["frame_0001.png"] * 2 + ["frame_0003.png"] * 2


def test_the_present_frame_is_kept(shot: bpy.types.Scene, tmp_path: Path) -> None:
    shot.frame_set(3)
    _render(tmp_path)
    assert shot.frame_current == 3


def test_frames_go_where_the_output_path_says_under_its_names(
    shot: bpy.types.Scene, tmp_path: Path
) -> None:
    shot.render.filepath = str(tmp_path / "out" / "shot_######_a")
    bpy.ops.photorig.render_to_sequencer()
    assert (tmp_path / "out" / "shot_000001_a.png").exists()
    shot.render.filepath = f"{tmp_path / 'folder'}/"
    bpy.ops.photorig.render_to_sequencer()
    assert (tmp_path / "folder" / "frame_0001.png").exists()


def test_an_output_beside_an_unsaved_file_is_refused(shot: bpy.types.Scene) -> None:
    shot.render.filepath = "//frames/"
    with pytest.raises(RuntimeError, match="Save it first"):
        bpy.ops.photorig.render_to_sequencer()


def test_a_full_disk_is_a_sentence_and_loses_nothing(
    shot: bpy.types.Scene,
    card_worker: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replace = Path.replace
    written: list[str] = []

    def full_after_two(path: Path, target: Path) -> Path:
        if Path(target).name.startswith("frame_"):
            if len(written) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written.append(Path(target).name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full_after_two)
    with pytest.raises(RuntimeError, match=r"disk .* is full"):
        _render(tmp_path)
    monkeypatch.undo()
    finished = sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".png")
    assert len(finished) == 2
    assert not list(tmp_path.glob(".*.part"))
    _rendered(card_worker)
    _render(tmp_path)
    assert len(_rendered(card_worker)) == 2


def test_frames_carry_their_provenance(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    _render(tmp_path)
    content = (tmp_path / "frame_0001.png").read_bytes()
    found = modules.provenance.read_provenance(content)
    assert found.digital_source_type == modules.provenance.DIGITAL_SOURCE_TYPE


@pytest.mark.own_worker
def test_opening_another_file_ends_the_job_and_keeps_its_frames(
    shot: bpy.types.Scene, card_worker: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.photorig.start_worker()
    plan = modules.sequence_job.plan_sequence(bpy.context, shot, tmp_path)
    job = modules.sequence_job.start(plan)
    while job.finished == 0 and not job.is_done:
        job.tick()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert job.is_done
    assert list(tmp_path.glob("frame_*.png"))
