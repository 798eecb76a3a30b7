"""What a renderer is expected to do beyond one still: passes, compositor, slots, layers, strips."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from portrait_files import read_pixels
from renders import floats, still, use_compositor

pytestmark = pytest.mark.shared_worker


def test_the_face_pass_is_seen_by_the_compositor(shot: bpy.types.Scene, tmp_path: Path) -> None:
    combined = still(shot, tmp_path / "combined.png")
    bpy.context.view_layer.photorig.use_pass_face = True
    use_compositor(shot, "Face")
    np.testing.assert_array_equal(still(shot, tmp_path / "face.png"), 255 - combined)


def test_the_matte_pass_is_seen_by_the_compositor(shot: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.context.view_layer.photorig.use_pass_matte = True
    use_compositor(shot, "Matte")
    expected = np.linspace(0, 255, 256).round() / 255
    matte = floats(shot, tmp_path / "matte.exr")[..., 0]
    np.testing.assert_allclose(matte, np.tile(expected, (256, 1)), atol=1e-6)


def test_a_pass_that_is_not_asked_for_costs_nothing(shot: bpy.types.Scene) -> None:
    bpy.ops.render.render()
    use_compositor(shot, "Image")
    nodes = shot.compositing_node_group if hasattr(shot, "compositing_node_group") else None
    tree = nodes or shot.node_tree
    sockets = next(node for node in tree.nodes if node.type == "R_LAYERS").outputs
    assert not {"Face", "Matte"} & {socket.name for socket in sockets if socket.enabled}


def test_a_transparent_film_cuts_the_person_out(shot: bpy.types.Scene, tmp_path: Path) -> None:
    opaque = floats(shot, tmp_path / "opaque.exr")
    assert (opaque[..., 3] == 1).all()
    shot.render.film_transparent = True
    cut_out = floats(shot, tmp_path / "cut.exr")
    matte = np.tile((np.linspace(0, 255, 256).round() / 255).astype(np.float32), (256, 1))
    np.testing.assert_allclose(cut_out[..., 3], matte, atol=1e-6)
    np.testing.assert_allclose(cut_out[..., :3], opaque[..., :3] * matte[..., None], atol=1e-5)


def test_a_filled_frame_has_no_black_and_an_exact_one_keeps_its_pixels(
    shot: bpy.types.Scene, tmp_path: Path
) -> None:
    whole = still(shot, tmp_path / "whole.png")
    shot.render.resolution_x, shot.render.resolution_y = 300, 200
    settings = shot.camera.data.photorig
    assert settings.framing == "FIT"
    settings.framing = "EXACT"
    exact = still(shot, tmp_path / "exact.png")
    np.testing.assert_array_equal(exact[:, 22:278], whole[28:228])
    assert exact[:, :22].max() == exact[:, 278:].max() == 0
    settings.framing = "FILL"
    fill = still(shot, tmp_path / "fill.png")
    assert fill.shape == (200, 300, 3)
    assert fill.min(axis=2).max(axis=0).min() > 0


def test_the_panel_says_what_happens_to_a_face_of_another_size(
    shot: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    problem = modules.render_settings.resolution_problem
    camera = shot.camera.data
    assert problem(shot, camera) == ""
    shot.render.resolution_x, shot.render.resolution_y = 1920, 1080
    assert "scaled to 1080 × 1080 with black beside it" in problem(shot, camera)
    camera.photorig.framing = "FILL"
    assert "scaled to 1920 × 1920 and cut off" in problem(shot, camera)
    bpy.ops.photorig.use_picture_size()
    assert problem(shot, camera) == ""
    assert (shot.render.resolution_x, shot.render.resolution_y) == (256, 256)


@pytest.mark.parametrize("crop", [True, False])
def test_a_region_with_awkward_edges_is_a_part_of_the_whole(
    shot: bpy.types.Scene, tmp_path: Path, crop: bool
) -> None:
    shot.render.resolution_x, shot.render.resolution_y = 250, 190
    shot.render.resolution_percentage = 58
    whole = still(shot, tmp_path / "whole.png")
    assert whole.shape == (110, 145, 3)
    render = shot.render
    render.use_border, render.use_crop_to_border = True, crop
    render.border_min_x, render.border_max_x = 0.3, 0.7
    render.border_min_y, render.border_max_y = 0.1, 0.9
    part = still(shot, tmp_path / "part.png")
    if crop:
        left = int(np.float32(0.3) * np.float32(145))
        top = 110 - int(np.float32(0.9) * np.float32(110))
        rows, columns = part.shape[:2]
        np.testing.assert_array_equal(part, whole[top : top + rows, left : left + columns])
    else:
        assert part.shape == whole.shape
        inside = (slice(15, 95), slice(48, 98))
        np.testing.assert_array_equal(part[inside], whole[inside])
        assert part[:5].max() == part[:, :40].max() == 0


def test_view_layers_share_one_frame_of_the_worker(
    shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    shot.view_layers.new("Second")
    settings = shot.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    shot.render.filepath = str(tmp_path / "layers")
    bpy.ops.render.render(write_still=True)
    assert card_worker.read_text().split() == ["1"]
    header = (tmp_path / "layers.exr").read_bytes()[:4000]
    assert b"Second.Combined.R" in header
    assert b"ViewLayer.Combined.R" in header


def test_render_slots_keep_their_pictures(shot: bpy.types.Scene, tmp_path: Path) -> None:
    result = (
        next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
        if any(image.type == "RENDER_RESULT" for image in bpy.data.images)
        else None
    )
    bpy.ops.render.render()
    result = result or next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
    pictures = []
    for slot, frame in ((0, 1), (1, 4)):
        result.render_slots.active_index = slot
        shot.frame_set(frame)
        pictures.append(still(shot, tmp_path / f"{slot}.png"))
    assert (pictures[0] != pictures[1]).any()
    for slot, picture in enumerate(pictures):
        result.render_slots.active_index = slot
        path = tmp_path / f"again{slot}.png"
        result.save_render(str(path), scene=shot)
        np.testing.assert_array_equal(read_pixels(path), picture)


def test_stamps_are_written_into_file_and_picture(shot: bpy.types.Scene, tmp_path: Path) -> None:
    plain = still(shot, tmp_path / "plain.png")
    shot.render.use_stamp, shot.render.use_stamp_note = True, True
    shot.render.stamp_note_text = "Take 7"
    stamped = still(shot, tmp_path / "stamped.png")
    assert (plain != stamped).any()
    content = (tmp_path / "stamped.png").read_bytes()
    assert b"Take 7" in content
    assert b"DigitalSourceType" in content


def test_a_scene_strip_in_another_scene_renders_the_face(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.frame_set(3)
    expected = still(shot, tmp_path / "f12.png")
    edit = bpy.data.scenes.new("Edit")
    modules.render_settings.use_exact_colours(edit)
    edit.render.resolution_x = edit.render.resolution_y = 256
    edit.frame_start, edit.frame_end = 11, 14
    strips = modules.compat.strips_of(edit.sequence_editor_create())
    strips.new_scene(name="Shot", scene=shot, channel=1, frame_start=11)
    bpy.context.window.scene = edit
    edit.frame_set(13)
    edit.render.filepath = str(tmp_path / "edit")
    bpy.ops.render.render(write_still=True)
    np.testing.assert_array_equal(read_pixels(tmp_path / "edit.png"), expected)


@pytest.mark.own_worker
def test_escape_ends_a_render_within_half_a_second(
    shot: bpy.types.Scene, modules: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.environ["PHOTORIG_TEST_DELAY"] = "20"
    bpy.ops.photorig.start_worker()
    modules.link.link.wait_until_ready(lambda: False)
    asked: list[float] = []

    def pressed(_engine: object) -> bool:
        asked.append(time.monotonic())
        return time.monotonic() > asked[0] + 0.6

    monkeypatch.setattr(modules.engine.PhotorigRenderEngine, "_is_stopped", pressed)
    bpy.ops.render.render()
    assert time.monotonic() - (asked[0] + 0.6) < 0.5


def test_camera_cuts_render_the_face_of_the_marked_camera(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    first = shot.camera
    second = first.copy()
    second.data = first.data.copy()
    second.data.animation_data_clear()
    second.data.photorig.headRoll = 15
    shot.collection.objects.link(second)
    for frame, camera in ((1, first), (3, second)):
        shot.timeline_markers.new(camera.name, frame=frame).camera = camera
    shot.render.filepath = str(tmp_path / "cut_")
    bpy.ops.render.render(animation=True)
    pictures = [read_pixels(tmp_path / f"cut_{frame:04d}.png") for frame in range(1, 5)]
    assert (pictures[1] != pictures[2]).any()
    # The second camera has no keyframes: its face stands still.
    np.testing.assert_array_equal(pictures[2], pictures[3])
    bpy.ops.photorig.render_to_sequencer(directory=f"{tmp_path / 'sequence'}/")
    for frame, picture in enumerate(pictures, start=1):
        sequence = read_pixels(tmp_path / "sequence" / f"frame_{frame:04d}.png")
        np.testing.assert_array_equal(sequence, picture)


def test_what_the_viewport_shows_is_what_a_render_writes(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.frame_set(2)
    picture = still(shot, tmp_path / "f12.png")
    camera = shot.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    client = modules.link.link.client
    client.submit_preview("test", modules.frame_request.frame_request(camera, 2))
    deadline = time.monotonic() + 20
    while (reply := client.poll_preview("test")) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    np.testing.assert_array_equal(reply.pixels(), picture)


def test_undo_and_another_file_leave_renders_right(shot: bpy.types.Scene, tmp_path: Path) -> None:
    before = still(shot, tmp_path / "before.png")
    path = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.ed.undo_push(message="before")
    shot.camera.data.photorig.headRoll = 25
    bpy.ops.ed.undo_push(message="rolled")
    assert (still(bpy.context.scene, tmp_path / "rolled.png") != before).any()
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(still(bpy.context.scene, tmp_path / "undone.png"), before)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    np.testing.assert_array_equal(still(bpy.context.scene, tmp_path / "again.png"), before)
