"""A first shot in a real window, in the order in which an animator makes one, with mouse clicks.

Each step goes on where the one before ended. What a screenshot must show is measured in it; no
picture is compared pixel by pixel.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from session import HEIGHT, WIDTH, WindowSession

pytestmark = pytest.mark.timeout(1500)

SIDEBAR = ("VIEW_3D", "UI")
VIEWPORT = (WIDTH // 5, HEIGHT * 2 // 3)
"""A place of the viewport with nothing in it."""
FRAMES = 6
_YAWS = (-18.0, 18.0)
_DEFAULT_BUTTON = np.array([71, 114, 179])
"""Colour that Blender's theme gives to the button that Return would press."""
_BUTTON_WIDTH = 60
_EMPTY_PIXELS = 12.0
"""A place of a screenshot with less contrast than this shows no picture of a face."""


def overlay_place(blender: WindowSession) -> tuple[int, int, int, int]:
    """x, y, width, height of the overlay on the screen, as the extension itself places it."""
    x, y, width, height = blender.ask(
        """
        area = areas("VIEW_3D")[0]
        with in_region(area):
            spot = module("preview.overlay").spot_of(bpy.context, 1.0).picture
        region = region_of(area)
        corner = on_screen(region.x + spot.x, region.y + spot.y + spot.height)
        answer = [*corner, round(spot.width), round(spot.height)]
        """
    )
    return x, y, width, height


def shown_face(blender: WindowSession, name: str) -> np.ndarray:
    """What the overlay shows on a screenshot, (h, w, 3) uint8 RGB."""
    x, y, width, height = overlay_place(blender)
    assert x >= 0 and x + width <= WIDTH and y >= 0 and y + height <= HEIGHT
    return blender.screenshot(name)[y : y + height, x : x + width]


def measured_yaw(picture: np.ndarray) -> float:
    """Which way the face in a picture looks, by the worker's own eyes, in degrees."""
    from photorig.shared.schema import ARKIT_52
    from photorig.worker.faces.net3d import Net3D

    large = cv2.resize(picture, (512, 512), interpolation=cv2.INTER_CUBIC)
    face = Net3D().analyze_one(large)
    return float(face.parameters[ARKIT_52.index["headYaw"]])


def wait_for_face(blender: WindowSession) -> None:
    """Until the overlay has the picture of what is asked now, drawn."""
    blender.wait_for(
        "[f.is_current for f in module('preview.live').live.followers.values()][:1] == [True]",
        120,
        "the overlay shows what was asked",
    )
    blender.ask("module('preview.live').redraw_all_viewports()")
    blender.ask("answer = 1")


def show_sidebar(blender: WindowSession, tab: str) -> None:
    """Open the viewport's sidebar as the N key does, with one of its tabs in front."""
    blender.ask(
        f"""
        def steps():
            area = areas("VIEW_3D")[0]
            area.spaces.active.show_region_ui = True
            area.tag_redraw()
            yield 0.5
            region_of(area, "UI").active_panel_category = {tab!r}
            area.tag_redraw()
            yield 0.5
        """
    )


def choose_file(blender: WindowSession, path: Path) -> None:
    """Name a file in the browser that an operator has opened, and press its button."""
    blender.wait_for("bool(areas('FILE_BROWSER'))", 30, "a file browser is open")
    blender.ask(
        f"""
        def steps():
            space = areas("FILE_BROWSER")[0].spaces.active
            for attempt in range(50):
                if space.params is not None:
                    break
                yield 0.2
            space.params.directory = {str(path.parent)!r}.encode()
            space.params.filename = {path.name!r}
            yield 1.0
        """
    )
    blender.screenshot(f"browse-{path.suffix[1:]}")
    blender.press("FILE_BROWSER", "EXECUTE", "file.execute")
    blender.wait_for("not areas('FILE_BROWSER')", 60, "the file browser is closed")


def test_the_panels_are_in_the_sidebar(blender: WindowSession) -> None:
    show_sidebar(blender, "Photorig")
    place = blender.find_button(*SIDEBAR, "photorig.start_worker")
    assert place[0] > WIDTH / 2
    blender.screenshot("sidebar")


def test_start_worker_starts_the_real_worker(blender: WindowSession) -> None:
    blender.press(*SIDEBAR, "photorig.start_worker")
    blender.wait_for("module('worker_link').link.is_ready", 300, "the worker is ready")
    assert blender.ask("answer = module('worker_link').link.welcome.model_id")
    assert blender.find_button(*SIDEBAR, "photorig.stop_worker")
    blender.screenshot("worker")


