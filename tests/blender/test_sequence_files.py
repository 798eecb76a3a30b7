"""Render to Sequencer in the scene's file format, and what it does while it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from fake_layout import FakeLayout
from mishaps import disk_of, render_and_kill, resize
from portrait_files import read_pixels

pytestmark = pytest.mark.shared_worker


def _set_format(scene: bpy.types.Scene, name: str, mode: str, depth: str = "8") -> None:
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode = name, mode
    if settings.color_depth != depth:
        settings.color_depth = depth


def _values(path: Path) -> np.ndarray:
    """(h, w, 4) float32 as Blender reads a file, without any conversion of colours."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1]


@pytest.mark.parametrize(
    ("name", "mode", "depth", "suffix", "tolerance"),
    [
        ("PNG", "RGB", "16", ".png", 2e-5),
        ("PNG", "RGBA", "8", ".png", 0),
        ("TIFF", "RGB", "8", ".tif", 0),
        ("TIFF", "RGB", "16", ".tif", 2e-5),
        ("OPEN_EXR", "RGBA", "16", ".exr", 1e-3),
        ("OPEN_EXR", "RGB", "32", ".exr", 1e-6),
        ("WEBP", "RGB", "8", ".webp", None),
        ("JPEG", "RGB", "8", ".jpg", None),
    ],
)
def test_files_are_those_of_render_animation_in_every_format(
    shot: bpy.types.Scene,
    tmp_path: Path,
    name: str,
    mode: str,
    depth: str,
    suffix: str,
    tolerance: float | None,
) -> None:
    shot.frame_end = 1
    _set_format(shot, name, mode, depth)
    shot.render.filepath = str(tmp_path / "engine_")
    bpy.ops.render.render(animation=True)
    shot.render.filepath = str(tmp_path / "sequence_")
    bpy.ops.photorig.render_to_sequencer()
    engine = _values(tmp_path / f"engine_0001{suffix}")
    sequence = _values(tmp_path / f"sequence_0001{suffix}")
    assert engine.shape == sequence.shape
    if tolerance is None:  # each program loses something else of noise, which has most to lose
        assert np.abs(engine - sequence).mean() < 0.05
    else:
        assert np.abs(engine - sequence).max() <= tolerance + 1e-7


def test_a_transparent_sequence_carries_the_matte(shot: bpy.types.Scene, tmp_path: Path) -> None:
    shot.frame_end = 1
    _set_format(shot, "PNG", "RGBA")
    shot.render.film_transparent = True
    shot.render.filepath = str(tmp_path / "cut_")
    bpy.ops.photorig.render_to_sequencer()
    alpha = _values(tmp_path / "cut_0001.png")[..., 3]
    expected = (np.linspace(0, 255, 256).round() / 255).astype(np.float32)
    np.testing.assert_allclose(alpha, np.tile(expected, (256, 1)), atol=1e-6)


