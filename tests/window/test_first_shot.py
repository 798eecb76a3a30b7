"""A first shot in a real window, in the order in which an animator makes one, with mouse clicks.

Each step goes on where the one before ended. What a screenshot must show is measured in it; no
picture is compared pixel by pixel.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from session import WIDTH, WindowSession
from steps import (
    EMPTY_PIXELS,
    SIDEBAR,
    VIEWPORT,
    choose_file,
    default_button,
    measured_yaw,
    scrub_to,
    show_sidebar,
    shown_face,
    square,
    turn,
    wait_for_face,
)

pytestmark = pytest.mark.timeout(1500)

FRAMES = 6
_YAWS = (-18.0, 18.0)


def test_a_new_file_is_saved(blender: WindowSession) -> None:
    """What belongs to the shot is then kept beside it, and named without folders."""
    blender.ask(f"bpy.ops.wm.save_as_mainfile(filepath={str(blender.run / 'shot.blend')!r})")


def test_the_panels_are_in_the_sidebar(blender: WindowSession) -> None:
    show_sidebar(blender, "Photorig")
    place = blender.find_button(*SIDEBAR, "photorig.start_worker")
    assert place[0] > WIDTH / 2
    blender.screenshot("sidebar")


def test_start_worker_starts_the_real_worker(blender: WindowSession) -> None:
    blender.press(*SIDEBAR, "photorig.start_worker")
    blender.wait_for("module('link.link').link.is_ready", 300, "the worker is ready")
    assert blender.ask("answer = module('link.link').link.welcome.model_id")
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
    choose_file(blender, Path(shutil.copy(sample_portrait, blender.run / "Ana.portrait")))
    blender.wait_for("bpy.context.scene.camera.data.photorig.portrait_id", 60, "a portrait")
    assert not blender.ask("answer = bpy.context.scene.camera.data.photorig.portrait_problem")


def test_the_overlay_shows_the_face(blender: WindowSession) -> None:
    blender.ask(
        """
        bpy.context.scene.camera.data.photorig.size = "256"
        window().workspace.photorig.rest_size = "256"
        bpy.ops.photorig.use_picture_size()
        """
    )
    blender.press(*SIDEBAR, "show_overlay")
    wait_for_face(blender)
    picture = shown_face(blender, "overlay")
    assert picture.std() > EMPTY_PIXELS
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
    scrub_to(blender, FRAMES)
    turn(blender, _YAWS[1] - _YAWS[0])
    blender.key("ctrl+Tab")
    blender.wait_for("bpy.context.mode == 'OBJECT'", 30, "object mode")


def test_scrubbing_turns_the_face(blender: WindowSession) -> None:
    blender.ask("bpy.context.scene.frame_set(1)")
    wait_for_face(blender)
    first = shown_face(blender, "scrub-first")
    scrub_to(blender, FRAMES)
    wait_for_face(blender)
    last = shown_face(blender, "scrub-last")
    assert np.abs(first.astype(int) - last).mean() > 5
    yaws = measured_yaw(first), measured_yaw(last)
    assert abs(yaws[1] - yaws[0]) > 20, yaws
    asked = blender.ask("answer = bpy.context.scene.camera.data.photorig.headYaw")
    assert np.sign(asked) == np.sign(yaws[1])


def test_render_to_sequencer_makes_one_strip_of_all_frames(blender: WindowSession) -> None:
    blender.ask(
        """
        scene = bpy.context.scene
        scene.render.engine = "PHOTORIG"
        scene.render.filepath = "//shot/"
        bpy.ops.photorig.use_exact_colours()
        """
    )
    blender.press(*SIDEBAR, "photorig.render_to_sequencer")
    blender.wait_for("module('sequence.job').slot.current is not None", 30, "a job")
    blender.wait_for("module('sequence.job').slot.current.is_done", 400, "all frames are rendered")
    assert not blender.ask("answer = module('sequence.job').slot.current.error")
    assert len(list((blender.run / "shot").glob("*.png"))) == FRAMES
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
            return place_of(area, "PREVIEW")
        """
    )
    x, y, width, height = place
    preview = blender.screenshot("sequencer")[y : y + height, x : x + width]
    assert preview.std() > EMPTY_PIXELS
    assert abs(measured_yaw(square(preview))) > 5


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
                for page in range(12):
                    bpy.ops.view2d.scroll_down(deltay=100)
            yield 1.0
        """
    )
    assert blender.find_button("PROPERTIES", "WINDOW", "headYaw")
    blender.screenshot("camera")
