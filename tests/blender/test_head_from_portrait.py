"""A head in the likeness of a portrait: its shape, its keys, its photo and its pose."""

from __future__ import annotations

import importlib
import math
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from fake_layout import FakeLayout
from mathutils import Euler, Vector
from portrait_files import write_portrait

WIDTH, HEIGHT = 80, 60
POSE = {"headYaw": -20.0, "headPitch": 8.0, "headRoll": 5.0, "jawOpen": 0.4, "eyeBlinkLeft": 0.25}


@pytest.fixture
def rooms(addon: ModuleType) -> SimpleNamespace:
    package = addon.__name__
    names = {
        "head": "head.build",
        "likeness": "head.likeness",
        "head_from_portrait": "head.from_portrait",
        "head_jobs": "head.job",
        "portrait_file": "camera.portrait_file",
        "messages": "shared.wire.messages",
    }
    loaded = {name: importlib.import_module(f"{package}.{at}") for name, at in names.items()}
    return SimpleNamespace(**loaded)


def face_of(rooms: SimpleNamespace, width: float = 1.0) -> np.ndarray:
    """(468, 3) cm: the built-in face, wider or narrower, with the expression of POSE."""
    data = rooms.head.head_arrays()
    points = data["vertices"][:468].astype(np.float64)
    names = data["key_names"].tolist()
    for name, value in POSE.items():
        if name in names:
            points = points + value * data["key_offsets"][names.index(name)][:468]
    points = points * [width, 1, 1] * 100
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], -1)


def measured(rooms: SimpleNamespace, modules: SimpleNamespace, width: float = 1.0) -> Any:
    """A measurement of that face in the pose of POSE, 60 cm in front of the photo's camera."""
    yaw, pitch, roll = (math.radians(POSE[name]) for name in ("headYaw", "headPitch", "headRoll"))
    rotation = np.array(
        Euler((0, yaw, 0)).to_matrix()
        @ Euler((-pitch, 0, 0)).to_matrix()
        @ Euler((0, 0, roll)).to_matrix()
    )
    transform = np.eye(4, dtype=np.float32)
    transform[:3, :3], transform[:3, 3] = rotation * 1.1, (3.0, -2.0, -60.0)
    vertices = face_of(rooms, width)
    points = vertices @ transform[:3, :3].T + transform[:3, 3]
    focal = HEIGHT / 2 / math.tan(math.radians(63) / 2)
    pixels = points[:, :2] / -points[:, 2:] * focal * [1, -1] + [WIDTH / 2, HEIGHT / 2]
    landmarks = np.concatenate([pixels, np.repeat(pixels[[33, 263]], 5, 0)]).astype(np.float32)
    parameters = modules.schema.FACE_SCHEMA.vector(POSE)
    return rooms.messages.HeadMeasurement(
        vertices.astype(np.float32), landmarks, transform, parameters, WIDTH, HEIGHT
    )


@pytest.fixture
def portrait(scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path) -> Path:
    photo = np.full((HEIGHT, WIDTH, 3), (180, 120, 90), np.uint8)
    return write_portrait(
        tmp_path / "anna.portrait",
        modules.schema.FACE_SCHEMA.hash,
        name="Anna",
        photo=photo,
        parameters=modules.schema.FACE_SCHEMA.vector(POSE),
    )


@pytest.fixture
def anna(scene: bpy.types.Scene, portrait: Path, rooms: Any, modules: SimpleNamespace) -> Any:
    """The head of a face that is a tenth narrower than the built-in one."""
    file = rooms.portrait_file.read_portrait(portrait)
    head = rooms.head_from_portrait.create_head(
        bpy.context, file, measured(rooms, modules, width=0.9)
    )
    bpy.context.view_layer.update()
    return head


def evaluated_vertices(item: bpy.types.Object) -> np.ndarray:
    seen = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = seen.to_mesh()
    points = np.array([seen.matrix_world @ vertex.co for vertex in mesh.vertices])
    seen.to_mesh_clear()
    return points


def test_the_camera_sees_each_vertex_where_the_photo_shows_its_landmark(
    anna: Any, scene: bpy.types.Scene, rooms: Any, modules: SimpleNamespace
) -> None:
    assert scene.camera == anna.camera
    assert (scene.render.resolution_x, scene.render.resolution_y) == (WIDTH, HEIGHT)
    points = evaluated_vertices(anna.mesh)[:468]
    seen = [world_to_camera_view(scene, anna.camera, Vector(point)) for point in points]
    pixels = np.array([(place.x * WIDTH, (1 - place.y) * HEIGHT) for place in seen])
    wanted = measured(rooms, modules, width=0.9).landmarks[:468]
    assert np.abs(pixels - wanted).max() < 0.15


def test_the_rig_is_posed_like_the_photo_so_that_its_picture_is_the_photo(
    anna: Any, modules: SimpleNamespace
) -> None:
    data = anna.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    assert data.photorig.mode == "ABSOLUTE"
    request = modules.frame_request.frame_request(data, 1)
    wanted = modules.schema.FACE_SCHEMA.vector(POSE)
    np.testing.assert_allclose(request.parameters, wanted, atol=2e-4)


