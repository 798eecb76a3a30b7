"""What a new shot is set to: the photo's own colours, all of the photo or a filled scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from portrait_files import write_portrait
from renders import still

pytestmark = pytest.mark.shared_worker
PACKAGE = "bl_ext.user_default.photorig"


@pytest.fixture
def new_scene(addon: object) -> bpy.types.Scene:
    """Blender's own new file."""
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    return bpy.context.scene


@pytest.fixture
def preferences(addon: object) -> Iterator[bpy.types.AddonPreferences]:
    chosen = bpy.context.preferences.addons[PACKAGE].preferences
    yield chosen
    chosen.shot_picture = "PHOTO"


def size_of(scene: bpy.types.Scene) -> tuple[int, int]:
    return scene.render.resolution_x, scene.render.resolution_y


@pytest.fixture
def wide(modules: SimpleNamespace, tmp_path: Path) -> Path:
    """A photo of 160 × 90 pixels with its face at the left."""
    photo = np.random.default_rng(4).integers(0, 256, (90, 160, 3), np.uint8)
    return write_portrait(tmp_path / "wide.portrait", modules.schema.FACE_SCHEMA.hash, photo=photo)


def test_a_scene_of_this_engine_has_exact_colours_without_a_question(
    new_scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    assert new_scene.view_settings.view_transform == "AgX"
    new_scene.render.engine = "PHOTORIG"
    bpy.context.view_layer.update()
    assert modules.render_settings.colour_problem(new_scene) == ""
    assert new_scene.photorig.exact_colours


def test_a_scene_of_another_engine_keeps_its_colours(
    new_scene: bpy.types.Scene, wide: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(wide))
    bpy.context.view_layer.update()
    assert new_scene.view_settings.view_transform == "AgX"


def test_what_is_chosen_afterwards_stays(new_scene: bpy.types.Scene) -> None:
    new_scene.render.engine = "PHOTORIG"
    bpy.context.view_layer.update()
    new_scene.view_settings.view_transform = "AgX"
    assert not new_scene.photorig.exact_colours
    for engine in ("CYCLES", "PHOTORIG"):
        new_scene.render.engine = engine
        bpy.context.view_layer.update()
    assert new_scene.view_settings.view_transform == "AgX"
    new_scene.photorig.exact_colours = True
    assert new_scene.view_settings.view_transform == "Standard"
    new_scene.photorig.exact_colours = False
    assert new_scene.view_settings.view_transform == "AgX"


def test_a_file_that_is_opened_keeps_its_colours(
    new_scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    """One of an earlier version, which prepared no scenes."""
    path = str(tmp_path / "old.blend")
    bpy.app.handlers.depsgraph_update_post.remove(modules.scene._prepare)
    try:
        new_scene.render.engine = "PHOTORIG"
        bpy.ops.wm.save_as_mainfile(filepath=path)
    finally:
        bpy.app.handlers.depsgraph_update_post.append(modules.scene._prepare)
    bpy.ops.wm.open_mainfile(filepath=path)
    bpy.context.view_layer.update()
    assert bpy.context.scene.view_settings.view_transform == "AgX"


def test_the_tooltip_gives_the_reason(new_scene: bpy.types.Scene) -> None:
    description = new_scene.photorig.bl_rna.properties["exact_colours"].description
    assert "AgX" in description and "pale" in description


def test_a_scene_that_nobody_sized_takes_the_photos_size(
    new_scene: bpy.types.Scene, wide: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(wide))
    settings = new_scene.camera.data.photorig
    assert (settings.size, settings.framing) == ("FULL", "FILL")
    assert size_of(new_scene) == (160, 90)
    assert "The scene is 160 × 90 pixels now, as the photo" in capfd.readouterr().out


def test_a_resolution_that_was_chosen_is_filled(new_scene: bpy.types.Scene, wide: Path) -> None:
    new_scene.render.resolution_x, new_scene.render.resolution_y = 1280, 720
    bpy.ops.photorig.load_portrait(filepath=str(wide))
    assert size_of(new_scene) == (1280, 720)
    assert new_scene.camera.data.photorig.framing == "FILL"


def test_the_other_choice_leaves_every_resolution(
    new_scene: bpy.types.Scene, wide: Path, preferences: bpy.types.AddonPreferences
) -> None:
    preferences.shot_picture = "FILL"
    bpy.ops.photorig.load_portrait(filepath=str(wide))
    assert size_of(new_scene) == (1920, 1080)
    settings = new_scene.camera.data.photorig
    assert (settings.size, settings.framing) == ("FULL", "FILL")


def test_a_camera_that_was_set_up_keeps_what_was_set(
    new_scene: bpy.types.Scene, wide: Path, portrait: Path
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(wide))
    settings = new_scene.camera.data.photorig
    settings.size, settings.framing = "256", "FIT"
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    assert (settings.size, settings.framing) == ("256", "FIT")
    assert size_of(new_scene) == (160, 90)


def test_what_a_script_has_set_before_stays(new_scene: bpy.types.Scene, wide: Path) -> None:
    new_scene.camera.data.photorig.size = "256"
    bpy.ops.photorig.load_portrait(filepath=str(wide))
    assert new_scene.camera.data.photorig.size == "256"
    assert size_of(new_scene) == (1920, 1080)


@pytest.mark.parametrize("size", [(1920, 1080), (1000, 1500), (1500, 500)])
def test_there_are_no_black_bars(
    new_scene: bpy.types.Scene,
    wide: Path,
    card_worker: Path,
    preferences: bpy.types.AddonPreferences,
    tmp_path: Path,
    size: tuple[int, int],
) -> None:
    preferences.shot_picture = "FILL"
    new_scene.render.engine = "PHOTORIG"
    new_scene.render.resolution_x, new_scene.render.resolution_y = size
    bpy.ops.photorig.load_portrait(filepath=str(wide))
    new_scene.render.resolution_percentage = 20
    picture = still(new_scene, tmp_path / "f12.png")
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert edge[:, :3].max(1).min() > 0
