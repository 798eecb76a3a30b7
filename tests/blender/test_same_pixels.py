"""Invariant 3, with the real worker: engine, sequence and command line give the same pixels."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import bpy
import numpy as np
import pytest
from portrait_files import read_pixels
from renders import floats, still, use_compositor

ROOT = Path(__file__).resolve().parents[2]
FRAMES = range(1, 4)


@pytest.fixture(scope="module")
def program() -> Path:
    """The real worker."""
    given = os.environ.get("PHOTORIG_WORKER")
    path = Path(given) if given else ROOT / ".build" / "venv-worker" / "bin" / "photorig"
    if not path.exists():
        pytest.skip("needs the worker: run 'python build.py setup'")
    return path


def _photorig(program: Path, *arguments: object) -> None:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def person(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait of a person who does not exist."""
    folder = tmp_path_factory.mktemp("person")
    path = folder / "person.portrait"
    _photorig(program, "sample", "--seed", 3, "--out", folder / "p.png", "--portrait", path)
    return path


@pytest.fixture(scope="module")
def astronaut(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait of a photo of a real person, a likeness made in seconds."""
    path = tmp_path_factory.mktemp("astronaut") / "astronaut.portrait"
    photo = ROOT / "tests" / "data" / "astronaut.jpg"
    _photorig(program, "fit", photo, "--quick", "--out", path)
    return path


@pytest.fixture
def performance(
    scene: bpy.types.Scene, addon: ModuleType, program: Path, person: Path
) -> Iterator[bpy.types.Scene]:
    """Three frames of a turning, speaking head at 256 pixels, on the real worker."""
    preferences = bpy.context.preferences.addons[addon.__name__].preferences
    preferences.executable, preferences.auto_start = str(program), True
    bpy.ops.photorig.load_portrait(filepath=str(person))
    settings = scene.camera.data.photorig
    settings.size = "256"
    scene.frame_end = FRAMES[-1]
    for frame, yaw, jaw in ((1, -10.0, 0.0), (3, 12.0, 0.6)):
        settings.headYaw, settings.jawOpen = yaw, jaw
        settings.keyframe_insert("headYaw", frame=frame)
        settings.keyframe_insert("jawOpen", frame=frame)
    bpy.ops.photorig.use_picture_size()
    yield scene
    preferences.executable = ""


def test_engine_sequence_and_command_line_agree(
    performance: bpy.types.Scene,
    modules: SimpleNamespace,
    program: Path,
    person: Path,
    tmp_path: Path,
) -> None:
    performance.render.filepath = str(tmp_path / "engine" / "frame_")
    bpy.ops.render.render(animation=True)
    bpy.ops.photorig.render_to_sequencer(directory=f"{tmp_path / 'sequence'}/")
    bpy.ops.photorig.export_performance(filepath=str(tmp_path / "params.jsonl"))
    arguments = (person, tmp_path / "params.jsonl", "--out", tmp_path / "cli", "--size", 256)
    _photorig(program, "render", *arguments)

    pictures = []
    for frame in FRAMES:
        name = f"frame_{frame:04d}.png"
        engine = read_pixels(tmp_path / "engine" / name)
        np.testing.assert_array_equal(engine, read_pixels(tmp_path / "sequence" / name))
        np.testing.assert_array_equal(engine, read_pixels(tmp_path / "cli" / name))
        pictures.append(engine)
    assert (pictures[0] != pictures[2]).any()


def test_the_real_worker_is_kept_busy_by_a_sequence(
    performance: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    performance.frame_end = 12
    settings = performance.camera.data.photorig
    settings.headYaw = -12.0
    settings.keyframe_insert("headYaw", frame=12)
    bpy.ops.photorig.render_to_sequencer(directory=f"{tmp_path}/")
    job = modules.sequence_job.slot.current
    print(f"busy {job.busy_share:.3f} of the time")
    assert (job.finished, job.restarts) == (12, 0)
    assert job.busy_share >= 0.9


@pytest.mark.parametrize("size", ["256", "FULL"])
def test_face_and_matte_of_a_photo_are_those_of_the_command_line(
    performance: bpy.types.Scene,
    modules: SimpleNamespace,
    program: Path,
    astronaut: Path,
    tmp_path: Path,
    size: str,
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(astronaut))
    performance.camera.data.photorig.size = size
    bpy.ops.photorig.use_picture_size()
    plan = modules.sequence_job.plan_sequence(bpy.context, performance, tmp_path)
    values = modules.schema.FACE_SCHEMA.named(plan.requests[-1].parameters)
    parameters = [
        modules.file.FrameParameters(FRAMES[-1], values),
        modules.file.FrameParameters(FRAMES[-1] + 1, {}),
    ]
    modules.file.write(tmp_path / "p.jsonl", parameters)
    options = ("--out", tmp_path / "cli", "--size", size.lower(), "--passes")
    _photorig(program, "render", astronaut, tmp_path / "p.jsonl", *options)
    given, at_rest = (_layers(tmp_path / "cli", entry.frame) for entry in parameters)

    performance.frame_set(FRAMES[-1])
    layer = bpy.context.view_layer.photorig
    layer.use_pass_face = layer.use_pass_matte = True
    combined = still(performance, tmp_path / "combined.png")
    np.testing.assert_array_equal(combined, given["combined"])
    use_compositor(performance, "Face")
    face = still(performance, tmp_path / "face.png")
    assert face.shape == combined.shape
    if size == "256":
        np.testing.assert_array_equal(face, given["face"])
    use_compositor(performance, "Matte")
    matte = floats(performance, tmp_path / "matte.exr")[..., 0]
    np.testing.assert_allclose(matte, given["matte"][..., 0] / 255, atol=1e-6)

    rows, columns = matte.shape
    assert matte[rows // 4 : rows // 2, columns * 2 // 5 : columns * 3 // 5].mean() > 0.95
    if size == "FULL":  # the square has next to no background, and a turned head fills it
        assert (face != combined).any()
        outside = _far_from((matte > 0) | (at_rest["matte"][..., 0] > 0), columns // 16)
        assert 0.2 < outside.mean() < 0.9
        np.testing.assert_array_equal(combined[outside], at_rest["combined"][outside])


def _far_from(part: np.ndarray, distance: int) -> np.ndarray:
    """(h, w) bool: which pixels have none of a part within so many rows and columns."""
    near = part.copy()
    for axis in (0, 1):
        near = np.any([np.roll(near, n, axis) for n in range(-distance, distance + 1)], axis=0)
    return ~near


def _layers(folder: Path, frame: int) -> dict[str, np.ndarray]:
    """(h, w, channels) uint8 of what the command line wrote for a frame, by what it shows."""
    ends = {"combined": "", "face": "_face", "matte": "_matte"}
    pixels = {n: read_pixels(folder / f"frame_{frame:04d}{end}.png") for n, end in ends.items()}
    return {name: values.reshape(*values.shape[:2], -1) for name, values in pixels.items()}