def test_the_face_at_rest_is_as_wide_as_measured_and_has_no_expression(
    anna: Any, rooms: Any
) -> None:
    rest = np.array([vertex.co for vertex in anna.mesh.data.vertices])
    built_in = rooms.head.head_arrays()["vertices"]
    ratio = np.ptp(rest[:468, 0]) / np.ptp(built_in[:468, 0])
    assert ratio == pytest.approx(0.9, abs=0.01)
    jaw = rest[152] - built_in[152]  # the chin
    assert abs(jaw[2]) < 0.002, "the jaw of the photo was open, that of the rest pose is not"
    skull = np.ptp(rest[468:, 0]) / np.ptp(built_in[468:, 0])
    assert 0.85 < skull < 1.0, "the skull follows the face"


def test_a_blink_closes_the_eyes_of_this_face_too(anna: Any, rooms: Any) -> None:
    blocks = anna.mesh.data.shape_keys.key_blocks
    rest = np.array([point.co for point in blocks["Basis"].data])
    for side, lids in rooms.likeness._LIDS.items():
        closed = np.array([point.co for point in blocks[f"eyeBlink{side}"].data])
        upper, lower = list(lids[1:8]), list(lids[9:16])
        gap = np.linalg.norm(closed[upper] - closed[lower], axis=1).max()
        assert gap < 0.25 * np.linalg.norm(rest[upper] - rest[lower], axis=1).max()


def test_the_photo_is_on_the_skin_and_behind_the_head_and_in_the_file(anna: Any) -> None:
    skin = next(
        slot.material for slot in anna.mesh.material_slots if slot.material.name.endswith("Skin")
    )
    image = skin.node_tree.nodes.active.image
    assert image.packed_file is not None
    assert tuple(image.size) == (WIDTH, HEIGHT)
    assert anna.camera.data.background_images[0].image == image
    np.testing.assert_allclose(
        skin.diffuse_color[:3], [(level / 255) ** 2.2 for level in (180, 120, 90)], atol=0.02
    )


def test_a_second_head_does_not_repaint_the_first(
    anna: Any, portrait: Path, rooms: Any, modules: SimpleNamespace
) -> None:
    first = {slot.material.name for slot in anna.mesh.material_slots}
    eyes = anna.eyes[0].data
    rooms.head.build_head(bpy.context, "Plain")
    file = rooms.portrait_file.read_portrait(portrait)
    second = rooms.head_from_portrait.create_head(bpy.context, file, measured(rooms, modules))
    assert {slot.material.name for slot in anna.mesh.material_slots} == first
    assert anna.eyes[0].data == eyes
    assert second.eyes[0].data != eyes


def test_the_operator_asks_the_worker_and_builds_the_head(
    shot: bpy.types.Scene, modules: SimpleNamespace
) -> None:
    before = shot.camera
    bpy.ops.photorig.create_head(mode="ABSOLUTE")
    assert shot.camera != before
    assert shot.camera.data.photorig.mode == "ABSOLUTE"
    assert shot.camera.data.photorig.portrait_id == before.data.photorig.portrait_id
    assert len(shot.camera.data.photorig.mapped_parameters.split()) > 40
    assert before.data.photorig.mode == "RELATIVE", "the camera before stays as it was"


@pytest.mark.parametrize(("size", "mode"), [("256", "RELATIVE"), ("FULL", "ABSOLUTE")])
def test_size_mode_framing_and_resolution_stay_what_they_were(
    shot: bpy.types.Scene, size: str, mode: str
) -> None:
    settings = shot.camera.data.photorig
    settings.size, settings.mode, settings.framing = size, mode, "FILL"
    shot.render.resolution_x, shot.render.resolution_y = 640, 360
    bpy.ops.photorig.create_head()
    made = shot.camera.data.photorig
    assert (made.size, made.mode, made.framing) == (size, mode, "FILL")
    assert (shot.render.resolution_x, shot.render.resolution_y) == (640, 360)


@pytest.mark.parametrize("mode", ["RELATIVE", "ABSOLUTE"])
def test_in_either_mode_the_first_picture_is_the_photo(
    scene: bpy.types.Scene, portrait: Path, rooms: Any, modules: SimpleNamespace, mode: str
) -> None:
    file = rooms.portrait_file.read_portrait(portrait)
    wish = rooms.head_from_portrait.HeadWish(mode=mode)
    head = rooms.head_from_portrait.create_head(
        bpy.context, file, measured(rooms, modules, width=0.9), wish
    )
    bpy.context.view_layer.update()
    data = head.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    request = modules.frame_request.frame_request(data, 1)
    wanted = modules.schema.FACE_SCHEMA.vector(POSE if mode == "ABSOLUTE" else {})
    np.testing.assert_allclose(request.parameters, wanted, atol=2e-4)


def heads(rooms: Any) -> list[Any]:
    return list(rooms.head.heads_in(bpy.context.scene))


