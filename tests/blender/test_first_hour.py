"""What an animator meets in the first hour: the order of things, what panels say, browsers."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from fake_layout import FakeLayout
from rigs import add_face, evaluated, select

pytestmark = pytest.mark.shared_worker


@pytest.fixture(autouse=True)
def nothing_is_left(modules: SimpleNamespace) -> Iterator[None]:
    yield
    modules.portrait_fit.slot.cancel()
    modules.portrait_fit.slot.forget()
    modules.sequence_job.slot.forget()


def drawn(panel: type[bpy.types.Panel], context: Any = None) -> FakeLayout:
    layout = FakeLayout()
    panel.draw(SimpleNamespace(layout=layout), context or bpy.context)
    return layout


def sidebar(modules: SimpleNamespace) -> FakeLayout:
    return drawn(modules.panels.PHOTORIG_PT_sidebar)


def with_camera(camera: bpy.types.Camera) -> SimpleNamespace:
    """The context of the properties editor."""
    names = ("scene", "view_layer", "workspace", "engine", "active_object", "region", "space_data")
    here = {name: getattr(bpy.context, name, None) for name in names}
    return SimpleNamespace(camera=camera, **here)


def all_panels(package: str) -> list[type[bpy.types.Panel]]:
    return [
        each for each in bpy.types.Panel.__subclasses__() if each.__module__.startswith(package)
    ]


def refuse_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "anna.jpg"
    path.write_bytes(b"refuse")  # see tests/contract/fake_fit_program.py
    with pytest.raises(RuntimeError):
        bpy.ops.photorig.fit_photo(filepath=str(path))


# --- what buttons do


def test_in_no_panel_a_buttons_context_outlives_it(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    panels = all_panels(modules.package)
    assert len(panels) >= 8
    context = with_camera(shot.camera.data)
    for panel in panels:  # FakeLayout refuses a context
        drawn(panel, context)
    refuse_a_photo(tmp_path)
    assert any("Try Again" in d.options.get("text", "") for d in sidebar(modules).drawn)
    for panel in panels:
        drawn(panel, context)


def test_no_code_sets_the_context_of_buttons(modules: SimpleNamespace) -> None:
    """Dialogs, menus and lists draw, too."""
    for name, module in list(importlib.sys.modules.items()):
        if name.startswith(modules.package) and getattr(module, "__file__", None):
            assert "operator_context =" not in inspect.getsource(module), name


def opened(operator: str, **properties: Any) -> SimpleNamespace:
    """An operator whose button was pressed, and what it gave to the file browser."""
    kind = next(
        each
        for each in bpy.types.Operator.__subclasses__()
        if getattr(each, "bl_idname", "") == f"photorig.{operator}"
    )
    given: list[Any] = []
    pressed = SimpleNamespace(filepath="", files=(), directory="", **properties)
    manager = SimpleNamespace(fileselect_add=given.append)
    context = SimpleNamespace(window_manager=manager, scene=bpy.context.scene)
    assert kind.invoke(pressed, context, None) == {"RUNNING_MODAL"}
    assert given == [pressed]
    return pressed


CHOOSERS = ("fit_photo", "load_portrait", "import_performance", "import_mapping", "connect_worker")


@pytest.mark.parametrize("operator", CHOOSERS)
def test_a_browser_opens_beside_the_file_with_no_name_in_it(
    scene: bpy.types.Scene, tmp_path: Path, operator: str
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert opened(operator).filepath == f"{tmp_path}/"


def test_photos_are_chosen_by_their_pictures(scene: bpy.types.Scene) -> None:
    assert opened("fit_photo").display_type == "THUMBNAIL"


def test_every_operator_that_opens_a_file_is_tested_here(addon: Any) -> None:
    opening = {
        each.bl_idname.removeprefix("photorig.")
        for each in bpy.types.Operator.__subclasses__()
        if each.__module__.startswith(addon.__name__)
        and "fileselect_add" in inspect.getsource(each)
        and "export" not in each.bl_idname
    }
    assert not opening, f"{opening} do not open their browser as the others do"


# --- photo first or head first


def test_photo_first_then_head(
    scene: bpy.types.Scene, portrait: Path, modules: SimpleNamespace
) -> None:
    camera = scene.camera
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    bpy.ops.photorig.add_head()
    assert scene.camera == camera
    turn_the_head()
    assert evaluated(scene).headYaw == pytest.approx(20)
    assert len(bpy.data.cameras) == 1, "no second camera that shows nothing"


def test_head_first_then_photo(scene: bpy.types.Scene, portrait: Path) -> None:
    bpy.data.objects.remove(scene.camera)
    bpy.ops.photorig.add_head()
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    turn_the_head()
    assert evaluated(scene).headYaw == pytest.approx(20)
    assert scene.camera.data.photorig.portrait_id


def test_a_head_that_is_added_while_the_photo_is_fitted(
    scene: bpy.types.Scene, card_worker: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "anna.jpg"
    path.write_bytes(b"hang")
    modules.portrait_fit.start([path], scene.camera.data)
    bpy.ops.photorig.add_head()
    turn_the_head()
    assert evaluated(scene).headYaw == pytest.approx(20)


def test_a_rig_that_is_detected_drives_the_camera_with_the_portrait(
    scene: bpy.types.Scene, portrait: Path, modules: SimpleNamespace
) -> None:
    """The photo was given to a camera that is not the scene's."""
    close = bpy.data.objects.new("Close", bpy.data.cameras.new("Close"))
    scene.collection.objects.link(close)
    bpy.context.view_layer.objects.active = close
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    select(add_face(scene, "Face", ("jawOpen",)))
    bpy.ops.photorig.detect_rig()
    assert len(close.data.photorig.mapping)
    assert not len(scene.camera.data.photorig.mapping)
    layout = sidebar(modules)
    assert "Close" in layout.texts
    assert f"Renders show {scene.camera.name}" in layout.texts


