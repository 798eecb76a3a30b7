# SPDX-License-Identifier: GPL-3.0-or-later
"""A rigged head in the likeness of a portrait: shaped, textured and posed like its photo.

No rig is needed to start with: its keyframes drive the photo it was made of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..camera.mapping_rows import row_of
from ..camera.portrait_file import PortraitFile
from ..camera.properties import photo_parameters
from ..extension import PACKAGE
from ..mapping.neutral import reset_to_photo
from ..portrait.choice import choose_portrait
from ..render.settings import use_picture_size_once
from ..shared.files.writing import write_atomically
from ..shared.mapping.rows import BONE, LOCATIONS, SHAPE_KEY
from ..shared.parameters.head import FIELD_OF_VIEW
from ..shared.parameters.schema import FACE_SCHEMA
from ..shared.wire.messages import HeadMeasurement
from .board import add_board, has_board, remove_board
from .build import HEAD_BONE, HeadObjects, add_camera, build_head, head_arrays, reshape
from .likeness import Likeness, iris_landmarks, likeness, white_landmarks

_PHOTO_SLOTS = ("Skin", "Lips", "Brows")
_SAMPLED_EDGE = 1024
_BACKGROUND_ALPHA = 0.5
_WHITE, _WHITE_SHARE = 0.7, 0.45
_LETTERS = "XYZ"
_PHOTO_MARK = "photorig_photo"
"""Custom property of an image that came with a head."""


@dataclass(frozen=True)
class HeadWish:
    """How a head is to be made.

    Attributes:
        mode: of its camera. In absolute mode the rig and its board are posed like the photo, in
            relative mode the photo is what the rig shows at rest; either way the picture is the
            photo until the rig moves.
        size: what its camera renders; see properties.SIZES.
        framing: see properties.FRAMINGS.
        replaces: a head that takes on the portrait's shape and keeps its keyframes, its pose where
            it has some, its drivers and its place; None for a new one at the 3D cursor.
    """

    mode: str = "ABSOLUTE"
    size: str = "FULL"
    framing: str = "FIT"
    replaces: HeadObjects | None = None


def create_head(
    context: bpy.types.Context,
    portrait: PortraitFile,
    measured: HeadMeasurement,
    wish: HeadWish | None = None,
) -> HeadObjects:
    """Make the head of a portrait, with a camera that sees it as the photo's did.

    The camera becomes the scene's; the one before it stays.

    Raises:
        InputError: the built-in head's data cannot be read, or the portrait is gone.
    """
    count = len(measured.parameters)
    values = dict(zip(FACE_SCHEMA.ids[:count], measured.parameters.tolist(), strict=False))
    shape = likeness(head_arrays(), measured, values)
    arrays = {
        "vertices": shape.vertices,
        "key_offsets": shape.key_offsets,
        "eye_centres": shape.eye_centres,
    }
    wish = wish or HeadWish()
    head = _new_or_replaced(context, f"{portrait.name} Head", arrays, wish.replaces)
    photo = _photo_image(portrait)
    colours = _Colours(photo)
    _paint(head.mesh, shape, photo, colours.at(measured.landmarks[:468], measured))
    for eye in head.eyes:
        eye.scale = (shape.eye_scale,) * 3
    _paint_eyes(
        head,
        {
            "Iris": colours.at(iris_landmarks(measured), measured, 0.3),
            "White": _brightened(colours.at(white_landmarks(measured), measured, 0.8)),
        },
    )
    _set_camera(head, portrait, shape, photo, wish)
    context.scene.camera = head.camera
    use_picture_size_once(context.scene, head.camera.data)
    if wish.replaces is None or (has_board(head.armature) and not _is_animated(head)):
        remove_board(context, head.armature)
        pose_like_photo(head)
        add_board(context, head.armature)
    elif not _is_animated(head):
        pose_like_photo(head)
    return head


def _new_or_replaced(
    context: bpy.types.Context,
    name: str,
    arrays: dict[str, np.ndarray],
    before: HeadObjects | None,
) -> HeadObjects:
    if before is None:
        return build_head(context, name, arrays)
    reshape(before, arrays)
    # A camera that somebody placed stays there.
    is_its_own = before.camera.parent == before.armature
    return before if is_its_own else add_camera(before, f"{name} Camera")


def _is_animated(head: HeadObjects) -> bool:
    owners = (head.armature.animation_data, head.mesh.data.shape_keys.animation_data)
    return any(each and (each.action or len(each.nla_tracks)) for each in owners)


def pose_like_photo(head: HeadObjects) -> None:
    """Give the rig the pose in which its camera's picture is the photo: the photo's own, or the
    rest pose in relative mode."""
    settings = head.camera.data.photorig
    is_relative = settings.mode == "RELATIVE"
    photo = {} if is_relative else photo_parameters(settings) or {}
    bone = head.armature.pose.bones[HEAD_BONE]
    for item in settings.mapping:
        row = row_of(item)
        value = row.source_value(photo.get(row.parameter, 0.0))
        if value is None:
            continue
        if row.source.kind == SHAPE_KEY:
            item.owner.data.shape_keys.key_blocks[row.source.control].value = value
        elif row.source.kind == BONE and row.source.control == bone.name:
            channel = bone.location if row.source.channel in LOCATIONS else bone.rotation_euler
            channel[_LETTERS.index(row.source.channel[-1])] = value


def _photo_image(portrait: PortraitFile) -> bpy.types.Image:
    """The photo as an image that is packed into the .blend file."""
    folder = Path(bpy.utils.extension_path_user(PACKAGE, path="photos", create=True))
    path = folder / f"{portrait.id}.png"
    write_atomically(path, portrait.photo_png, private=True)
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
        image.pack()
    finally:
        path.unlink(missing_ok=True)
    image.name = f"{portrait.name} Photo"
    image[_PHOTO_MARK] = portrait.id
    return image


class _Colours:
    """Looks up colours of a photo in a smaller copy of it."""

    def __init__(self, photo: bpy.types.Image) -> None:
        copy = photo.copy()
        try:
            shrink = min(1.0, _SAMPLED_EDGE / max(photo.size))
            copy.scale(*(max(1, round(edge * shrink)) for edge in photo.size))
            columns, rows = copy.size
            values = np.empty(columns * rows * 4, np.float32)
            copy.pixels.foreach_get(values)
        finally:
            bpy.data.images.remove(copy)
        self._pixels = values.reshape(rows, columns, 4)[::-1, :, :3]

    def at(
        self, points: np.ndarray, measured: HeadMeasurement, quantile: float = 0.5
    ) -> tuple[float, float, float]:
        """The median, or another quantile, of the colours at (n, 2) pixels, scene linear."""
        rows, columns = self._pixels.shape[:2]
        x = (points[:, 0] / measured.width * columns).astype(int).clip(0, columns - 1)
        y = (points[:, 1] / measured.height * rows).astype(int).clip(0, rows - 1)
        colour = np.quantile(self._pixels[y, x].astype(np.float64), quantile, axis=0)
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return float(linear[0]), float(linear[1]), float(linear[2])


def _paint(
    item: bpy.types.Object,
    shape: Likeness,
    photo: bpy.types.Image,
    skin: tuple[float, float, float],
) -> None:
    """The photo on the skin, as it was seen."""
    corners = np.empty(len(item.data.loops) * 2, np.float32)
    corners[:] = shape.photo_uv.ravel()
    item.data.uv_layers["UVMap"].data.foreach_set("uv", corners)
    material = _photo_material(f"{item.name} Skin", photo, skin)
    for slot in item.material_slots:
        if slot.material is not None and slot.material.name.split()[-1] in _PHOTO_SLOTS:
            slot.material = material


def _photo_material(
    name: str, photo: bpy.types.Image, skin: tuple[float, float, float]
) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material.diffuse_color = (*skin, 1.0)
    material.roughness = 0.6
    if material.node_tree is None:  # always there from 5.0 on, where the switch goes away
        material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.image, picture.extension = photo, "EXTEND"
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.6
    picture.location = (-350, 250)
    tree.nodes.active = picture  # Solid view with texture colours shows this one
    return material


def _paint_eyes(head: HeadObjects, colours: dict[str, tuple[float, float, float]]) -> None:
    """Give the eyes a mesh of their own in these colours, by the last word of a material's name."""
    mesh = head.eyes[0].data.copy()
    mesh.name = f"{head.mesh.name} Eye"
    for number, material in enumerate(mesh.materials):
        part = material.name.split()[-1] if material is not None else ""
        if part not in colours:
            continue
        own = material.copy()
        own.name = f"{head.mesh.name} {part}"
        own.diffuse_color = (*colours[part], 1.0)
        for node in own.node_tree.nodes:
            if node.type == "BSDF_PRINCIPLED":
                node.inputs["Base Color"].default_value = (*colours[part], 1.0)
        mesh.materials[number] = own
    for eye in head.eyes:
        eye.data = mesh