def test_a_head_that_is_there_takes_on_the_shape_and_keeps_its_keyframes(
    shot: bpy.types.Scene, rooms: Any
) -> None:
    """The grey head was posed first, then its likeness was wanted."""
    bpy.ops.photorig.add_head()
    (grey,) = heads(rooms)
    bone = grey.armature.pose.bones["head"]
    for frame, angle in ((1, 0.0), (4, 0.3)):
        bone.rotation_euler[1] = angle
        bone.keyframe_insert("rotation_euler", frame=frame)
    before = np.array([vertex.co for vertex in grey.mesh.data.vertices])
    grey.armature.location.x = 2.0
    bpy.ops.photorig.create_head()
    (head,) = heads(rooms)
    assert head.armature == grey.armature and head.mesh == grey.mesh
    assert head.armature.location.x == 2.0
    shaped = np.array([vertex.co for vertex in head.mesh.data.vertices])
    assert np.abs(shaped - before).max() > 1e-4
    shot.frame_set(4)
    data = shot.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    assert data.photorig.headYaw == pytest.approx(math.degrees(0.3), abs=0.01)
    assert shot.camera.data.photorig.portrait_id
    keys = head.mesh.data.shape_keys.key_blocks
    assert (
        np.abs(np.subtract(keys["jawOpen"].data[152].co, keys["Basis"].data[152].co)).max() > 0.01
    )


def test_the_likeness_made_again_is_the_same_head(shot: bpy.types.Scene, rooms: Any) -> None:
    for _ in range(2):
        bpy.ops.photorig.create_head(mode="ABSOLUTE")
    assert len(heads(rooms)) == 1
    assert len(shot.camera.data.background_images) == 1


def test_another_head_is_added_where_that_is_wanted(shot: bpy.types.Scene, rooms: Any) -> None:
    bpy.ops.photorig.add_head()
    bpy.ops.photorig.create_head(replace=False)
    assert len(heads(rooms)) == 2


def test_the_head_of_another_person_is_never_replaced(
    shot: bpy.types.Scene, rooms: Any, modules: SimpleNamespace, tmp_path: Path
) -> None:
    bpy.ops.photorig.create_head()
    (first,) = heads(rooms)
    points = [tuple(vertex.co) for vertex in first.mesh.data.vertices]
    other = bpy.data.objects.new("B", bpy.data.cameras.new("B"))
    shot.collection.objects.link(other)
    path = write_portrait(tmp_path / "b.portrait", modules.schema.FACE_SCHEMA.hash, seed=9)
    other.data.photorig.portrait_path = str(path)
    bpy.context.view_layer.objects.active = other
    bpy.ops.photorig.create_head()
    assert len(heads(rooms)) == 2
    assert [tuple(vertex.co) for vertex in first.mesh.data.vertices] == points


def test_the_button_asks_first(shot: bpy.types.Scene, modules: SimpleNamespace) -> None:
    bpy.ops.photorig.add_head()
    kind = modules.operators_rig.PHOTORIG_OT_create_head
    asked: list[Any] = []
    manager = SimpleNamespace(invoke_props_dialog=lambda each, width: asked.append(each))
    operator = SimpleNamespace(mode="KEEP", replace=True)
    kind.invoke(operator, SimpleNamespace(window_manager=manager), None)
    assert asked == [operator]
    layout, rna = FakeLayout(), bpy.ops.photorig.create_head.get_rna_type()
    owner = SimpleNamespace(bl_rna=rna, layout=layout, mode="ABSOLUTE", replace=True)
    kind.draw(owner, bpy.context)
    assert "Photorig Head Rig keeps its keyframes and its place" in layout.texts
    assert layout.has("prop", "mode") and layout.has("prop", "replace")


def test_without_a_portrait_the_button_says_what_is_missing(scene: bpy.types.Scene) -> None:
    with pytest.raises(RuntimeError, match="Give the camera a portrait first"):
        bpy.ops.photorig.create_head()


def test_a_head_is_not_built_into_a_file_that_was_opened_meanwhile(
    scene: bpy.types.Scene, portrait: Path, card_worker: Path, rooms: Any
) -> None:
    bpy.ops.photorig.load_portrait(filepath=str(portrait))
    job = rooms.head_jobs.start(bpy.context, scene.camera.data)
    name = scene.name
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert bpy.context.scene.name == name, "the other file has a scene of the same name"
    while not job.is_done:
        job.tick()
        time.sleep(0.01)
    assert "not here any more" in job.error
    assert not len(bpy.data.meshes)


def test_the_sidebar_says_what_is_missing_where_there_is_no_camera(
    scene: bpy.types.Scene, modules: Any
) -> None:
    bpy.data.objects.remove(scene.camera)
    layout = FakeLayout()
    modules.panels.PHOTORIG_PT_sidebar.draw(SimpleNamespace(layout=layout), bpy.context)
    assert any("There is no camera" in text for text in layout.texts)
    assert layout.has("operator", "photorig.add_head")
