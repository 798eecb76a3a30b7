"""A photo with two faces: two cameras, two portraits, two rigs, one picture."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from portrait_files import read_pixels, write_portrait

pytestmark = pytest.mark.shared_worker


@pytest.fixture
def bea(shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path) -> bpy.types.Object:
    """A camera whose portrait is another face of the shot's photo; an empty drives its jaw."""
    path = write_portrait(tmp_path / "bea.portrait", modules.schema.FACE_SCHEMA.hash, "Bea", seed=5)
    photo = modules.portrait_file.read_portrait(tmp_path / "face.portrait").photo_png
    content = modules.portrait_file.read_portrait(path)
    path.write_bytes(path.read_bytes().replace(content.photo_png, photo))
    camera = bpy.data.objects.new("Bea", bpy.data.cameras.new("Bea"))
    shot.collection.objects.link(camera)
    camera.data.photorig.portrait_path = str(path)
    empty = bpy.data.objects.new("Jaw", None)
    shot.collection.objects.link(empty)
    driver = camera.data.driver_add("photorig.jawOpen").driver
    driver.type, variable = "SUM", driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = empty, "location[0]"
    for frame, place in ((1, 0.0), (4, 0.6)):
        empty.location.x = place
        empty.keyframe_insert("location", frame=frame)
    return camera


def request_of(scene: bpy.types.Scene, modules: SimpleNamespace) -> object:
    bpy.context.view_layer.update()
    camera = scene.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    return modules.frame_request.frame_request(camera, scene.frame_current)


def add(bea: bpy.types.Object) -> None:
    assert bpy.ops.photorig.add_other_face() == {"FINISHED"}
    assert bpy.context.scene.camera.data.photorig.others[0].camera == bea, "the only one there is"


@pytest.mark.parametrize("hidden", [False, True], ids=["seen", "not in any view layer"])
def test_a_request_asks_for_both_faces_each_as_its_own_rig_drives_it(
    shot: bpy.types.Scene, bea: bpy.types.Object, modules: SimpleNamespace, hidden: bool
) -> None:
    add(bea)
    if hidden:
        shot.collection.objects.unlink(bea)
    shot.frame_set(4)
    request = request_of(shot, modules)
    jaw = modules.schema.FACE_SCHEMA.index["jawOpen"]
    ids = [shot.camera.data.photorig.portrait_id, bea.data.photorig.portrait_id]
    assert list(request.portraits) == ids
    assert request.parameters[jaw] == pytest.approx(0.6)
    assert request.others[0].parameters[jaw] == pytest.approx(0.6)
    bea.data.photorig.mode = "ABSOLUTE"
    assert request_of(shot, modules).others[0].mode == "absolute"


def test_f12_shows_both(
    shot: bpy.types.Scene, bea: bpy.types.Object, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.frame_set(3)

    def still(name: str) -> np.ndarray:
        shot.render.filepath = str(tmp_path / name)
        bpy.ops.render.render(write_still=True)
        return read_pixels(tmp_path / f"{name}.png")

    alone = still("alone")
    add(bea)
    both = still("both")
    assert (both != alone).any()
    bpy.ops.photorig.remove_other_face(number=0)
    np.testing.assert_array_equal(still("again"), alone)


def test_a_sequence_is_made_anew_where_the_second_face_moves_and_nowhere_else(
    shot: bpy.types.Scene, bea: bpy.types.Object, card_worker: Path, tmp_path: Path
) -> None:
    def rendered() -> set[int]:
        card_worker.write_text("")
        bpy.ops.photorig.render_to_sequencer(directory=f"{tmp_path}/frames/")
        return {int(line) for line in card_worker.read_text().split()}

    add(bea)
    assert rendered() == {1, 2, 3, 4}
    assert rendered() == set()
    jaw = bpy.data.objects["Jaw"]
    jaw.location.x = 0.9
    jaw.keyframe_insert("location", frame=4)
    assert rendered() == {2, 3, 4}


def test_the_preview_shows_both_and_follows_the_second_rig(
    shot: bpy.types.Scene, bea: bpy.types.Object, modules: SimpleNamespace
) -> None:
    live = modules.live.live
    live.in_background = True
    live.cache.clear()
    live.forget()
    bpy.context.workspace.photorig.show_overlay = True
    bpy.ops.photorig.start_worker()

    def shown() -> np.ndarray:
        deadline = time.monotonic() + 20
        while (wait := live.tick()) is not None and time.monotonic() < deadline:
            time.sleep(min(wait, 0.05))
        follower = live.followers[shot.session_uid]
        assert follower.is_final, follower.problem
        return follower.shown.pixels

    try:
        shot.frame_set(1)
        alone = shown()
        add(bea)
        live.look_again()
        both = shown()
        assert (both != alone).any()
        bpy.data.objects["Jaw"].animation_data_clear()
        bpy.data.objects["Jaw"].location.x = 0.4
        bpy.context.view_layer.update()
        assert (shown() != both).any()
    finally:
        live.in_background = False
        bpy.context.workspace.photorig.show_overlay = False


def test_a_line_without_a_camera_says_so_instead_of_leaving_a_face_out(
    shot: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    bpy.ops.photorig.add_other_face()
    with pytest.raises(modules.errors.InputError, match="has no camera"):
        request_of(shot, modules)


def test_the_second_face_is_still_there_in_a_saved_file(
    shot: bpy.types.Scene, bea: bpy.types.Object, modules: SimpleNamespace, tmp_path: Path
) -> None:
    add(bea)
    shot.frame_set(3)
    before = request_of(shot, modules)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "two.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "two.blend"))
    assert request_of(bpy.context.scene, modules) == before