def _brightened(colour: tuple[float, float, float]) -> tuple[float, float, float]:
    """The white of an eye: narrow eyes show little of it, and most of that in the lids' shadow."""
    red, green, blue = (_WHITE_SHARE * _WHITE + (1 - _WHITE_SHARE) * part for part in colour)
    return red, green, blue


def _set_camera(
    head: HeadObjects,
    portrait: PortraitFile,
    shape: Likeness,
    photo: bpy.types.Image,
    wish: HeadWish,
) -> None:
    """The camera sees the head where the photo does, with the photo behind it."""
    camera = head.camera
    camera.location = shape.camera.tolist()
    data = camera.data
    data.sensor_fit = "VERTICAL"
    data.lens_unit = "FOV"
    data.angle_y = math.radians(FIELD_OF_VIEW)
    data.clip_start = 0.01
    data.show_background_images = True
    ours = [each for each in data.background_images if each.image and _PHOTO_MARK in each.image]
    background = ours[0] if ours else data.background_images.new()
    background.image, background.alpha = photo, _BACKGROUND_ALPHA
    background.frame_method, background.display_depth = "STRETCH", "BACK"
    choose_portrait(data, portrait.path)
    data.photorig.size, data.photorig.mode = wish.size, wish.mode
    data.photorig.framing = wish.framing
    reset_to_photo(data)
