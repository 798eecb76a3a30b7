# SPDX-License-Identifier: GPL-3.0-or-later
"""A rigged head to start from: face with ARKit shape keys, head bone, eyes, camera and light.

The face is MediaPipe's canonical face with the 52 ARKit shape keys that the worker too moves faces
by (see data/README.md); `photorig train head-shapes` makes the data file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..compat import plain_driver
from ..extension import FOLDER
from ..mapping.connect import connect_head_bone, connect_shape_keys
from ..shared.errors import InputError
from .board import add_board

HEAD_BONE = "head"
NECK_BONE = "neck"
_DATA = FOLDER / "data" / "photorig_head.npz"
COLOURS = {
    "Skin": (0.72, 0.50, 0.40),
    "Lips": (0.52, 0.22, 0.20),
    "Brows": (0.10, 0.06, 0.04),
    "Mouth": (0.07, 0.015, 0.015),
    "Teeth": (0.70, 0.67, 0.60),
    "Tongue": (0.55, 0.20, 0.20),
    "Eye White": (0.86, 0.86, 0.83),
    "Iris": (0.10, 0.23, 0.33),
    "Pupil": (0.005, 0.005, 0.005),
}
PUPIL_ANGLE, IRIS_ANGLE = 0.19, 0.47  # radians from the line of sight
BLINK_RETREAT, SQUINT_RETREAT = 0.003, 0.0015
"""Metres by which an eye goes back under closing lids, whose vertices move along straight lines."""
_CAMERA_DISTANCE, _CAMERA_LENS = 0.85, 78.0


@dataclass(frozen=True)
class HeadObjects:
    """What was added to the scene. Moving the armature object moves all of it.

    Attributes:
        mesh: face with shape keys of ARKit names; its first 468 vertices are MediaPipe's.
        armature: bones "neck" and "head"; the face looks along -Y at rest.
        camera: in front of the face, its parameters driven by the shape keys and the head bone.
        eyes: the right one and the left one, carried by the head bone.
    """

    mesh: bpy.types.Object
    armature: bpy.types.Object
    camera: bpy.types.Object
    eyes: tuple[bpy.types.Object, ...] = ()


@cache
def head_arrays() -> dict[str, np.ndarray]:
    """Arrays of the data file, as worker/training/head_model/command.py writes them.

    Raises InputError.
    """
    try:
        with np.load(_DATA, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError) as error:
        raise InputError(
            f"The head's data file cannot be read: {error}", "Install the extension again."
        ) from error


def build_head(
    context: bpy.types.Context,
    name: str = "Photorig Head",
    shape: Mapping[str, np.ndarray] | None = None,
    use_board: bool = False,
    camera: bpy.types.Object | None = None,
) -> HeadObjects:
    """Add the head at the 3D cursor, in a collection of its own, and connect its drivers.

    The camera becomes the scene's unless the scene's present camera shows a portrait.

    Args:
        shape: arrays that take the place of the built-in head's (``head_arrays``).
        use_board: give it a control board, which then drives its shape keys.
        camera: the one that the head drives, which stays where it is; None for a new one in front
            of the face.

    Raises:
        InputError: the data file is missing or damaged.
    """
    scene = context.scene
    data = {**head_arrays(), **(shape or {})}
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    armature = _add_armature(context, collection, name, Vector(data["pivot"].tolist()))
    mesh = _add_mesh(collection, name, data)
    _bind(mesh, armature, data["head_weight"])
    eyes = [
        _add_eye(collection, f"{name} Eye {side}", side, Vector(centre.tolist()), mesh, armature)
        for side, centre in zip(("Right", "Left"), data["eye_centres"], strict=True)
    ]
    camera = camera or _add_camera(collection, name, armature)
    _add_light(collection, name, armature)
    armature.location = scene.cursor.location
    _connect(camera.data, mesh, armature)
    if scene.camera is None or not scene.camera.data.photorig.portrait_id:
        scene.camera = camera
    for item in context.selected_objects:
        item.select_set(False)
    armature.select_set(True)
    context.view_layer.objects.active = armature
    if use_board:
        add_board(context, armature)
    return HeadObjects(mesh, armature, camera, tuple(eyes))


def heads_in(scene: bpy.types.Scene) -> list[HeadObjects]:
    """The heads of this kind in a scene that can be changed, however they are named by now."""
    return [
        head
        for item in scene.objects
        if item.type == "ARMATURE" and (head := _head_of(scene, item)) is not None
    ]


def head_of_camera(scene: bpy.types.Scene, camera: bpy.types.Camera) -> HeadObjects | None:
    """The head that a camera's portrait belongs to: the one that drives the camera, else the only
    one in the scene that shows nobody else."""
    portrait = camera.photorig.portrait_id
    heads = heads_in(scene)
    for head in heads:
        if any(row.owner == head.mesh for row in camera.photorig.mapping):
            return head
    free = [h for h in heads if h.camera.data.photorig.portrait_id in ("", portrait)]
    return free[0] if len(free) == 1 else None


def _head_of(scene: bpy.types.Scene, armature: bpy.types.Object) -> HeadObjects | None:
    n_vertices = len(head_arrays()["vertices"])
    children = [item for item in armature.children if item.is_editable]
    faces = [
        item
        for item in children
        if item.type == "MESH"
        and item.data.shape_keys is not None
        and len(item.data.vertices) == n_vertices
        and item.data.is_editable
    ]
    eyes = [each for each in children if each.type == "MESH" and each.parent_bone == HEAD_BONE]
    if len(faces) != 1 or len(eyes) != 2 or HEAD_BONE not in armature.data.bones:
        return None
    eyes.sort(key=lambda eye: eye.location.x)  # the person's right one is at the picture's left
    cameras = [item for item in children if item.type == "CAMERA"]
    camera = cameras[0] if cameras else _driven_camera(scene, faces[0])
    return None if camera is None else HeadObjects(faces[0], armature, camera, tuple(eyes))


def _driven_camera(scene: bpy.types.Scene, face: bpy.types.Object) -> bpy.types.Object | None:
    for item in scene.objects:
        if item.type == "CAMERA" and any(r.owner == face for r in item.data.photorig.mapping):
            return item
    return None


def reshape(head: HeadObjects, shape: Mapping[str, np.ndarray]) -> None:
    """Give a head that is there another face. Its keyframes, its drivers and its place stay.

    Args:
        shape: arrays that take the place of the built-in head's (``head_arrays``).
    """
    data = {**head_arrays(), **shape}
    mesh = head.mesh.data
    mesh.vertices.foreach_set("co", data["vertices"].astype(np.float32).ravel())
    blocks = mesh.shape_keys.key_blocks
    mesh.shape_keys.reference_key.data.foreach_set("co", data["vertices"].astype("f4").ravel())
    for key_name, offsets in zip(data["key_names"], data["key_offsets"], strict=True):
        block = blocks.get(str(key_name))
        if block is not None:
            positions = data["vertices"] + offsets.astype(np.float32)
            block.data.foreach_set("co", positions.astype(np.float32).ravel())
    mesh.update()
    for eye, side, centre in zip(head.eyes, ("Right", "Left"), data["eye_centres"], strict=True):
        _place_eye(eye, side, Vector(centre.tolist()), head.mesh)


def add_camera(head: HeadObjects, name: str) -> HeadObjects:
    """The head with a camera of its own in front of the face, which it drives, too."""
    camera = _add_camera(head.armature.users_collection[0], name, head.armature)
    _connect(camera.data, head.mesh, head.armature)
    return replace(head, camera=camera)


def _connect(camera: bpy.types.Camera, mesh: bpy.types.Object, armature: bpy.types.Object) -> None:
    connect_shape_keys(camera, mesh)
    connect_head_bone(camera, armature, HEAD_BONE)


def _material(name: str) -> bpy.types.Material:
    """The material of that name that an earlier head brought, or a new one."""
    full_name = f"Photorig {name}"
    material = bpy.data.materials.get(full_name)
    if material is None:
        material = bpy.data.materials.new(full_name)
        colour = (*COLOURS[name], 1.0)
        material.diffuse_color = colour
        material.roughness = 0.5
        if material.node_tree is None:  # always there from 5.0 on, where the switch goes away
            material.use_nodes = True
        shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
        shader.inputs["Base Color"].default_value = colour
        shader.inputs["Roughness"].default_value = 0.5
    return material


def _add_mesh(
    collection: bpy.types.Collection, name: str, data: dict[str, np.ndarray]
) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    triangles = data["triangles"]
    mesh.from_pydata(data["vertices"].tolist(), [], triangles.tolist())
    for material in data["material_names"]:
        mesh.materials.append(_material(str(material)))
    mesh.polygons.foreach_set("material_index", data["materials"].astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(triangles), bool))
    corners = data["uv"][triangles.ravel()]
    mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", corners.ravel())
    item = bpy.data.objects.new(name, mesh)
    collection.objects.link(item)
    _add_shape_keys(item, data)
    mesh.update()
    return item


def _add_shape_keys(item: bpy.types.Object, data: dict[str, np.ndarray]) -> None:
    item.shape_key_add(name="Basis", from_mix=False)
    for key_name, offsets in zip(data["key_names"], data["key_offsets"], strict=True):
        block = item.shape_key_add(name=str(key_name), from_mix=False)
        positions = data["vertices"] + offsets.astype(np.float32)
        block.data.foreach_set("co", positions.ravel())
        block.slider_min, block.slider_max, block.value = 0.0, 1.0, 0.0


def _add_armature(
    context: bpy.types.Context, collection: bpy.types.Collection, name: str, pivot: Vector
) -> bpy.types.Object:
    """Bones along +Z whose own Z axis points where the face looks: Y is yaw, X pitch, Z roll."""
    armature = bpy.data.objects.new(f"{name} Rig", bpy.data.armatures.new(f"{name} Rig"))
    collection.objects.link(armature)
    armature.show_in_front = True
    armature.data.display_type = "STICK"
    context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    neck = armature.data.edit_bones.new(NECK_BONE)
    neck.head, neck.tail = pivot - Vector((0, 0, 0.1)), pivot
    head = armature.data.edit_bones.new(HEAD_BONE)
    head.head, head.tail, head.parent = pivot, pivot + Vector((0, 0, 0.18)), neck
    for bone in (neck, head):
        bone.align_roll(Vector((0, -1, 0)))
    bpy.ops.object.mode_set(mode="OBJECT")
    for pose_bone in armature.pose.bones:
        # The order in which the worker composes the angles, so the channels are the parameters.
        pose_bone.rotation_mode = "ZXY"
    armature.pose.bones[NECK_BONE].lock_location = (True, True, True)
    return armature


def _bind(mesh: bpy.types.Object, armature: bpy.types.Object, head_weight: np.ndarray) -> None:
    mesh.parent = armature
    for bone, weights in ((HEAD_BONE, head_weight), (NECK_BONE, 1 - head_weight)):
        group = mesh.vertex_groups.new(name=bone)
        for weight in np.unique(weights[weights > 0]):
            group.add(np.flatnonzero(weights == weight).tolist(), float(weight), "REPLACE")
    modifier = mesh.modifiers.new("Rig", "ARMATURE")
    modifier.object = armature


def _add_eye(
    collection: bpy.types.Collection,
    name: str,
    side: str,
    centre: Vector,
    face: bpy.types.Object,
    armature: bpy.types.Object,
) -> bpy.types.Object:
    """A ball that looks along -Y, carried by the head bone and turned by the eyeLook shape keys."""
    eye = bpy.data.objects.new(name, _eye_mesh(float(head_arrays()["eye_radius"])))
    collection.objects.link(eye)
    bone = armature.data.bones[HEAD_BONE]
    eye.parent, eye.parent_type, eye.parent_bone = armature, "BONE", HEAD_BONE
    # A child's space lies at the bone's tail; undone, the eye is placed in the armature's axes.
    tail = bone.matrix_local @ Matrix.Translation((0, bone.length, 0))
    eye.matrix_parent_inverse = tail.inverted()
    eye.lock_location = eye.lock_rotation = (True, True, True)
    outwards = 1 if side == "Left" else -1
    to_side, to_top = head_arrays()["gaze_angles"].tolist()
    keys = {key: f"{key}{side}" for key in ("eyeLookOut", "eyeLookIn", "eyeLookUp", "eyeLookDown")}
    sideways = f"(eyeLookOut - eyeLookIn) * {outwards * to_side:.6f}"
    upwards = f"(eyeLookDown - eyeLookUp) * {to_top:.6f}"
    _drive(eye, ("rotation_euler", 2), sideways, keys, face)
    _drive(eye, ("rotation_euler", 0), upwards, keys, face)
    _place_eye(eye, side, centre, face)
    return eye


def _place_eye(eye: bpy.types.Object, side: str, centre: Vector, face: bpy.types.Object) -> None:
    """Where an eye is at rest, and how far it goes back under closing lids."""
    eye.location = centre
    lids = {"eyeBlink": f"eyeBlink{side}", "eyeSquint": f"eyeSquint{side}"}
    retreat = f"eyeBlink * {BLINK_RETREAT} + eyeSquint * {SQUINT_RETREAT}"
    _drive(eye, ("location", 1), f"{centre.y:.6f} + {retreat}", lids, face)


def _drive(
    item: bpy.types.Object,
    channel: tuple[str, int],
    expression: str,
    keys: dict[str, str],
    face: bpy.types.Object,
) -> None:
    """Drive one channel by shape keys; ``keys`` is the shape key's name by the variable's."""
    curve = plain_driver(item, *channel)
    for variable_name, key in keys.items():
        if variable_name not in expression:
            continue
        variable = curve.driver.variables.new()
        variable.name, variable.type = variable_name, "SINGLE_PROP"
        target = variable.targets[0]
        target.id_type, target.id = "KEY", face.data.shape_keys
        target.data_path = f'key_blocks["{key}"].value'
    curve.driver.type = "SCRIPTED"
    curve.driver.expression = expression


def _eye_mesh(radius: float) -> bpy.types.Mesh:
    """A ball with iris and pupil around its -Y pole; both eyes and all heads share it."""
    mesh = bpy.data.meshes.get("Photorig Eye")
    if mesh is not None:
        return mesh
    mesh = bpy.data.meshes.new("Photorig Eye")
    rings = [0.5 * PUPIL_ANGLE, PUPIL_ANGLE, 0.5 * (PUPIL_ANGLE + IRIS_ANGLE), IRIS_ANGLE]
    rings += [0.7, 1.0, 1.3, 1.6, 2.0, 2.5]
    sides = 32
    around = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    vertices = [(0.0, -radius, 0.0)]
    for angle in rings:
        sideways, forward = radius * math.sin(angle), -radius * math.cos(angle)
        vertices += [(sideways * math.cos(a), forward, sideways * math.sin(a)) for a in around]
    faces: list[tuple[int, ...]] = [(0, 1 + i, 1 + (i + 1) % sides) for i in range(sides)]
    materials = [2] * sides
    for ring in range(len(rings) - 1):
        inner, outer = 1 + ring * sides, 1 + (ring + 1) * sides
        for i in range(sides):
            after = (i + 1) % sides
            faces.append((inner + i, outer + i, outer + after, inner + after))
            materials.append(2 if ring < 1 else 1 if ring < 3 else 0)
    mesh.from_pydata(vertices, [], faces)
    for name in ("Eye White", "Iris", "Pupil"):
        mesh.materials.append(_material(name))
    mesh.polygons.foreach_set("material_index", np.array(materials, np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    mesh.update()
    return mesh


def _add_camera(
    collection: bpy.types.Collection, name: str, armature: bpy.types.Object
) -> bpy.types.Object:
    camera = bpy.data.objects.new(f"{name} Camera", bpy.data.cameras.new(f"{name} Camera"))
    collection.objects.link(camera)
    camera.data.lens = _CAMERA_LENS
    camera.data.sensor_fit = "VERTICAL"  # the whole face is in the picture, however wide that is
    camera.data.clip_start = 0.01
    camera.parent = armature
    camera.location = (0, -_CAMERA_DISTANCE, 0.01)
    camera.rotation_euler = (math.pi / 2, 0, 0)
    return camera


def _add_light(collection: bpy.types.Collection, name: str, armature: bpy.types.Object) -> None:
    light = bpy.data.objects.new(f"{name} Light", bpy.data.lights.new(f"{name} Light", "AREA"))
    collection.objects.link(light)
    light.data.energy, light.data.size = 12.0, 0.6
    light.parent = armature
    light.location = (-0.45, -0.75, 0.55)
    light.rotation_euler = Vector((0.45, 0.75, -0.5)).to_track_quat("-Z", "Y").to_euler()
