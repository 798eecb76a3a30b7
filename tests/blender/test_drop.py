"""Files dropped onto Blender's windows, by the operator that a drop ends in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from portrait_files import write_portrait


@pytest.fixture(autouse=True)
def no_fit_is_left(modules: SimpleNamespace) -> Iterator[None]:
    yield
    modules.portrait_fit.slot.cancel()
    modules.portrait_fit.slot.forget()


def over(area_type: str, region_type: str = "WINDOW") -> dict[str, object]:
    """Where the mouse is, for temp_override."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = area_type
    region = next(region for region in area.regions if region.type == region_type)
    return {"window": window, "area": area, "region": region}


def drop(place: dict[str, object], *paths: Path) -> set[str]:
    files = [{"name": path.name} for path in paths]
    with bpy.context.temp_override(**place):
        return bpy.ops.wm.drop_import_file(directory=str(paths[0].parent), files=files)


def photo(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(b"portrait")  # see tests/contract/fake_fit_program.py
    return path


def test_a_photo_dropped_onto_the_properties_becomes_the_cameras_portrait(
    scene: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    assert drop(over("PROPERTIES"), photo(tmp_path, "anna.JPG")) == {"FINISHED"}
    settings = scene.camera.data.photorig
    assert Path(settings.portrait_path) == tmp_path / "anna.portrait"
    assert settings.portrait_id


def test_photos_dropped_together_are_of_one_person(
    scene: bpy.types.Scene, card_worker: Path, tmp_path: Path, modules: SimpleNamespace
) -> None:
    photos = [photo(tmp_path, name) for name in ("front.png", "side.webp")]
    drop(over("PROPERTIES"), *photos)
    assert modules.portrait_fit.slot.current.photos == tuple(photos)
    assert scene.camera.data.photorig.portrait_name


def is_offered(place: dict[str, object]) -> bool:
    """Whether Blender offers to fit a photo that is dropped there, beside what it does itself."""
    with bpy.context.temp_override(**place):
        return bool(bpy.types.PHOTORIG_FH_photo.poll_drop(bpy.context))


def test_in_a_3d_view_a_photo_is_offered_to_those_who_work_with_photorig(
    scene: bpy.types.Scene, card_worker: Path
) -> None:
    assert is_offered(over("VIEW_3D"))
    scene.render.engine = "BLENDER_WORKBENCH"
    assert is_offered(over("VIEW_3D", "UI"))
    assert not is_offered(over("VIEW_3D"))
    bpy.context.workspace.photorig.show_overlay = True
    assert is_offered(over("VIEW_3D"))
    bpy.context.workspace.photorig.show_overlay = False
    bpy.ops.photorig.start_worker()
    assert is_offered(over("VIEW_3D"))
    assert not is_offered(over("TEXT_EDITOR"))


def test_a_second_photo_is_not_taken_while_one_is_fitted(
    scene: bpy.types.Scene, card_worker: Path, tmp_path: Path, modules: SimpleNamespace
) -> None:
    modules.portrait_fit.start([photo(tmp_path, "anna.png")], scene.camera.data)
    assert not is_offered(over("PROPERTIES"))
    modules.portrait_fit.slot.cancel()
    assert is_offered(over("PROPERTIES"))


PLACES = [("PROPERTIES", "WINDOW"), ("VIEW_3D", "UI"), ("VIEW_3D", "WINDOW")]


@pytest.mark.parametrize("place", PLACES, ids=map("-".join, PLACES))
def test_a_dropped_portrait_is_the_cameras_at_once(
    scene: bpy.types.Scene, tmp_path: Path, modules: SimpleNamespace, place: tuple[str, str]
) -> None:
    scene.render.engine = "BLENDER_WORKBENCH"
    path = write_portrait(tmp_path / "face.portrait", modules.schema.FACE_SCHEMA.hash)
    assert drop(over(*place), path) == {"FINISHED"}
    assert Path(scene.camera.data.photorig.portrait_path) == path


def test_nothing_is_taken_where_there_is_no_camera(
    scene: bpy.types.Scene, tmp_path: Path, modules: SimpleNamespace
) -> None:
    bpy.data.objects.remove(scene.camera)
    path = write_portrait(tmp_path / "face.portrait", modules.schema.FACE_SCHEMA.hash)
    drop(over("PROPERTIES"), path)
    assert not is_offered(over("PROPERTIES"))
    assert not any(camera.photorig.portrait_path for camera in bpy.data.cameras)


@pytest.mark.parametrize("name", ["take.mp4", "voice.wav"])
def test_footage_dropped_onto_the_properties_is_measured(
    scene: bpy.types.Scene,
    modules: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    program = tmp_path / "photorig"
    line = '{"frame": 1, "time": 0, "parameters": {"jawOpen": 0.3}}'
    program.write_text(f"#!/bin/sh\necho '{line}' > \"$4\"\n")
    program.chmod(0o755)
    monkeypatch.setattr(modules.footage, "find_executable", lambda _: program)
    assert drop(over("PROPERTIES"), photo(tmp_path, name)) == {"FINISHED"}
    assert modules.footage.slot.current.keyed.first == 1
    assert modules.compat.curve_of(scene.camera.data, "photorig.jawOpen") is not None
