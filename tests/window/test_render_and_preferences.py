"""F12 in a window of its own, and the extension's page of the preferences."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from session import WindowSession
from steps import EMPTY_PIXELS, VIEWPORT, cut, measured_yaw, square

pytestmark = pytest.mark.timeout(1500)

_PREFERENCES = ("PREFERENCES", "WINDOW")
_CHECK = "module('link.check').check"


def test_f12_shows_the_face_of_the_frame(blender: WindowSession) -> None:
    frame, folder, *size = blender.ask(
        """
        scene = bpy.context.scene
        scene.frame_set(scene.frame_end)
        render = scene.render
        answer = [scene.frame_current, bpy.path.abspath(render.filepath)]
        answer += [render.resolution_x, render.resolution_y]
        """
    )
    assert size == [256, 256]
    blender.point(*VIEWPORT)
    blender.key("F12")
    blender.wait_for("bool(areas('IMAGE_EDITOR'))", 120, "the render's window is open")
    blender.wait_for("not bpy.app.is_job_running('RENDER')", 300, "the render has ended")
    place = blender.ask("answer = place_of(areas('IMAGE_EDITOR')[0])")
    picture = square(cut(blender.screenshot("render"), place))
    assert picture.std() > EMPTY_PIXELS
    assert measured_yaw(picture) > 5
    # What F12 shows is, to the last bit, what Render to Sequencer wrote for that frame.
    rendered = blender.run / "rendered.png"
    blender.ask(f"bpy.data.images['Render Result'].save_render({str(rendered)!r})")
    file = next(Path(folder).glob(f"*{frame:04d}.png"))
    pictures = [cv2.imread(str(path)).astype(int) for path in (rendered, file)]
    assert np.abs(pictures[0] - pictures[1]).max() == 0


def test_escape_closes_the_render(blender: WindowSession) -> None:
    x, y, width, height = blender.ask("answer = place_of(areas('IMAGE_EDITOR')[0])")
    blender.click(x + width // 2, y + height // 2)
    blender.key("Escape")
    blender.wait_for("not areas('IMAGE_EDITOR')", 30, "the render's window is closed")


def test_the_preferences_tell_the_workers_state(blender: WindowSession) -> None:
    blender.point(*VIEWPORT)
    blender.key("ctrl+comma")
    blender.wait_for("bool(areas('PREFERENCES'))", 60, "the preferences are open")
    blender.ask(
        """
        def steps():
            bpy.ops.preferences.addon_show(module=PACKAGE)
            bpy.context.window_manager.addon_search = "Photorig"
            yield 2.0
        """
    )
    blender.screenshot("preferences")
    assert blender.find_button(*_PREFERENCES, "photorig.restart_worker")


def test_the_check_says_that_the_environment_works(blender: WindowSession) -> None:
    blender.ask(
        """
        def steps():
            with in_region(areas("PREFERENCES")[0]):
                for page in range(8):
                    bpy.ops.view2d.scroll_down(deltay=100)
            yield 1.0
        """
    )
    blender.press(*_PREFERENCES, "photorig.check_worker")
    blender.wait_for(f"{_CHECK}.state == 'done'", 300, "the check has ended")
    assert blender.ask(f"answer = {_CHECK}.is_good"), blender.ask(f"answer = {_CHECK}.report")
    blender.screenshot("preferences-check")
    blender.ask(
        """
        with in_region(areas("PREFERENCES")[0]):
            bpy.ops.wm.window_close()
        """
    )
    blender.wait_for("not areas('PREFERENCES')", 30, "the preferences are closed")
