"""Footage becomes curves on a rig in a real window: file browser, progress, notes, strips."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from session import WindowSession
from steps import SIDEBAR, VIEWPORT, choose_file, show_sidebar

pytestmark = pytest.mark.timeout(900)

FRAMES = 96
_JOB = "module('mapping.footage').slot.current"


@pytest.fixture(scope="module")
def video(session: WindowSession, sample_portrait: Path) -> Path:
    """A person who does not exist tilts the head; for ten frames nobody is there."""
    face = cv2.resize(cv2.imread(str(sample_portrait.with_suffix(".png"))), (512, 512))[..., ::-1]
    path = session.run / "take.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 640, 512, "yuv420p"
        for number in range(FRAMES):
            turn = cv2.getRotationMatrix2D((256, 256), 12 * np.sin(number / 9), 0.95)
            turn[:, 2] += (64 + 25 * np.sin(number / 14), 0)
            picture = cv2.warpAffine(face, turn, (640, 512), borderValue=(90, 90, 90))
            if 40 <= number < 50:
                picture[:] = 90
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def test_a_head_is_there_to_be_keyed(blender: WindowSession, sample_portrait: Path) -> None:
    blender.ask(
        f"""
        scene = bpy.context.scene
        if bpy.context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        for item in list(scene.objects):
            bpy.data.objects.remove(item)
        with in_region(areas("VIEW_3D")[0]):
            bpy.ops.photorig.add_head()
        scene.camera = next(item for item in scene.objects if item.type == "CAMERA")
        bpy.ops.photorig.load_portrait(filepath={str(sample_portrait)!r})
        scene.frame_start, scene.frame_end = 1, {FRAMES}
        with in_region(areas("VIEW_3D")[0]):
            bpy.ops.view3d.view_camera()
        """
    )
    show_sidebar(blender, "Photorig")


def test_a_video_is_chosen_with_what_becomes_of_it(blender: WindowSession, video: Path) -> None:
    blender.ask(
        """
        with in_region(areas("VIEW_3D")[0]):
            bpy.ops.photorig.import_performance("INVOKE_DEFAULT")
        """
    )
    blender.wait_for("bool(areas('FILE_BROWSER'))", 30, "a file browser is open")
    blender.ask(
        """
        space = areas("FILE_BROWSER")[0].spaces.active
        space.show_region_tool_props = True
        operator = space.active_operator
        operator.onto, operator.as_strip, operator.smoothing = "RIG", True, 0.3
        """
    )
    choose_file(blender, video)
    blender.wait_for(f"{_JOB} is not None", 30, "the analysis has begun")


def test_its_progress_is_in_the_status_bar_and_the_window_can_be_used(
    blender: WindowSession,
) -> None:
    blender.wait_for(f"{_JOB}.progress > 0.1 or {_JOB}.is_done", 120, "frames are measured")
    blender.screenshot("footage-progress")
    blender.ask("bpy.context.scene.frame_set(3)", timeout=20)
    blender.wait_for(f"{_JOB}.is_done", 300, "the video is analysed")
    assert not blender.ask(f"answer = {_JOB}.error")


def test_what_was_keyed_and_what_was_not_seen_stands_in_the_panel(blender: WindowSession) -> None:
    notes = blender.ask(f"answer = list({_JOB}.notes)")
    assert any("10 frames without the face skipped: 41-50" in note for note in notes), notes
    blender.point(*VIEWPORT)
    assert blender.find_button(*SIDEBAR, "photorig.dismiss_import")
    blender.screenshot("footage-told")


def test_the_take_is_a_strip_of_the_rig(blender: WindowSession) -> None:
    names = blender.ask(
        """
        rig = next(item for item in bpy.context.scene.objects if item.type == "ARMATURE")
        tracks = rig.animation_data.nla_tracks
        answer = [strip.name for track in tracks for strip in track.strips]
        """
    )
    assert names == ["take"]
    rolls = blender.ask(
        """
        answer = []
        for frame in (1, 15):
            bpy.context.scene.frame_set(frame)
            viewer = bpy.context.scene.camera
            depsgraph = bpy.context.evaluated_depsgraph_get()
            answer.append(viewer.evaluated_get(depsgraph).data.photorig.headRoll)
        """
    )
    assert abs(rolls[1] - rolls[0]) > 5
    blender.ask(
        """
        area = areas("VIEW_3D")[0]
        area.type = "NLA_EDITOR"
        rig = next(item for item in bpy.context.scene.objects if item.type == "ARMATURE")
        rig.select_set(True)
        bpy.context.view_layer.objects.active = rig
        with in_region(area):
            bpy.ops.nla.view_all()
        area.spaces.active.show_region_ui = False

        def steps():
            yield 1.0
        """
    )
    blender.screenshot("footage-strips")
    blender.ask("areas('NLA_EDITOR')[0].type = 'VIEW_3D'")
    show_sidebar(blender, "Photorig")
    blender.press(*SIDEBAR, "photorig.dismiss_import")
    blender.wait_for(f"{_JOB} is None", 30, "the line has gone")
