"""Keys of the whole face; performances from files and into them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from portrait_files import write_portrait
from rigs import add_face, evaluated, select

LINES = """
{"frame": 10, "parameters": {"jawOpen": 0.0, "headYaw": -5}}
{"frame": 11, "parameters": {"jawOpen": 0.2, "headYaw": 0}}
{"frame": 12, "parameters": {"jawOpen": 0.4}}
{"frame": 14, "parameters": {"jawOpen": 0.8, "headYaw": 20}}
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "take.jsonl"
    path.write_text(LINES)
    return path


def keys_of(modules: SimpleNamespace, camera: bpy.types.Camera, name: str) -> list[tuple]:
    curve = modules.compat.curve_of(camera, f"photorig.{name}")
    return [(round(p.co[0]), round(p.co[1], 4)) for p in curve.keyframe_points]


def test_the_whole_face_is_keyed_but_for_what_a_rig_drives(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    select(add_face(scene, "Face", ("jawOpen",)))
    bpy.ops.photorig.detect_rig()
    camera = scene.camera.data
    camera.photorig.headYaw = 7.0
    scene.frame_set(3)
    bpy.ops.photorig.key_face()
    assert keys_of(modules, camera, "headYaw") == [(3, 7.0)]
    assert keys_of(modules, camera, "eyeBlinkLeft") == [(3, 0.0)]
    assert modules.compat.curve_of(camera, "photorig.jawOpen") is None


def test_a_recording_becomes_keys_from_where_the_scene_begins(
    scene: bpy.types.Scene, modules: SimpleNamespace, recording: Path
) -> None:
    scene.frame_start = 1
    bpy.ops.photorig.import_performance(filepath=str(recording), mode="UNCHANGED")
    camera = scene.camera.data
    assert keys_of(modules, camera, "jawOpen") == [(1, 0.0), (2, 0.2), (3, 0.4), (5, 0.8)]
    left_out = keys_of(modules, camera, "headYaw")[2]
    assert left_out == (3, 0.0), "what a line does not name is at rest"
    assert modules.compat.curve_of(camera, "photorig.mouthPucker") is None
    scene.frame_set(4)
    assert camera.photorig.jawOpen == pytest.approx(0.6)


def test_by_default_what_changes_since_the_first_frame_happens_to_the_photo(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "take.jsonl"
    path.write_text(
        '{"frame": 1, "parameters": {"jawOpen": 0.5, "headYaw": 8}}\n'
        '{"frame": 2, "parameters": {"jawOpen": 0.2, "headYaw": 12}}\n'
    )
    camera = scene.camera.data
    camera.photorig.mode = "ABSOLUTE"
    scene.frame_start = 1
    bpy.ops.photorig.import_performance(filepath=str(path))
    assert camera.photorig.mode == "RELATIVE"
    assert keys_of(modules, camera, "headYaw") == [(1, 0.0), (2, 4.0)]
    assert keys_of(modules, camera, "jawOpen") == [(1, 0.0), (2, -0.3)]
    scene.frame_set(2)
    assert evaluated(scene).jawOpen == pytest.approx(-0.3), "less than the photo shows"


def test_an_absolute_performance_is_what_is_seen(
    scene: bpy.types.Scene, modules: SimpleNamespace, recording: Path, tmp_path: Path
) -> None:
    schema = modules.schema.FACE_SCHEMA
    shown = schema.vector({"jawOpen": 0.1, "mouthPucker": 0.3, "headYaw": 7})
    path = write_portrait(tmp_path / "a.portrait", schema.hash, parameters=shown)
    bpy.ops.photorig.load_portrait(filepath=str(path))
    scene.frame_start = 1
    bpy.ops.photorig.import_performance(filepath=str(recording), mode="ABSOLUTE")
    camera = scene.camera.data
    assert camera.photorig.mode == "ABSOLUTE"
    assert keys_of(modules, camera, "jawOpen")[0] == (1, 0.0)
    assert keys_of(modules, camera, "headYaw")[2] == (3, 7.0), "left out: as in the photo"
    assert camera.photorig.mouthPucker == pytest.approx(0.3), "not named: as in the photo"


def take(path: Path, times: list[float], rate: str, n_frames: int) -> Path:
    """A recording of photorig analyze whose jaw opens by a tenth a second."""
    lines = []
    for number, time in enumerate(times, start=1):
        told = f', "recording": {{"frames": {n_frames}, "fps": {rate}}}' if number == 1 else ""
        frame = round(time * 30) + 1
        lines.append(
            f'{{"frame": {frame}, "time": {time}{told}, "parameters": {{"jawOpen": {time / 10}}}}}'
        )
    path.write_text("\n".join(lines))
    return path


def jaw_at(scene: bpy.types.Scene, frame: float) -> float:
    scene.frame_set(int(frame), subframe=frame % 1)
    return float(evaluated(scene).jawOpen)


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (25, 1.0), (60, 1.0), (24, 1.001), (30, 1.0)])
def test_a_second_of_a_recording_is_a_second_of_the_scene(
    scene: bpy.types.Scene, tmp_path: Path, fps: int, base: float
) -> None:
    path = take(tmp_path / "a.jsonl", [n / 30 for n in range(91)], "30", 91)
    scene.render.fps, scene.render.fps_base = fps, base
    scene.frame_start = 11
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED")
    for second in (0.0, 0.5, 1.0, 2.5, 3.0):
        assert jaw_at(scene, 11 + second * fps / base) == pytest.approx(second / 10, abs=1e-4)