def test_another_format_is_another_picture(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    shot.frame_end = 1
    shot.render.filepath = str(tmp_path / "shot_")
    bpy.ops.photorig.render_to_sequencer()
    _set_format(shot, "PNG", "RGB", "16")
    bpy.ops.photorig.render_to_sequencer()
    assert card_worker.read_text().split() == ["1", "1"]
    assert _values(tmp_path / "shot_0001.png").shape == (256, 256, 4)


def test_a_format_that_cannot_be_written_is_named(shot: bpy.types.Scene, tmp_path: Path) -> None:
    _set_format(shot, "DPX", "RGB")
    shot.render.filepath = str(tmp_path / "shot_")
    with pytest.raises(RuntimeError, match=r"cannot write DPX files.*Choose PNG"):
        bpy.ops.photorig.render_to_sequencer()
    assert not list(tmp_path.glob("*.dpx"))


@pytest.mark.own_worker
def test_an_older_worker_writes_what_it_can_and_says_what_it_cannot(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.ops.photorig.start_worker()
    link = modules.link.link
    link.wait_until_ready(lambda: False)
    older = replace(link.welcome, version=(1, 1), codecs=("raw", "png"), passes=())
    monkeypatch.setattr(link, "welcome", older)
    monkeypatch.setattr(link, "gives_passes", False)
    shot.frame_end = 1
    folder = f"{tmp_path / 'frames'}/"
    bpy.ops.photorig.render_to_sequencer(directory=folder)
    assert (tmp_path / "frames" / "frame_0001.png").exists()
    _set_format(shot, "JPEG", "RGB")
    with pytest.raises(RuntimeError, match=r"cannot write JPEG files.*Update the worker"):
        bpy.ops.photorig.render_to_sequencer(directory=folder)
    _set_format(shot, "PNG", "RGBA")
    shot.render.film_transparent = True
    with pytest.raises(RuntimeError, match=r"cannot cut the person out.*Update the worker"):
        bpy.ops.photorig.render_to_sequencer(directory=folder)
    # F12 warns and goes on: a picture without transparency is better than none.
    bpy.context.view_layer.photorig.use_pass_matte = True
    shot.render.filepath = str(tmp_path / "still")
    bpy.ops.render.render(write_still=True)
    assert (_values(tmp_path / "still.png")[..., 3] == 1).all()


def test_a_strip_that_was_moved_with_its_sound_stays_with_it(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    strips = modules.compat.strips_of(shot.sequence_editor_create())
    try:
        sound = strips.new_sound("Voice", str(_silence(tmp_path)), channel=1, frame_start=1)
    except RuntimeError:  # 4.2's Python module has no sound; another strip stands for it
        bpy.data.images.new("Voice", 8, 8).save(filepath=str(tmp_path / "voice.png"))
        sound = strips.new_image("Voice", str(tmp_path / "voice.png"), channel=1, frame_start=1)
    folder = f"{tmp_path / 'frames'}/"
    bpy.ops.photorig.render_to_sequencer(directory=folder)
    (strip,) = [entry for entry in strips if entry != sound]
    start, move = modules.compat.strip_content_start, modules.compat.move_strip_content
    assert start(strip) == start(sound) == 1
    assert strip.channel != sound.channel
    for entry in (strip, sound):
        move(entry, 101)
    bpy.ops.photorig.render_to_sequencer(directory=folder)
    assert start(strip) == start(sound) == 101
    shot.frame_start = 3
    bpy.ops.photorig.render_to_sequencer(directory=folder)
    # The third frame of the shot still stands at the third frame of the sound.
    assert (start(strip), start(sound)) == (103, 101)
    assert strip.elements[0].filename == "frame_0003.png"


def _silence(folder: Path) -> Path:
    import wave

    path = folder / "voice.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return path


def test_two_shots_in_one_folder_have_a_strip_each(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    for name in ("a_", "b_", "a_"):
        shot.render.filepath = str(tmp_path / name)
        bpy.ops.photorig.render_to_sequencer()
    strips = modules.compat.strips_of(shot.sequence_editor)
    shown = sorted(strip.elements[0].filename for strip in strips)
    assert shown == ["a_0001.png", "b_0001.png"]


def _run(job: object, until: float = 60.0) -> list[float]:
    """Tick as the timer does; the seconds of each tick."""
    ticks, deadline = [], time.monotonic() + until
    while not job.is_done and time.monotonic() < deadline:
        started = time.thread_time()
        job.tick()
        ticks.append(time.thread_time() - started)
        time.sleep(job.pause)
    return ticks


def _lively(shot: bpy.types.Scene, n_frames: int) -> None:
    """As many different frames."""
    shot.frame_end = n_frames
    settings = shot.camera.data.photorig
    for frame, value in ((1, -20.0), (n_frames, 20.0)):
        settings.headRoll = value
        settings.keyframe_insert("headRoll", frame=frame)


@pytest.mark.own_worker
def test_the_worker_is_kept_busy_and_blender_is_not_held_up(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    os.environ["PHOTORIG_TEST_DELAY"] = "0.5"  # as a large frame takes on a processor
    _lively(shot, 12)
    bpy.ops.photorig.start_worker()
    modules.link.link.wait_until_ready(lambda: False)
    plan = modules.sequence_job.plan_sequence(bpy.context, shot, tmp_path)
    job = modules.sequence_job.start(plan)
    ticks = sorted(_run(job))
    assert job.error == ""
    assert job.finished == 12
    longest = [round(1000 * seconds, 1) for seconds in ticks[-4:]]
    print(f"worker busy {job.busy_share:.3f}, longest ticks {longest} ms")
    assert job.busy_share >= 0.9
    # Beginning (asking for the portrait) and ending (the strip) are once; processor time.
    assert ticks[-3] < 0.01


@pytest.mark.own_worker
@pytest.mark.parametrize(("size", "ahead"), [("256", 16), ("FULL", 8)])
def test_a_fast_worker_goes_on_while_blender_draws(
    shot: bpy.types.Scene,
    modules: SimpleNamespace,
    card_worker: Path,
    tmp_path: Path,
    size: str,
    ahead: int,
) -> None:
    _lively(shot, 40)
    shot.camera.data.photorig.size = size
    plan = modules.sequence_job.plan_sequence(bpy.context, shot, tmp_path)
    job = modules.sequence_job.start(plan)
    try:
        while not card_worker.read_text():
            job.tick()
            time.sleep(0.005)
        time.sleep(2.0)  # nobody takes what comes
        assert len(card_worker.read_text().split()) == ahead
    finally:
        job.cancel("enough")


@pytest.mark.own_worker
def test_a_thousand_frames_of_a_held_pose_never_hold_up_blender(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.camera.data.animation_data_clear()
    shot.frame_end = 1000
    bpy.ops.photorig.start_worker()
    modules.link.link.wait_until_ready(lambda: False)
    plan = modules.sequence_job.plan_sequence(bpy.context, shot, tmp_path)
    job = modules.sequence_job.start(plan)
    ticks = sorted(_run(job))
    assert job.error == ""
    assert len(list(tmp_path.glob("frame_*.png"))) == 1000
    assert ticks[len(ticks) * 9 // 10] < 0.01


@pytest.mark.own_worker
def test_the_status_bar_shows_how_far_it_is_and_ends_it(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    def drawn() -> list[str]:
        header = SimpleNamespace(layout=FakeLayout())
        modules.render_status.draw_in_status_bar(header, bpy.context)
        return [entry.kind for entry in header.layout.drawn]

    os.environ["PHOTORIG_TEST_DELAY"] = "0.3"
    bpy.ops.photorig.start_worker()
    plan = modules.sequence_job.plan_sequence(bpy.context, shot, tmp_path)
    job = modules.sequence_job.start(plan)
    assert drawn() == ["progress", "operator"]
    while job.finished == 0 and not job.is_done:
        job.tick()
        time.sleep(0.01)
    bpy.ops.photorig.cancel_render()
    assert job.is_done
    assert drawn() == []
    assert list(tmp_path.glob("frame_*.png"))


@pytest.mark.own_worker
def test_undo_and_renaming_during_a_job_do_not_lose_it(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    os.environ["PHOTORIG_TEST_DELAY"] = "0.2"
    bpy.ops.photorig.start_worker()
    modules.link.link.wait_until_ready(lambda: False)
    bpy.ops.ed.undo_push(message="before")
    shot.name = "Another name"
    bpy.ops.ed.undo_push(message="renamed")
    job = modules.sequence_job.start(
        modules.sequence_job.plan_sequence(bpy.context, bpy.context.scene, tmp_path)
    )
    while job.finished < 1 and not job.is_done:
        job.tick()
        time.sleep(0.01)
    bpy.ops.ed.undo()
    _run(job)
    assert job.error == ""
    assert len(list(tmp_path.glob("frame_*.png"))) == 4
    (strip,) = modules.compat.strips_of(bpy.context.scene.sequence_editor)
    assert len(strip.elements) == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1.2 MB: six frames of noise, each of 200 kB."""
    with disk_of(1200, tmp_path / "disk") as folder:
        yield folder


def test_a_disk_that_is_really_full_loses_and_doubles_nothing(
    shot: bpy.types.Scene, card_worker: Path, small_disk: Path, tmp_path: Path
) -> None:
    _lively(shot, 10)
    with pytest.raises(RuntimeError, match=r"disk .* is full"):
        bpy.ops.photorig.render_to_sequencer(directory=f"{small_disk}/")
    finished = sorted(path.name for path in small_disk.glob("frame_*.png"))
    assert 2 <= len(finished) < 10
    assert not list(small_disk.glob(".*.part"))
    assert all(read_pixels(small_disk / name).shape == (256, 256, 3) for name in finished)
    card_worker.write_text("")
    resize(small_disk, 9000)
    bpy.ops.photorig.render_to_sequencer(directory=f"{small_disk}/")
    rendered = {int(line) for line in card_worker.read_text().split()}
    known = {int(name[6:10]) for name in finished}
    # A frame whose line in the journal had no room any more may be made again.
    assert set(range(1, 11)) - known <= rendered
    assert len(rendered & known) <= 1
    assert len(list(small_disk.glob("frame_*.png"))) == 10


@pytest.mark.own_worker
def test_a_blender_that_is_killed_loses_and_doubles_nothing(
    shot: bpy.types.Scene,
    addon: object,
    card_worker: Path,
    card_worker_program: Path,
    tmp_path: Path,
) -> None:
    _lively(shot, 10)
    blend, folder = tmp_path / "shot.blend", tmp_path / "frames"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    log = tmp_path / "blender.log"
    render_and_kill(addon.__name__, card_worker_program, blend, folder, 4, log)
    finished = {int(path.stem[-4:]) for path in folder.glob("frame_*.png")}
    assert 4 <= len(finished) < 10, log.read_text()
    time.sleep(1)  # its worker notices and ends
    card_worker.write_text("")
    bpy.ops.photorig.render_to_sequencer(directory=f"{folder}/")
    rendered = {int(line) for line in card_worker.read_text().split()}
    assert set(range(1, 11)) - finished <= rendered
    assert len(rendered & finished) <= 1
    for frame in range(1, 11):
        assert read_pixels(folder / f"frame_{frame:04d}.png").shape == (256, 256, 3)
    # Where files cannot be made without a name, the one in the works is left until it is old.
    assert len(list(folder.glob(".*.part"))) <= 1