def test_a_head_is_added_with_its_camera(blender: WindowSession) -> None:
    blender.point(*VIEWPORT)
    blender.key("Delete")
    blender.wait_for("'Cube' not in bpy.context.scene.objects", 30, "the cube has gone")
    blender.press(*SIDEBAR, "photorig.add_head")
    blender.wait_for("bool(bpy.context.scene.camera.data.animation_data)", 60, "the rig drives")
    blender.point(*VIEWPORT)
    blender.key("KP_0")
    view = "areas('VIEW_3D')[0].spaces.active.region_3d.view_perspective"
    blender.wait_for(f"{view} == 'CAMERA'", 30, "the view is the camera's")
    blender.screenshot("head")


def test_a_portrait_is_loaded_through_the_file_browser(
    blender: WindowSession, sample_portrait: Path
) -> None:
    blender.press(*SIDEBAR, "photorig.load_portrait")
    choose_file(blender, sample_portrait)
    blender.wait_for("bpy.context.scene.camera.data.photorig.portrait_id", 60, "a portrait")
    assert not blender.ask("answer = bpy.context.scene.camera.data.photorig.portrait_problem")


def test_the_overlay_shows_the_face(blender: WindowSession) -> None:
    blender.ask(
        """
        bpy.context.scene.camera.data.photorig.size = "256"
        window().workspace.photorig.rest_size = "256"
        """
    )
    blender.press(*SIDEBAR, "show_overlay")
    wait_for_face(blender)
    picture = shown_face(blender, "overlay")
    assert picture.std() > _EMPTY_PIXELS
    assert abs(measured_yaw(picture)) < 25


def test_detect_rig_tells_what_it_found_before_it_maps(blender: WindowSession) -> None:
    blender.ask(
        """
        for item in bpy.context.scene.objects:
            item.select_set(item.type in ("MESH", "ARMATURE"))
        bpy.context.scene.camera.data.photorig.mapping.clear()
        """
    )
    before = blender.screenshot("detect-before")
    blender.press(*SIDEBAR, "photorig.detect_rig")
    blender.click(*default_button(blender, before, "detect"))
    rows = blender.wait_for("len(bpy.context.scene.camera.data.photorig.mapping)", 60, "rows")
    assert rows >= 40


def default_button(blender: WindowSession, before: np.ndarray, name: str) -> tuple[int, int]:
    """Middle of the blue button of the dialog that comes up after a first screenshot."""
    for _ in range(30):
        after = blender.screenshot(name)
        is_new = np.abs(before.astype(int) - after).max(2) > 20
        is_blue = np.abs(after.astype(int) - _DEFAULT_BUTTON).max(2) < 12
        mask = (is_new & is_blue).astype(np.uint8)
        _, _, boxes, middles = cv2.connectedComponentsWithStats(mask)
        # A slider elsewhere is blue, too, and may have been drawn anew.
        widths = boxes[:, cv2.CC_STAT_WIDTH] * is_button(boxes)
        if widths.max() > _BUTTON_WIDTH:
            x, y = middles[widths.argmax()]
            return round(x), round(y)
        time.sleep(1.0)
    raise AssertionError("no dialog has come up")


def is_button(boxes: np.ndarray) -> np.ndarray:
    """Which connected parts have the height of a button; the first one is the background."""
    heights = boxes[:, cv2.CC_STAT_HEIGHT]
    return (np.arange(len(boxes)) > 0) & (heights > 12) & (heights < 40)


def test_a_pose_becomes_keyframes(blender: WindowSession) -> None:
    blender.ask(
        f"""
        scene = bpy.context.scene
        scene.frame_start, scene.frame_end = 1, {FRAMES}
        scene.frame_set(1)
        """
    )
    blender.point(*VIEWPORT)
    blender.key("ctrl+Tab")
    blender.wait_for("bpy.context.mode == 'POSE'", 30, "pose mode")
    blender.click(*blender.ask("answer = bone_on_screen('head')"))
    blender.wait_for("bpy.context.active_pose_bone.name == 'head'", 30, "the bone is chosen")
    blender.point(*VIEWPORT)
    turn(blender, _YAWS[0])
    scrub_to_last_frame(blender)
    turn(blender, _YAWS[1] - _YAWS[0])
    blender.key("ctrl+Tab")
    blender.wait_for("bpy.context.mode == 'OBJECT'", 30, "object mode")


def turn(blender: WindowSession, degrees: float) -> None:
    """R Z and a number, Enter, and I for a keyframe."""
    number = ["minus" if letter == "-" else letter for letter in f"{degrees:.0f}"]
    blender.key("r", "z", *number, "Return")
    keys = "sum(len(c.keyframe_points) for c in rig_curves())"
    before = blender.ask(f"answer = {keys}")
    blender.key("i")
    blender.wait_for(f"{keys} > {before}", 30, "a keyframe")