def test_times_that_vary_are_kept(scene: bpy.types.Scene, tmp_path: Path) -> None:
    """Frame numbers would make the second half twice as fast."""
    times = [n / 30 for n in range(30)] + [1 + n / 15 for n in range(30)]
    path = take(tmp_path / "a.jsonl", times, "30", 90)
    scene.render.fps, scene.frame_start = 24, 1
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED")
    assert jaw_at(scene, 1 + 2.5 * 24) == pytest.approx(0.25, abs=1e-3)


def test_a_recording_that_begins_without_a_face_stays_with_its_sound(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    path = take(tmp_path / "a.jsonl", [2 + n / 30 for n in range(30)], "30", 120)
    scene.render.fps, scene.frame_start = 30, 1
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED")
    assert jaw_at(scene, 61) == pytest.approx(0.2)
    assert jaw_at(scene, 75) == pytest.approx(0.2 + 14 / 300)


def test_a_long_gap_holds_the_pose_and_a_short_one_is_bridged(
    scene: bpy.types.Scene, tmp_path: Path
) -> None:
    times = [n / 30 for n in (*range(30), *range(36, 60), *range(240, 270))]
    path = take(tmp_path / "a.jsonl", times, "30", 270)
    scene.render.fps, scene.frame_start = 30, 1
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED")
    assert jaw_at(scene, 33 + 1) == pytest.approx(0.11, abs=0.001)
    assert jaw_at(scene, 150) == pytest.approx(59 / 300, abs=0.002), "nobody drifts"


def test_rates_that_differ_are_told(
    scene: bpy.types.Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = take(tmp_path / "a.jsonl", [n / 30 for n in range(31)], "30", 31)
    for fps in (30, 24):
        scene.render.fps = fps
        bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED")
        told = capfd.readouterr().out
        assert ("has 30 frames a second, the scene 24" in told) == (fps == 24)
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED", use_time=False)
    assert "frame by frame" in capfd.readouterr().out
    assert jaw_at(scene, scene.frame_start + 30) == pytest.approx(0.1)


def test_an_exported_shot_keeps_its_time(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.render.fps, shot.render.fps_base = 30, 1.001
    path = tmp_path / "shot.jsonl"
    bpy.ops.photorig.export_performance(filepath=str(path))
    frames, recording = modules.file.read_recording(path)
    assert str(recording.rate) == "30000/1001"
    assert [round(each.time * 30000 / 1001, 3) for each in frames] == [0, 1, 2, 3]
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED")
    keys = keys_of(modules, shot.camera.data, "jawOpen")
    assert [frame for frame, _ in keys] == [1, 2, 3, 4]


def test_it_may_begin_at_the_present_frame_with_fewer_keys(
    scene: bpy.types.Scene, modules: SimpleNamespace, recording: Path
) -> None:
    scene.frame_set(50)
    bpy.ops.photorig.import_performance(filepath=str(recording), at_present_frame=True, reduce=True)
    keys = keys_of(modules, scene.camera.data, "jawOpen")
    assert keys == [(50, 0.0), (54, 0.8)], "a straight line needs its ends"


def test_a_mapped_rig_waits_for_it(scene: bpy.types.Scene, recording: Path) -> None:
    face = add_face(scene, "Face", ("jawOpen",))
    select(face)
    bpy.ops.photorig.detect_rig()
    face.data.shape_keys.key_blocks["jawOpen"].value = 1.0
    bpy.ops.photorig.import_performance(filepath=str(recording))
    scene.frame_set(2)
    assert evaluated(scene).jawOpen == pytest.approx(0.2)
    assert len(scene.camera.data.photorig.mapping) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"frame": 1, "parameters": {"jawOpn": 1}}', "line 1: Unknown parameter 'jawOpn'"),
        ("not json", "line 1"),
        ("", "says nothing of a face"),
        ('{"frame": 1, "parameters": {}}', "says nothing of a face"),
    ],
)
def test_a_file_that_is_none_is_a_sentence(
    scene: bpy.types.Scene, tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.photorig.import_performance(filepath=str(path))
    assert scene.camera.data.animation_data is None


def test_what_is_written_is_what_frames_ask_for_and_comes_back(
    scene: bpy.types.Scene, portrait: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    camera = scene.camera.data
    for frame, jaw in ((1, 0.0), (4, 0.6)):
        camera.photorig.jawOpen = jaw
        camera.photorig.keyframe_insert("jawOpen", frame=frame)
    camera.photorig.gain_jaw = 0.5
    path = tmp_path / "shot.jsonl"
    bpy.ops.photorig.export_performance(filepath=str(path))
    frames = modules.file.read(path)
    assert [each.frame for each in frames] == [1, 2, 3, 4]
    assert frames[3].values["jawOpen"] == pytest.approx(0.3), "with the shot's gain"
    camera.animation_data_clear()
    camera.photorig.gain_jaw = 1.0
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED")
    scene.frame_set(4)
    assert camera.photorig.jawOpen == pytest.approx(0.3)


def test_what_neutral_takes_away_is_taken_away_in_the_file(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    schema = modules.schema.FACE_SCHEMA
    shown = schema.vector({"mouthSmileLeft": 0.4, "headYaw": 7})
    face = write_portrait(tmp_path / "a.portrait", schema.hash, parameters=shown)
    bpy.ops.photorig.load_portrait(filepath=str(face))
    scene.camera.data.photorig.photo_neutral = 0.5
    scene.camera.data.photorig.mouthSmileLeft = 0.1
    path = tmp_path / "shot.jsonl"
    bpy.ops.photorig.export_performance(filepath=str(path))
    values = modules.file.read(path)[0].values
    assert values["mouthSmileLeft"] == pytest.approx(-0.1)
    assert values["headYaw"] == 0, "the head stays"


def test_two_portraits_do_not_fit_into_one_file(
    scene: bpy.types.Scene, portrait: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="Give the scene's camera a portrait"):
        bpy.ops.photorig.export_performance(filepath=str(tmp_path / "x.jsonl"))
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    other = scene.camera.copy()
    other.data = scene.camera.data.copy()
    scene.collection.objects.link(other)
    path = write_portrait(tmp_path / "b.portrait", modules.schema.FACE_SCHEMA.hash, seed=5)
    other.data.photorig.portrait_path = str(path)
    for frame, camera in ((1, scene.camera), (3, other)):
        scene.timeline_markers.new("cut", frame=frame).camera = camera
    with pytest.raises(RuntimeError, match="several portraits"):
        bpy.ops.photorig.export_performance(filepath=str(tmp_path / "x.jsonl"))
    assert not (tmp_path / "x.jsonl").exists()


def test_a_phones_take_becomes_keys_in_the_time_of_the_scene(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "phone.csv"
    path.write_text(
        "Timecode,JawOpen,HeadYaw\n00:00:00:00.0,0.1,0\n00:00:00:59.0,0.5,-0.1\n00:00:01:00.0,1,0\n"
    )
    scene.render.fps, scene.frame_start = 24, 1
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED")
    curve = modules.compat.curve_of(scene.camera.data, "photorig.jawOpen")
    assert [round(p.co[0], 2) for p in curve.keyframe_points] == [1.0, 24.6, 25.0]


def test_an_nla_strip_leaves_the_action_that_is_there_alone(
    scene: bpy.types.Scene, modules: SimpleNamespace, recording: Path
) -> None:
    camera = scene.camera.data
    camera.photorig.mouthPucker = 0.4
    camera.keyframe_insert("photorig.mouthPucker", frame=1)
    before = camera.animation_data.action
    scene.frame_start = 1
    bpy.ops.photorig.import_performance(filepath=str(recording), mode="UNCHANGED", as_strip=True)
    animation = camera.animation_data
    assert animation.action == before
    assert modules.compat.curve_of(camera, "photorig.jawOpen") is None
    (strip,) = animation.nla_tracks[0].strips
    assert (strip.name, strip.frame_start, strip.frame_end) == ("take", 1, 5)
    scene.frame_set(4)
    assert evaluated(scene).jawOpen == pytest.approx(0.6)
    assert evaluated(scene).mouthPucker == pytest.approx(0.4)


def test_smoothing_takes_the_tremble_out_of_a_take(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "take.jsonl"
    lines = (
        f'{{"frame": {i}, "parameters": {{"jawOpen": {0.5 + 0.1 * (i % 2)}}}}}' for i in range(60)
    )
    path.write_text("\n".join(lines))
    bpy.ops.photorig.import_performance(filepath=str(path), mode="UNCHANGED", smoothing=1.0)
    values = [value for _, value in keys_of(modules, scene.camera.data, "jawOpen")]
    assert max(values[5:-5]) - min(values[5:-5]) < 0.03


def test_a_shot_is_exported_as_live_link_face_reads_it(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path, portrait: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    scene.camera.data.photorig.jawOpen = 0.25
    scene.frame_end = 30  # a timecode tells its rate once it has gone through a second
    bpy.ops.photorig.export_performance(filepath=str(tmp_path / "out.csv"))
    frames, recording = modules.takes.read_take(tmp_path / "out.csv")
    assert (len(frames), recording.rate) == (30, 24)
    assert frames[0].values["jawOpen"] == pytest.approx(0.25)
