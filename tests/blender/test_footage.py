"""A video becomes keys: analysed by a program of its own, in the background."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from rigs import add_face, select

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
    job = modules.footage.start(
        bpy.context, scene.camera.data, modules.footage.Footage(video), options
    )
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
    job = modules.footage.start(
        bpy.context, scene.camera.data, modules.footage.Footage(video), options
    )
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


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a.mp4", ["analyze"]),
        ("a.wav", ["lips", "--fps", "24.000000"]),
        ("shot_0002.png", ["analyze", "--fps", "12.000000"]),
        ("take.jsonl", None),
        ("take.csv", None),
    ],
)
def test_what_a_file_is_says_how_it_is_measured(
    modules: SimpleNamespace, tmp_path: Path, name: str, command: list[str] | None
) -> None:
    for number in (1, 2, 4):
        (tmp_path / f"shot_000{number}.png").touch()
    found = modules.footage.footage_of(tmp_path / name, 24.0, 12.0)
    assert (found and [found.command, *found.options]) == command
    if name.endswith(".png"):
        assert found.path.name == "shot_####.png"


def test_a_folder_and_a_single_picture_are_footage_too(
    modules: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "me_1.png").touch()
    assert modules.footage.footage_of(tmp_path, 24.0, 12.0).path == tmp_path
    assert modules.footage.footage_of(tmp_path / "me_1.png", 24.0, 12.0).path.name == "me_1.png"


def test_lips_of_a_video_are_asked_for_with_what_is_known_of_the_speech(
    modules: SimpleNamespace, tmp_path: Path
) -> None:
    found = modules.footage.footage_of(
        tmp_path / "a.mov", 30.0, 12.0, from_sound=True, speech=("--language", "other")
    )
    assert found.command == "lips"
    assert found.options == ("--fps", "30.000000", "--language", "other")


def test_lips_count_from_rest_even_where_speech_begins_at_once(
    scene: bpy.types.Scene,
    modules: SimpleNamespace,
    analysis: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    (tmp_path / "made.jsonl").write_text(TAKE)
    analysis(f'cp "{tmp_path}/made.jsonl" "$4"')
    (tmp_path / "voice.wav").write_bytes(b"a sound")
    scene.camera.data.photorig.mode = "ABSOLUTE"
    bpy.ops.photorig.import_performance(filepath=str(tmp_path / "voice.wav"), with_sound=False)
    curve = modules.compat.curve_of(scene.camera.data, "photorig.jawOpen")
    assert [round(p.co[1], 3) for p in curve.keyframe_points] == [0.1, 0.5, 0.9]
    assert scene.camera.data.photorig.mode == "RELATIVE"


def test_what_was_measured_before_a_failure_is_keyed_and_what_was_missing_is_told(
    scene: bpy.types.Scene,
    modules: SimpleNamespace,
    analysis: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    (tmp_path / "made.jsonl").write_text(TAKE)
    video = analysis(
        f'cp "{tmp_path}/made.jsonl" "$4"; echo "warning: 2 frames without the face skipped: 4-5."'
        ' >&2; echo "photorig: clip.mp4 is damaged after frame 3" >&2; exit 1'
    )
    job = _run(modules, scene, video)
    assert not job.error
    assert job.keyed.last == 3
    assert job.notes == (
        "clip.mp4 is damaged after frame 3",
        "2 frames without the face skipped: 4-5",
    )


@pytest.mark.slow
def test_a_sentence_moves_the_jaw_of_a_rig(
    scene: bpy.types.Scene, modules: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).resolve().parents[2]
    told = os.environ.get("PHOTORIG_WORKER")
    program = Path(told) if told else root / ".build" / "venv-worker" / "bin" / "photorig"
    if not program.exists():
        pytest.skip("needs the worker")
    monkeypatch.setattr(modules.footage, "find_executable", lambda _: program)
    face = add_face(scene, "Face", ("jawOpen", "mouthPressLeft", "mouthPressRight"))
    select(face)
    bpy.ops.photorig.detect_rig()
    speech = Path(__file__).resolve().parents[1] / "data" / "speech"
    scene.render.fps, scene.frame_end = 24, 90
    bpy.ops.photorig.import_performance(
        filepath=str(speech / "apples.flac"),
        text_file=str(speech / "apples.txt"),
        onto="RIG",
        as_strip=True,
        with_sound=False,
    )
    keys = face.data.shape_keys.key_blocks

    def at(seconds: float) -> tuple[float, float]:
        scene.frame_set(1 + round(seconds * 24))
        return keys["jawOpen"].value, keys["mouthPressLeft"].value

    assert at(0.0)[0] < 0.06
    assert at(2.18)[0] > 0.3, "the vowel of box"
    assert at(2.75)[0] < 0.15 and at(2.75)[1] > 0.2, "the m of moved"
    assert at(3.5)[0] < 0.1
