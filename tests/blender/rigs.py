"""Rigs to map: made here, or by Blender's own Rigify."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest


def add_face(scene: bpy.types.Scene, name: str, keys: tuple[str, ...]) -> bpy.types.Object:
    """A mesh with these shape keys, from -10 to 10."""
    face = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    scene.collection.objects.link(face)
    face.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    face.shape_key_add(name="Basis")
    for key in keys:
        block = face.shape_key_add(name=key)
        # A new key is switched on from 5.0 on.
        block.slider_min, block.slider_max, block.value = -10, 10, 0
    return face


def add_armature(scene: bpy.types.Scene, name: str, bones: tuple[str, ...]) -> bpy.types.Object:
    """An armature whose bones point up, side by side."""
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for number, bone_name in enumerate(bones):
        bone = armature.data.edit_bones.new(bone_name)
        bone.head, bone.tail = (number, 0, 0), (number, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def select(*objects: bpy.types.Object) -> None:
    """Select these objects and no others; the first is active."""
    for item in bpy.context.view_layer.objects:
        item.select_set(False)
    for item in objects:
        item.select_set(True)
    bpy.context.view_layer.objects.active = objects[0]


def evaluated(scene: bpy.types.Scene) -> bpy.types.PropertyGroup:
    """The scene camera's parameters with all drivers applied."""
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    return scene.camera.evaluated_get(depsgraph).data.photorig


def add_rigify_face(scene: bpy.types.Scene) -> bpy.types.Object:
    """The face controls of a Rigify rig as they lie at rest; measured on a generated human rig."""
    armature = add_armature(scene, "rig", ())
    bones = json.loads(Path(__file__).with_name("rigify_face.json").read_text())
    bpy.ops.object.mode_set(mode="EDIT")
    for name, at_rest in bones.items():
        bone = armature.data.edit_bones.new(name)
        bone.head, bone.tail, bone.roll = at_rest["head"], at_rest["tail"], at_rest["roll"]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def generate_rigify(scene: bpy.types.Scene) -> bpy.types.Object:
    """A human rig with a face, as Rigify makes it."""
    import addon_utils

    if addon_utils.enable("rigify", default_set=True) is None:
        pytest.skip("this Blender has no Rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    bpy.ops.pose.rigify_generate()
    return next(
        item for item in bpy.data.objects if item.type == "ARMATURE" and item is not metarig
    )


class RandomRig:
    """A rig whose every control has a random value, and random rows that read them."""

    def __init__(self, scene: bpy.types.Scene, mapping: SimpleNamespace, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self._mapping = mapping
        self.face = add_face(scene, "Face", ("a key", 'with "quotes"', "smile_L"))
        self.armature = add_armature(scene, "Rig", ("jaw", "lid.L", "eye"))
        self.armature["lift"] = 0.0
        self.armature.pose.bones["jaw"]["grip"] = 0.0

    def pose(self) -> None:
        """Give every control another value."""
        for block in list(self.face.data.shape_keys.key_blocks)[1:]:
            block.value = self.random.uniform(-2, 2)
        for bone in self.armature.pose.bones:
            bone.rotation_mode = "QUATERNION"
            bone.location = self.random.uniform(-1, 1, 3)
            bone.rotation_quaternion = (1, *self.random.uniform(-0.3, 0.3, 3))
            bone.rotation_quaternion.normalize()
            bone.scale = self.random.uniform(0.5, 2, 3)
        self.armature["lift"] = float(self.random.uniform(-2, 2))
        self.armature.pose.bones["jaw"]["grip"] = float(self.random.uniform(-2, 2))
        self.armature.update_tag()

    def row(self, parameter: str) -> tuple[object, bpy.types.Object]:
        """A random row and the object it reads."""
        source, owner = self._source()
        start, width = self.random.uniform(-1, 1), self.random.choice([-1, 1])
        values = np.float32([start, start + width * self.random.uniform(0.2, 2)])
        row = self._mapping.MappingRow(
            source,
            parameter,
            start=float(values[0]),
            end=float(values[1]),
            amount=float(np.float32(self.random.uniform(-3, 3))),
            invert=bool(self.random.random() < 0.3),
            clamp=bool(self.random.random() < 0.5),
            combine=str(self.random.choice(sorted(self._mapping.COMBINATIONS))),
        )
        return row, owner

    def _source(self) -> tuple[object, bpy.types.Object]:
        kind = self.random.choice(["SHAPE_KEY", "BONE", "PROPERTY"])
        if kind == "SHAPE_KEY":
            name = str(self.random.choice(["a key", 'with "quotes"', "smile_L"]))
            return self._mapping.Source("SHAPE_KEY", "Face", name), self.face
        if kind == "PROPERTY":
            path = str(self.random.choice(['["lift"]', 'pose.bones["jaw"]["grip"]']))
            return self._mapping.Source("PROPERTY", "Rig", path), self.armature
        bone = str(self.random.choice(["jaw", "lid.L", "eye"]))
        channel = str(self.random.choice(self._mapping.CHANNELS[1:]))
        order = str(self.random.choice(self._mapping.ORDERS))
        return self._mapping.Source("BONE", "Rig", bone, channel, order), self.armature