def test_scrubbing_turns_the_face(blender: WindowSession) -> None:
    blender.ask("bpy.context.scene.frame_set(1)")
    wait_for_face(blender)
    first = shown_face(blender, "scrub-first")
    scrub_to_last_frame(blender)
    wait_for_face(blender)
    last = shown_face(blender, "scrub-last")
    assert np.abs(first.astype(int) - last).mean() > 5
    yaws = measured_yaw(first), measured_yaw(last)
    assert abs(yaws[1] - yaws[0]) > 20, yaws
    asked = blender.ask("answer = bpy.context.scene.camera.data.photorig.headYaw")
    assert np.sign(asked) == np.sign(yaws[1])


def scrub_to_last_frame(blender: WindowSession) -> None:
    """Press the right arrow over the viewport, as often as it takes."""
    blender.point(*VIEWPORT)
    for frame in range(2, FRAMES + 1):
        blender.key("Right")
        blender.wait_for(f"bpy.context.scene.frame_current == {frame}", 30, f"frame {frame}")


def test_render_to_sequencer_makes_one_strip_of_all_frames(blender: WindowSession) -> None:
    folder = blender.run / "shot"
    blender.ask(
        f"""
        scene = bpy.context.scene
        scene.render.engine = "PHOTORIG"
        scene.render.filepath = {str(folder) + "/"!r}
        bpy.ops.photorig.use_exact_colours()
        """
    )
    blender.press(*SIDEBAR, "photorig.render_to_sequencer")
    blender.wait_for("module('render_jobs').current is not None", 30, "a job")
    blender.wait_for("module('render_jobs').current.is_done", 400, "all frames are rendered")
    assert not blender.ask("answer = module('render_jobs').current.error")
    assert len(list(folder.glob("*.png"))) == FRAMES
    strips = blender.ask(
        """
        editor = bpy.context.scene.sequence_editor
        strips = editor.strips if hasattr(editor, "strips") else editor.sequences
        answer = [[strip.type, strip.frame_final_duration] for strip in strips]
        """
    )
    assert strips == [["IMAGE", FRAMES]]


def test_the_sequencer_shows_the_strip_and_its_picture(blender: WindowSession) -> None:
    place = blender.ask(
        """
        def steps():
            area = areas("VIEW_3D")[0]
            area.type = "SEQUENCE_EDITOR"
            area.spaces.active.view_type = "SEQUENCER_PREVIEW"
            yield 2.0
            with in_region(area):
                bpy.ops.sequencer.view_all()
            with in_region(area, "PREVIEW"):
                bpy.ops.sequencer.view_all_preview()
            yield 2.0
            region = region_of(area, "PREVIEW")
            corner = on_screen(region.x, region.y + region.height)
            return [*corner, region.width, region.height]
        """
    )
    x, y, width, height = place
    preview = blender.screenshot("sequencer")[y : y + height, x : x + width]
    assert preview.std() > _EMPTY_PIXELS
    assert abs(measured_yaw(square(preview))) > 5


def square(picture: np.ndarray) -> np.ndarray:
    """The largest square in the middle."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def test_the_camera_panel_shows_portrait_and_sliders(blender: WindowSession) -> None:
    blender.ask(
        """
        def steps():
            area = areas("SEQUENCE_EDITOR")[0]
            area.type = "VIEW_3D"
            scene = bpy.context.scene
            for item in scene.objects:
                item.select_set(item == scene.camera)
            bpy.context.view_layer.objects.active = scene.camera
            yield 1.0
            editor = areas("PROPERTIES")[0]
            editor.spaces.active.context = "DATA"
            yield 1.0
            with in_region(editor):  # below Blender's own panels
                for page in range(8):
                    bpy.ops.view2d.scroll_down(deltay=100)
            yield 1.0
        """
    )
    assert blender.find_button("PROPERTIES", "WINDOW", "photorig.fit_photo")
    blender.screenshot("camera")


def test_stop_worker_leaves_blender_usable(blender: WindowSession) -> None:
    show_sidebar(blender, "Photorig")
    blender.press(*SIDEBAR, "photorig.stop_worker")
    blender.wait_for("not module('worker_link').link.is_ready", 60, "the worker has ended")
    assert blender.find_button(*SIDEBAR, "photorig.start_worker")


def test_blenders_console_holds_no_exception(session: WindowSession) -> None:
    console = session.console
    assert re.search(r"(?m)^Traceback|^\w*Error: |EXCEPTION_ACCESS", console) is None, console
