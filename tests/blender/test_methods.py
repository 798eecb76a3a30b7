"""Methods in Blender: the worker offers them, the camera keeps the choice, the frame is its."""

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
from renders import still

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "data" / "toy_method"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real worker, in whose Python the toy is installed."""
    given = os.environ.get("PHOTORIG_WORKER")
    path = Path(given) if given else ROOT / ".build" / "venv-worker" / "bin" / "photorig"
    if not path.exists():
        pytest.skip("needs the worker: run 'python build.py setup'")
    beside = tmp_path_factory.mktemp("worker") / "photorig"
    beside.write_text(f'#!/bin/sh\nPYTHONPATH="{TOY}" exec "{path.resolve()}" "$@"\n')
    beside.chmod(0o755)
    return beside


@pytest.fixture(scope="module")
def person(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait of a person who does not exist."""
    path = tmp_path_factory.mktemp("person") / "person.portrait"
    picture = path.with_suffix(".png")
    _photorig(program, "sample", "--seed", 3, "--out", picture, "--portrait", path)
    return path


def _photorig(program: Path, *arguments: object) -> None:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def shot_of_person(
    scene: bpy.types.Scene,
    addon: ModuleType,
    program: Path,
    person: Path,
) -> Iterator[bpy.types.Scene]:
    """A turned, speaking head at 256 pixels on the real worker."""
    preferences = bpy.context.preferences.addons[addon.__name__].preferences
    preferences.executable, preferences.auto_start = str(program), True
    bpy.ops.photorig.load_portrait(filepath=str(person))
    settings = scene.camera.data.photorig
    settings.size, settings.headYaw, settings.jawOpen = "256", 10.0, 0.5
    bpy.ops.photorig.use_picture_size()
    yield scene
    preferences.executable = ""


def test_a_method_that_a_package_brings_is_offered_chosen_and_rendered(
    shot_of_person: bpy.types.Scene,
    modules: SimpleNamespace,
    program: Path,
    person: Path,
    tmp_path: Path,
) -> None:
    scene, settings = shot_of_person, shot_of_person.camera.data.photorig
    plain = still(scene, tmp_path / "plain.png")
    offers = {offer.name: offer.sentence for offer in modules.properties.offered_methods}
    assert next(iter(offers)) == settings.method == "regional"
    assert offers["toy"] == "Adds what all parameters come to."
    settings.method = "toy"
    toy = still(scene, tmp_path / "toy.png")
    assert np.abs(toy.astype(int) - plain).max() > 20
    asked = '{"frame": 1, "parameters": {"headYaw": 10.0, "jawOpen": 0.5}}'
    (tmp_path / "one.jsonl").write_text(asked + "\n")
    out = tmp_path / "cli"
    _photorig(
        program, "render", person, tmp_path / "one.jsonl", "--out", out, "--size", 256,
        "--method", "toy",
    )  # fmt: skip
    np.testing.assert_array_equal(read_pixels(next(out.glob("*.png"))), toy)


@pytest.mark.parametrize("mode", ["RELATIVE", "ABSOLUTE"])
def test_every_method_follows_blenders_curves_and_none_as_another(
    shot_of_person: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path, mode: str
) -> None:
    scene, settings = shot_of_person, shot_of_person.camera.data.photorig
    settings.mode = mode
    frames = {"": still(scene, tmp_path / "first.png")}
    for offer in modules.properties.offered_methods:
        settings.method = offer.name
        frames[offer.name] = still(scene, tmp_path / f"{offer.name}.png")
    del frames[""]
    assert {"regional", "calibrated", "stylemask", "transfer", "stylespace"} <= set(frames)
    for name, one in frames.items():
        others = [other for known, other in frames.items() if known != name]
        assert all((one != other).any() for other in others)
    settings.headYaw = settings.jawOpen = 0.0
    if mode == "RELATIVE":
        at_rest = []
        for name in ("regional", "stylemask", "transfer"):
            settings.method = name
            at_rest.append(still(scene, tmp_path / f"rest-{name}.png"))
        assert all((one == at_rest[0]).all() for one in at_rest)


def test_a_method_that_the_worker_lacks_is_refused_with_those_it_has(
    shot_of_person: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    shot_of_person.camera.data.photorig.method = "magic"
    camera = shot_of_person.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    request = modules.frame_request.frame_request(camera, 1)
    link = modules.link.link
    link.start_if_wanted()
    link.wait_until_ready(lambda: False)
    link.client.upload_portrait(modules.frame_request.portrait_of(camera).content)
    with pytest.raises(modules.errors.InputError, match="no method 'magic'"):
        link.client.request_frame(request)
