"""Seeing the face while posing, as far as it works without a window: the tests turn the timer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from portrait_files import write_portrait


@pytest.fixture
def preview(shot: bpy.types.Scene, modules: SimpleNamespace) -> Iterator[Any]:
    """The preview, following the shot with its overlay on, at 256 pixels in motion and at 512 at
    rest."""
    live = modules.live.live
    live.in_background = True
    live.cache.clear()
    live.forget()
    bpy.context.workspace.photorig.show_overlay = True
    bpy.context.workspace.photorig.quick_size = "256"
    bpy.ops.photorig.start_worker()
    shot.frame_set(1)
    yield live
    bpy.context.workspace.photorig.property_unset("quick_size")
    live.in_background = False
    bpy.context.workspace.photorig.show_overlay = False
    bpy.context.workspace.photorig.use_image = False
    live.failure = ""


def turn(live: Any, until: Callable[[], bool] = lambda: False, seconds: float = 10) -> int:
    """Turn the timer as Blender would until something is so or it wants no more; counts turns."""
    deadline, turns = time.monotonic() + seconds, 0
    while not until() and time.monotonic() < deadline:
        wait = live.tick()
        turns += 1
        if wait is None:
            break
        time.sleep(min(wait, 0.05))
    return turns


def settle(live: Any, scene: bpy.types.Scene) -> Any:
    """Turn until nothing is under way; the follower of the scene."""
    turn(live)
    assert live.tick() is None
    return live.followers[scene.session_uid]


def frames(log: Path) -> list[str]:
    return log.read_text().split()


def test_a_frame_change_shows_the_face_small_and_then_as_chosen(
    preview: Any, shot: bpy.types.Scene, modules: SimpleNamespace, card_worker: Path
) -> None:
    shot.frame_set(3)
    follower = preview.followers[shot.session_uid]
    turn(preview, lambda: follower.is_current)
    assert follower.shown.pixels.shape == (256, 256, 3)
    settle(preview, shot)
    assert follower.is_final
    assert follower.shown.pixels.shape == (512, 512, 3)
    camera = shot.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    request = modules.frame_request.frame_request(camera, 3)
    shown = follower.wish.request
    np.testing.assert_array_equal(shown.parameters, request.parameters)
    rendered = modules.link.link.client.request_frame(shown)
    np.testing.assert_array_equal(follower.shown.pixels, rendered.pixels())


def moving(live: Any, shot: bpy.types.Scene, steps: range) -> list[int]:
    """Edges in pixels of the pictures that are shown first after each of these poses."""
    sizes = []
    for step in steps:
        shot.camera.data.photorig.browInnerUp = 0.02 * step
        bpy.context.view_layer.update()
        follower = live.followers[shot.session_uid]
        turn(live, lambda follower=follower: follower.is_current)
        sizes.append(follower.shown.pixels.shape[0])
        settle(live, shot)
    return sizes


def test_a_face_in_motion_is_shown_as_large_as_the_worker_keeps_up_with(
    preview: Any,
    shot: bpy.types.Scene,
    modules: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = bpy.context.workspace.photorig
    settings.property_unset("quick_size")
    assert settings.quick_size == "AUTO"
    settle(preview, shot)
    shown = moving(preview, shot, range(2, 9))
    assert (shown[0], shown[-1]) == (256, 512), "once it is known to be quick"
    monkeypatch.setenv("PHOTORIG_TEST_DELAY", "0.08")  # 12 pictures a second
    bpy.ops.photorig.stop_worker()
    bpy.ops.photorig.start_worker()
    turn(preview, lambda: modules.link.link.is_ready)
    preview.tick()  # which notices that it is another worker
    assert set(moving(preview, shot, range(9, 15))) == {256}
    settings.quick_size = "512"
    assert moving(preview, shot, range(15, 17)) == [512, 512], "a person's own choice goes first"


def test_nothing_is_sent_once_the_face_has_settled(
    preview: Any, shot: bpy.types.Scene, card_worker: Path
) -> None:
    settle(preview, shot)
    before = frames(card_worker)
    for _ in range(3):
        shot.camera.location.x += 1
        bpy.context.view_layer.update()
        assert preview.tick() is None
    time.sleep(0.3)
    assert preview.tick() is None
    assert frames(card_worker) == before


def test_a_loop_is_rendered_once(preview: Any, shot: bpy.types.Scene, card_worker: Path) -> None:
    for frame in (1, 2, 3, 4):
        shot.frame_set(frame)
        settle(preview, shot)
    rendered = frames(card_worker)
    assert len(rendered) == 8
    for frame in (1, 2, 3, 4) * 2:
        shot.frame_set(frame)
        follower = preview.followers[shot.session_uid]
        assert follower.is_final
        assert preview.tick() is None
    assert frames(card_worker) == rendered


def test_a_slow_worker_never_holds_a_frame_change_and_only_the_newest_is_shown(
    preview: Any, shot: bpy.types.Scene, modules: SimpleNamespace, card_worker: Path
) -> None:
    settle(preview, shot)
    preview.cache.clear()
    os.environ["PHOTORIG_TEST_DELAY"] = "0.2"
    bpy.ops.photorig.stop_worker()
    bpy.ops.photorig.start_worker()
    turn(preview, lambda: modules.link.link.is_ready)
    shot.frame_set(1)
    turn(preview, lambda: preview.followers[shot.session_uid].is_current)
    card_worker.write_text("")
    longest = 0.0
    settings = shot.camera.data.photorig
    for step in range(50):
        start = time.process_time()  # other processes must not count
        settings.browInnerUp = 0.02 * step
        bpy.context.view_layer.update()
        preview.tick()
        longest = max(longest, time.process_time() - start)
    assert longest < 0.05
    follower = settle(preview, shot)
    assert follower.is_final
    assert len(frames(card_worker)) <= 6


def test_a_scene_without_a_camera_or_portrait_says_so_and_recovers(
    preview: Any, shot: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    camera = shot.camera
    shot.camera = None
    preview.look_again()
    follower = settle(preview, shot)
    assert "has no camera" in preview.badge(follower).reason
    assert follower.shown is None
    shot.camera = camera
    preview.look_again()
    assert settle(preview, shot).is_final
    path = camera.data.photorig.portrait_path
    camera.data.photorig.portrait_path = ""
    bpy.context.view_layer.update()
    assert "has no portrait" in preview.badge(settle(preview, shot)).reason
    camera.data.photorig.portrait_path = path
    bpy.context.view_layer.update()
    assert settle(preview, shot).is_final


def test_camera_markers_cut_to_the_other_face(
    preview: Any, shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    second = bpy.data.objects.new("Second", bpy.data.cameras.new("Second"))
    shot.collection.objects.link(second)
    other = write_portrait(tmp_path / "other.portrait", modules.schema.FACE_SCHEMA.hash, seed=5)
    second.data.photorig.portrait_path = str(other)
    for camera, frame in ((shot.camera, 1), (second, 3)):
        shot.timeline_markers.new(camera.name, frame=frame).camera = camera
    portraits = []
    for frame in (1, 2, 3, 4):
        shot.frame_set(frame)
        follower = settle(preview, shot)
        assert follower.is_final
        portraits.append(follower.shown.portrait)
    one, two = portraits[0], portraits[-1]
    assert portraits == [one, one, two, two]
    assert one != two


def test_a_portrait_file_that_is_gone_is_named(
    preview: Any, shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    other = write_portrait(tmp_path / "gone.portrait", modules.schema.FACE_SCHEMA.hash, seed=9)
    shot.camera.data.photorig.portrait_path = str(other)
    other.unlink()
    bpy.context.view_layer.update()
    follower = settle(preview, shot)
    assert "There is no portrait file" in preview.badge(follower).reason


def test_a_killed_worker_is_told_and_a_new_one_goes_on(
    preview: Any, shot: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    settle(preview, shot)
    link = modules.link.link
    os.kill(link.connection.pid, signal.SIGKILL)
    while link.process.is_running:
        time.sleep(0.01)
    shot.frame_set(4)
    follower = settle(preview, shot)
    badge = preview.badge(follower)
    assert (badge.mood, badge.title) == ("bad", "The worker has failed, picture out of date")
    assert preview.failure == ""
    bpy.ops.photorig.start_worker()
    assert settle(preview, shot).is_final


def test_another_file_leaves_nothing_of_the_one_before(preview: Any, shot: bpy.types.Scene) -> None:
    settle(preview, shot)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    preview.tick()
    assert preview.followers == {}
    bpy.context.workspace.photorig.show_overlay = True
    follower = settle(preview, bpy.context.scene)
    assert "has no camera" in preview.badge(follower).reason


def test_saving_and_opening_keeps_the_overlay(
    preview: Any, shot: bpy.types.Scene, tmp_path: Path
) -> None:
    bpy.context.workspace.photorig.scale = 0.6
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"), load_ui=True)
    assert bpy.context.workspace.photorig.show_overlay
    assert bpy.context.workspace.photorig.scale == pytest.approx(0.6)
    assert settle(preview, bpy.context.scene).is_final


def test_undo_and_redo_bring_the_faces_back(preview: Any, shot: bpy.types.Scene) -> None:
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="one")
    settings = shot.camera.data.photorig
    settings.browInnerUp = 0.5
    bpy.context.view_layer.update()
    changed = settle(preview, shot).shown
    bpy.ops.ed.undo_push(message="two")
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    before = settle(preview, scene)
    assert before.is_final
    assert (before.shown.pixels != changed.pixels).any()
    bpy.ops.ed.redo()
    assert (settle(preview, bpy.context.scene).shown.pixels == changed.pixels).all()


def test_a_scene_that_is_left_is_not_followed(preview: Any, shot: bpy.types.Scene) -> None:
    settle(preview, shot)
    uid = shot.session_uid
    bpy.context.window.scene = bpy.data.scenes.new("Other")
    preview.look_again()
    turn(preview)
    assert uid not in preview.followers
    bpy.context.window.scene = shot
    preview.look_again()
    assert settle(preview, shot).is_final


def test_the_image_is_written_at_rest_only(
    preview: Any, shot: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    workspace = bpy.context.workspace
    workspace.photorig.use_image = True
    own = bpy.data.images.new(modules.preview_image.NAME, 4, 4)
    follower = preview.followers[shot.session_uid]
    turn(preview, lambda: follower.is_current and not follower.is_final)
    assert modules.preview_image.preview_image() is None
    settle(preview, shot)
    image = modules.preview_image.preview_image()
    assert image is not None
    assert image != own
    assert tuple(image.size) == (512, 512)
    values = np.empty(512 * 512 * 4, np.float32)
    image.pixels.foreach_get(values)
    shown = np.rint(values.reshape(512, 512, 4)[::-1, :, :3] * 255)
    np.testing.assert_array_equal(shown, follower.shown.pixels)
    assert not modules.preview_image.write(follower.shown)
    shot.frame_set(2)
    settle(preview, shot)
    image.pixels.foreach_get(values)
    shown = np.rint(values.reshape(512, 512, 4)[::-1, :, :3] * 255)
    np.testing.assert_array_equal(shown, follower.shown.pixels)


def test_without_a_viewport_that_wants_it_nothing_is_asked(
    preview: Any, shot: bpy.types.Scene, card_worker: Path
) -> None:
    settle(preview, shot)
    bpy.context.workspace.photorig.show_overlay = False
    before = frames(card_worker)
    shot.frame_set(4)
    assert preview.tick() is None
    assert preview.followers == {}
    assert frames(card_worker) == before


def test_rendered_shading_asks_for_the_size_of_the_render(
    preview: Any, shot: bpy.types.Scene
) -> None:
    bpy.context.workspace.photorig.show_overlay = False
    area = next(area for area in bpy.context.screen.areas if area.type == "VIEW_3D")
    area.spaces.active.shading.type = "RENDERED"
    preview.look_again()
    assert settle(preview, shot).shown.size == 256
    shot.camera.data.photorig.size = "FULL"
    bpy.context.view_layer.update()
    follower = settle(preview, shot)
    assert follower.shown.pixels.shape == (30, 40, 3)
    corners = preview.face_corners(shot)
    np.testing.assert_allclose(corners, [(0, 0), (0.75, 0), (0.75, 1), (0, 1)], atol=1e-9)


def test_handlers_go_with_the_extension(addon: Any, modules: SimpleNamespace) -> None:
    names = [name for name, _ in modules.live._HANDLERS]

    def count() -> list[int]:
        return [
            sum("preview.live" in handler.__module__ for handler in getattr(bpy.app.handlers, name))
            for name in names
        ]

    assert count() == [1] * len(names)
    modules.live.unregister()
    assert count() == [0] * len(names)
    modules.live.register()
    assert count() == [1] * len(names)


@pytest.mark.exceptions_in_console
def test_a_failure_in_a_handler_is_logged_once_and_shown(
    preview: Any, shot: bpy.types.Scene, modules: SimpleNamespace, monkeypatch, caplog
) -> None:
    def broken(*_arguments: object) -> bool:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(preview, "_follow", broken)
    for frame in (2, 3, 4):
        shot.frame_set(frame)
    monkeypatch.undo()
    assert len([r for r in caplog.records if "preview failed" in r.message]) == 1
    follower = preview.followers[shot.session_uid]
    assert preview.badge(follower).title == "Photorig failed unexpectedly"


def test_the_panel_draws(preview: Any, shot: bpy.types.Scene, modules: SimpleNamespace) -> None:
    from fake_layout import FakeLayout

    settings = bpy.context.workspace.photorig
    expected = {"PICTURE": "scale", "SIDE": "layout", "CAMERA": "opacity", "HEAD": "head_scale"}
    for layout, name in expected.items():
        settings.layout = layout
        panel = SimpleNamespace(layout=FakeLayout())
        modules.overlay_panel.PHOTORIG_PT_overlay.draw(panel, bpy.context)
        panel.layout.find("prop", name)
        panel.layout.find("prop", "rest_size")
    settings.layout = "PICTURE"
    settings.x = 0.2
    bpy.ops.photorig.reset_overlay()
    assert settings.x == 1.0


def test_a_render_asks_for_no_previews(
    preview: Any, shot: bpy.types.Scene, card_worker: Path, tmp_path: Path
) -> None:
    settle(preview, shot)
    before = len(frames(card_worker))
    shot.render.filepath = str(tmp_path / "frame_")
    bpy.ops.render.render(animation=True)
    assert frames(card_worker)[before:] == ["1", "2", "3", "4"]
    settle(preview, shot)
    assert frames(card_worker)[before:] == ["1", "2", "3", "4"]


def test_writing_the_image_starts_nothing(
    preview: Any, shot: bpy.types.Scene, card_worker: Path
) -> None:
    bpy.context.workspace.photorig.use_image = True
    settle(preview, shot)
    before = frames(card_worker)
    bpy.context.view_layer.update()
    assert preview.tick() is None
    assert frames(card_worker) == before


def test_the_preference_bounds_the_cache(
    preview: Any, shot: bpy.types.Scene, addon: Any, modules: SimpleNamespace
) -> None:
    settle(preview, shot)
    preferences = bpy.context.preferences.addons[addon.__name__].preferences
    kept = preferences.preview_megabytes
    try:
        preferences.preview_megabytes = 0
        assert len(preview.cache) == 0
        assert preview.followers[shot.session_uid].is_final
        for frame in (2, 3):
            shot.frame_set(frame)
            assert settle(preview, shot).is_final
        assert preview.cache.size == 0
    finally:
        preferences.preview_megabytes = kept
    assert preview.cache.limit == kept << 20


def test_the_operator_shows_and_hides_the_face(preview: Any, shot: bpy.types.Scene) -> None:
    settings = bpy.context.workspace.photorig
    bpy.ops.photorig.toggle_overlay()
    assert not settings.show_overlay
    assert preview.tick() is None
    assert preview.followers == {}
    bpy.ops.photorig.stop_worker()
    bpy.ops.photorig.toggle_overlay()
    assert settings.show_overlay
    assert settle_after_start(preview, shot).is_final


def settle_after_start(live: Any, scene: bpy.types.Scene) -> Any:
    """Turn until the worker has started and the face is as chosen."""
    turn(live, lambda: scene.session_uid in live.followers)
    follower = live.followers[scene.session_uid]
    turn(live, lambda: follower.is_final, seconds=30)
    return follower


def test_running_through_frames_asks_for_few(
    preview: Any, shot: bpy.types.Scene, card_worker: Path
) -> None:
    shot.frame_end = 40
    settings = shot.camera.data.photorig
    for frame in range(1, 41):
        settings.browInnerUp = frame / 50
        settings.keyframe_insert("browInnerUp", frame=frame)
    shot.frame_set(1)
    settle(preview, shot)
    before = len(frames(card_worker))
    for frame in range(2, 41):
        shot.frame_set(frame)
    assert settle(preview, shot).is_final
    # The first and the last in motion, and the last at rest.
    assert frames(card_worker)[before:] == ["2", "40", "40"]
