"""A video becomes keys: analysed by a program of its own, in the background."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

TAKE = """
{"frame": 1, "time": 0, "recording": {"fps": 24, "frames": 3}, "parameters": {"jawOpen": 0.1}}
{"frame": 2, "time": 0.0416667, "parameters": {"jawOpen": 0.5}}
{"frame": 3, "time": 0.0833333, "parameters": {"jawOpen": 0.9}}
"""


@pytest.fixture
def analysis(
    modules: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Makes a worker program that runs these lines of shell; ``$4`` is the file it is to write."""

    def make(script: str) -> Path:
        program = tmp_path / "photorig"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(modules.footage, "find_executable", lambda _: program)
        video = tmp_path / "clip.mp4"
        video.write_bytes(b"a film")
        return video

    return make


def _run(modules: SimpleNamespace, scene: bpy.types.Scene, video: Path) -> SimpleNamespace:
    options = modules.mapping_performance.ImportOptions(mode="ABSOLUTE", frames_per_second=24.0)
    job = modules.footage.start(bpy.context, scene.camera.data, video, options)
    until = time.monotonic() + 60
    while not job.is_done and time.monotonic() < until:
        job.tick()
        time.sleep(0.02)
    return job


def test_a_video_becomes_keys_and_its_folder_is_gone(
    scene: bpy.types.Scene,
    modules: SimpleNamespace,
    analysis: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    (tmp_path / "made.jsonl").write_text(TAKE)
    video = analysis(f'cp "{tmp_path}/made.jsonl" "$4"; echo "$PWD" > "{tmp_path}/where"')
    job = _run(modules, scene, video)
    assert not job.error
    assert "frames 1 to 3 were keyed" in job.summary
    curve = modules.compat.curve_of(scene.camera.data, "photorig.jawOpen")
    assert [round(p.co[1], 3) for p in curve.keyframe_points] == [0.1, 0.5, 0.9]
    assert not Path((tmp_path / "where").read_text().strip()).exists()


def test_an_analysis_that_fails_says_its_own_last_words(
    scene: bpy.types.Scene, modules: SimpleNamespace, analysis: Callable[[str], Path]
) -> None:
    job = _run(modules, scene, analysis('echo "photorig: No face was found in it." >&2; exit 1'))
    assert job.error == "No face was found in it."
    assert modules.compat.curve_of(scene.camera.data, "photorig.jawOpen") is None


def test_its_progress_is_shown_and_it_can_be_cancelled(
    scene: bpy.types.Scene, modules: SimpleNamespace, analysis: Callable[[str], Path]
) -> None:
    video = analysis('echo "30 of 120 frames, 2 s" >&2; sleep 60')
    options = modules.mapping_performance.ImportOptions()
    job = modules.footage.start(bpy.context, scene.camera.data, video, options)
    until = time.monotonic() + 30
    while not job.progress and time.monotonic() < until:
        job.tick()
        time.sleep(0.05)
    assert job.progress == pytest.approx(0.25)
    began = time.monotonic()
    bpy.ops.photorig.cancel_import()
    assert time.monotonic() - began < 5
    assert (job.is_done, job.error) == (True, "The import was cancelled")


@pytest.mark.skipif(
    not bpy.app.build_options.audaspace,
    reason="this Blender's Python module is built without sound",
)
def test_the_sound_of_a_video_lies_where_its_first_frame_is(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    import wave

    sound = tmp_path / "voice.wav"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    for _ in range(2):
        assert modules.footage.add_sound(scene, sound, 7)
    strips = [s for s in modules.compat.strips_of(scene.sequence_editor) if s.type == "SOUND"]
    assert [round(strip.frame_start) for strip in strips] == [7]