def test_a_camera_that_a_rig_drives_keeps_its_rig(scene: bpy.types.Scene, portrait: Path) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    select(add_face(scene, "Face", ("jawOpen",)))
    bpy.ops.photorig.detect_rig()
    bpy.ops.photorig.add_head()
    owners = {item.owner.name for item in scene.camera.data.photorig.mapping}
    assert owners == {"Face"}


def turn_the_head() -> None:
    armature = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    armature.pose.bones["head"].rotation_euler[1] = np.radians(20)
    bpy.context.view_layer.update()


def test_the_panel_says_which_camera_it_edits_and_what_is_missing(
    scene: bpy.types.Scene, portrait: Path, modules: SimpleNamespace
) -> None:
    assert scene.camera.name in sidebar(modules).texts
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    assert modules.panels._NO_RIG in " ".join(sidebar(modules).texts)
    bpy.ops.photorig.add_head()
    assert modules.panels._NO_RIG not in " ".join(sidebar(modules).texts)


# --- what is said, and when


def test_start_worker_stands_where_the_first_step_is(
    scene: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    operators = [d.name for d in sidebar(modules).drawn if d.kind == "operator"]
    assert operators[0] == "photorig.start_worker"


def test_what_a_job_said_goes_with_the_file(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.photorig.render_to_sequencer(directory=f"{tmp_path}/")
    refuse_a_photo(tmp_path)
    assert "4 of 4 frames" in sidebar(modules).texts
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert modules.sequence_job.slot.current is None
    assert modules.portrait_fit.slot.current is None


def test_a_refused_render_takes_the_last_ones_success_away(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.photorig.render_to_sequencer(directory=f"{tmp_path}/")
    if hasattr(shot.render.image_settings, "media_type"):
        shot.render.image_settings.media_type = "VIDEO"
    shot.render.image_settings.file_format = "FFMPEG"
    with pytest.raises(RuntimeError, match="cannot write"):
        bpy.ops.photorig.render_to_sequencer(directory=f"{tmp_path}/")
    assert not any("4 of 4" in text for text in sidebar(modules).texts)


@pytest.mark.parametrize(
    ("progress", "seconds", "told"),
    [
        (0.0, 100, "Fitting"),
        (0.04, 100, "Fitting"),
        (0.5, 2, "Fitting"),
        (0.5, 40, "Fitting, 40 s left"),
        (0.25, 60, "Fitting, 3 min left"),
        (1.0, 60, "Fitting"),
    ],
)
def test_the_time_left(
    modules: SimpleNamespace, progress: float, seconds: float, told: str
) -> None:
    assert modules.jobs.with_time_left("Fitting", progress, seconds) == told


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_shown_upright_while_it_is_fitted(
    modules: SimpleNamespace, orientation: int, tmp_path: Path
) -> None:
    """As EXIF 2.3 numbers them; the same eight pictures as PNG files with an eXIf header."""
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3, 1) * 40
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    np.testing.assert_array_equal(modules.photo_thumbnail.upright(stored, orientation), upright)
    for order, name in (("little", b"II*\0"), ("big", b"MM\0*")):

        def number(value: int, size: int, order: str = order) -> bytes:
            return value.to_bytes(size, order)  # type: ignore[arg-type]

        entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + b"\0\0"
        tiff = name + number(8, 4) + number(1, 2) + entry + number(0, 4)
        beginning = b"\xff\xd8\xff\xe1\x00\x22Exif\0\0" + tiff
        assert modules.photo_thumbnail.exif_orientation(beginning) == orientation
        assert modules.photo_thumbnail.exif_orientation(beginning[:-8]) in (1, orientation)
    assert modules.photo_thumbnail.exif_orientation(b"") == 1


def test_a_running_fit_shows_its_photo(
    scene: bpy.types.Scene, card_worker: Path, modules: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "anna.png"
    image = bpy.data.images.new("a", 400, 300)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    n_images = len(bpy.data.images)
    fit = modules.portrait_fit.start([path], scene.camera.data)
    assert fit.thumbnail.shape == (144, 192, 3)
    assert len(bpy.data.images) == n_images
    layout = sidebar(modules)
    assert "anna.png" in layout.texts
    assert any(d.kind == "template_icon" for d in layout.drawn)


# --- where frames go


def test_frames_lie_beside_the_file_where_nobody_said_otherwise(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    shot.render.filepath = "/tmp/"
    assert "save the file" in " ".join(sidebar(modules).texts)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    told = " ".join(sidebar(modules).texts)
    assert "//shot_frames/Scene/" in told
    bpy.ops.photorig.render_to_sequencer()
    names = sorted(path.name for path in (tmp_path / "shot_frames" / "Scene").glob("*.png"))
    assert names == [f"frame_000{number}.png" for number in (1, 2, 3, 4)]
    (strip,) = modules.compat.strips_of(bpy.context.scene.sequence_editor)
    assert strip.directory == "//shot_frames/Scene/"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("//takes/a_####", "//takes/"),
        ("/mnt/farm/shot_##/", "/mnt/farm/shot_##/"),
        ("/mnt/farm/a", "/mnt/farm/"),
        ("//", "//"),
    ],
)
def test_a_path_that_was_chosen_stays_and_is_shown(
    shot: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path, path: str, told: str
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    scene.render.filepath = path
    assert told in sidebar(modules).texts
    assert scene.render.filepath == path


def test_a_file_without_a_place_says_so(shot: bpy.types.Scene, modules: SimpleNamespace) -> None:
    shot.render.filepath = "//takes/"
    assert "save it first" in " ".join(sidebar(modules).texts)
