"""A photo becomes a portrait, and the portrait a head: panels, progress, cancel."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from session import WindowSession
from steps import (
    EMPTY_PIXELS,
    SIDEBAR,
    choose_file,
    cut,
    default_button,
    measured_yaw,
    show_sidebar,
    shown_face,
    square,
    wait_for_face,
)

pytestmark = pytest.mark.timeout(1800)

_FIT = "module('portrait.fit').slot.current"
_PORTRAIT = "bpy.context.scene.camera.data.photorig.portrait_id"
_WORST_DEGREES = 8.0
"""Between the photo and the grey head as a face finder sees it on the screen."""
_HEAD = "module('head.job').slot.current"


@pytest.fixture(scope="module")
def photo(session: WindowSession, sample_portrait: Path) -> Path:
    """A picture of a person who does not exist, in the folder of the shot."""
    return Path(shutil.copy(sample_portrait.with_suffix(".png"), session.run / "Berta.png"))


def begin_fit(blender: WindowSession, photo: Path, is_quick: bool) -> None:
    """Photo…, the file, the option in the file browser's sidebar, Fit Photo."""
    show_sidebar(blender, "Photorig")
    blender.press(*SIDEBAR, "photorig.fit_photo")
    blender.wait_for("bool(areas('FILE_BROWSER'))", 30, "a file browser is open")
    blender.ask(f"areas('FILE_BROWSER')[0].spaces.active.active_operator.quick = {is_quick}")
    choose_file(blender, photo)


def test_a_fit_shows_its_progress_and_can_be_cancelled(blender: WindowSession, photo: Path) -> None:
    before = blender.ask(f"answer = {_PORTRAIT}")
    begin_fit(blender, photo, is_quick=False)
    blender.wait_for(f"{_FIT}.progress > 0", 300, "the fit is under way")
    blender.screenshot("fit-progress")
    blender.press(*SIDEBAR, "photorig.cancel_fit")
    blender.wait_for("not module('portrait.fit').slot.is_running", 30, "the fit has ended")
    assert blender.find_button(*SIDEBAR, "photorig.fit_photo")
    assert blender.ask(f"answer = {_PORTRAIT}") == before
    assert not photo.with_suffix(".portrait").exists()


def test_a_quick_fit_makes_the_photo_the_cameras_portrait(
    blender: WindowSession, photo: Path
) -> None:
    before = blender.ask(f"answer = {_PORTRAIT}")
    begin_fit(blender, photo, is_quick=True)
    blender.wait_for(f"{_FIT} is not None and {_FIT}.is_done", 900, "the portrait is made")
    assert not blender.ask(f"answer = {_FIT}.error")
    assert blender.ask(f"answer = {_PORTRAIT}") != before
    assert photo.with_suffix(".portrait").exists()
    wait_for_face(blender)
    picture = shown_face(blender, "fit-done")
    assert picture.std() > EMPTY_PIXELS
    assert np.isfinite(measured_yaw(picture))


def test_a_head_is_made_in_the_likeness_of_the_portrait(blender: WindowSession) -> None:
    cameras = blender.ask(
        """
        for item in bpy.data.objects:  # with keyframes the head would keep its pose
            if item.type == "ARMATURE":
                item.animation_data_clear()
        answer = len(bpy.data.cameras)
        """
    )
    before = blender.screenshot("head-before")
    blender.press(*SIDEBAR, "photorig.create_head")
    blender.click(*default_button(blender, before, "head-asked"))
    blender.wait_for(f"{_HEAD} is not None and {_HEAD}.is_done", 300, "the head is made")
    assert not blender.ask(f"answer = {_HEAD}.error")
    heads = "len(module('head.build').heads_in(bpy.context.scene))"
    assert blender.ask(f"answer = {heads}") == 1, "the grey one has taken on the likeness"
    assert blender.ask("answer = len(bpy.data.cameras)") == cameras
    blender.screenshot("head-made")
    place = blender.ask(
        """
        def steps():
            area = areas("VIEW_3D")[0]
            shading = area.spaces.active.shading
            shading.type, shading.color_type = "SOLID", "TEXTURE"
            window().workspace.photorig.show_overlay = False
            bpy.context.scene.camera.data.show_background_images = False
            yield 2.0
            return place_of(area)
        """
    )
    # The head alone, with the photo on its skin: a face finder finds a face in it.
    picture = square(cut(blender.screenshot("head-textured"), place))
    in_photo = blender.ask(
        """
        settings = bpy.context.scene.camera.data.photorig
        answer = module("camera.properties").photo_parameters(settings)["headYaw"]
        """
    )
    assert abs(measured_yaw(picture) - in_photo) < _WORST_DEGREES
