"""The face controls as an animator uses them: a handle dragged, keyed, a pose from the shelf."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from session import WindowSession

pytestmark = pytest.mark.timeout(1200)

_FACE = "bpy.data.objects['Board Head'].data.shape_keys.key_blocks"


@pytest.fixture(scope="module")
def scene_of_its_own(session: WindowSession) -> Iterator[None]:
    """A head with its board in front view, in pose mode; then what was there is shown again."""
    session.ask(
        """
        if bpy.context.object is not None and bpy.context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        window().scene["before"] = True
        with bpy.context.temp_override(window=window()):
            bpy.ops.scene.new(type="EMPTY")
        """
    )
    session.ask(
        """
        area = areas("VIEW_3D")[0]
        with in_region(area):
            bpy.ops.photorig.add_head(name="Board Head")
            for item in bpy.context.scene.objects:
                item.hide_set(item.type in ("LIGHT", "CAMERA"))
            bpy.ops.object.mode_set(mode="POSE")
            bpy.ops.view3d.view_axis(type="FRONT")
            bpy.ops.view3d.view_all()
        area.spaces.active.show_region_ui = False
        """
    )
    time.sleep(2)
    yield
    session.ask(
        """
        with bpy.context.temp_override(window=window()):
            bpy.ops.object.mode_set(mode="OBJECT")
            board = window().scene
            window().scene = next(each for each in bpy.data.scenes if each.get("before"))
            bpy.data.scenes.remove(board)
        areas("VIEW_3D")[0].spaces.active.show_region_asset_shelf = False
        """
    )


@pytest.mark.usefixtures("scene_of_its_own")
def test_a_handle_is_dragged_as_far_as_it_goes_and_keyed(blender: WindowSession) -> None:
    x, y = blender.ask("answer = bone_on_screen('photorig_jaw')")
    blender.click(x, y)
    selected = "[bone.name for bone in bpy.context.selected_pose_bones or ()]"
    blender.wait_for(f"{selected} == ['photorig_jaw']", 20, "the handle is selected")
    blender.key("g")
    blender.point(x, y + 150)
    time.sleep(1)
    blender.key("Return")
    blender.screenshot("board-jaw")
    blender.wait_for(f"{_FACE}['jawOpen'].value == 1", 20, "the jaw is open")
    blender.key("i")
    path = 'pose.bones["photorig_jaw"].location'
    curves = f"[c for c in rig_curves() if c.data_path == {path!r}]"
    blender.wait_for(f"len({curves}) > 0", 20, "a keyframe")


@pytest.mark.usefixtures("scene_of_its_own")
def test_a_click_on_the_shelf_gives_the_face_an_expression(blender: WindowSession) -> None:
    blender.ask(
        """
        def steps():
            bpy.ops.photorig.add_pose_library()
            area = areas("VIEW_3D")[0]
            for is_shown in (False, True):  # it opens where it has something to show
                area.spaces.active.show_region_asset_shelf = is_shown
                area.tag_redraw()
                yield 2
            with in_region(area):
                bpy.ops.pose.select_all(action="DESELECT")
        """
    )
    before = blender.ask(f"answer = [block.value for block in {_FACE}]")
    x, y, _, height = blender.ask("answer = place_of(areas('VIEW_3D')[0], 'ASSET_SHELF')")
    assert height > 40, "the shelf is open"
    for column in (330, 410, 490):  # some poses differ from the one before only a little
        blender.click(x + column, y + height // 2)
        time.sleep(2)
    blender.screenshot("board-pose")
    after = blender.ask(f"answer = [block.value for block in {_FACE}]")
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) > 0.2
