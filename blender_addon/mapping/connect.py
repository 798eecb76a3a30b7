# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect a rig to a camera's parameters: find what it has, and put the rows there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..camera.extra_parameters import schema_of
from ..camera.mapping_rows import RigRow, add_row, changing, remove_row, remove_rows
from ..extension import FOLDER, PACKAGE
from ..shared.errors import InputError
from ..shared.mapping.presets import Coverage, Preset, coverage_of, detect, read_presets, suggested
from ..shared.mapping.rows import BODY
from ..shared.parameters.schema import FACE_SCHEMA, ParameterSchema
from .head_bone import AUTO, HEAD_PARAMETERS, guess_head_bone, head_rows, object_rows
from .rig import candidates, faces_first, rows_of

_BUILT_IN = FOLDER / "presets"
_A_WHOLE_FACE = 20
"""Parameters from which on a mesh without an armature is taken for a head that turns by itself."""


def user_preset_folder() -> Path:
    """Where a person's own presets are kept; made if missing."""
    return Path(bpy.utils.extension_path_user(PACKAGE, path="presets", create=True))


def all_presets() -> dict[str, Preset]:
    """Built-in and own presets by id; an own one replaces a built-in of the same id."""
    return read_presets(_BUILT_IN, user_preset_folder())


@dataclass(frozen=True)
class Detection:
    """What a rig fits.

    Attributes:
        coverages: the best first.
        objects: the rig's, the mesh with the face first.
    """

    coverages: tuple[Coverage, ...]
    objects: tuple[bpy.types.Object, ...]

    @property
    def faces(self) -> tuple[bpy.types.Object, ...]:
        """The meshes that have shape keys, the one that is taken for the face first."""
        return tuple(i for i in self.objects if getattr(i.data, "shape_keys", None) is not None)

    def coverage(self, preset_id: str = "") -> Coverage | None:
        """Of a preset, or the best; None where nothing fits."""
        for coverage in self.coverages:
            if preset_id in ("", coverage.preset.id):
                return coverage
        return None

    def chosen(self, preset_ids: str = "") -> list[Coverage]:
        """Of presets whose ids stand in a text with spaces or commas; of "" those that go together.

        Raises:
            InputError: one of them does not fit at all.
        """
        ids = preset_ids.replace(",", " ").split()
        if not ids:
            return suggested(self.coverages)
        found = [self.coverage(each) for each in dict.fromkeys(ids)]
        if None in found:
            missing = ids[found.index(None)]
            raise InputError(
                f"Nothing of this rig has a name that the preset {missing!r} knows",
                "Choose another preset, or add rows by hand.",
            )
        return [coverage for coverage in found if coverage is not None]

    def head(self, preset: Preset | None, bone: str = "") -> tuple[bpy.types.Object, str] | None:
        """The armature that has a head bone, and the bone's name.

        Args:
            bone: its name; "" for one that is named as a head.
        """
        names = preset.head_bones if preset is not None else ()
        for item in self.objects:
            if item.type != "ARMATURE":
                continue
            found = bone or guess_head_bone(item, names)
            if found is not None and found in item.data.bones:
                return item, found
        return None

    def head_object(self, coverages: Sequence[Coverage]) -> bpy.types.Object | None:
        """The mesh that is a head of its own: a whole face that no armature moves."""
        if any(item.type == "ARMATURE" for item in self.objects) or not self.faces:
            return None
        parameters = {name for coverage in coverages for name in coverage.parameters}
        return self.faces[0] if len(parameters) >= _A_WHOLE_FACE else None


def detect_rig(
    objects: Sequence[bpy.types.Object], schema: ParameterSchema = FACE_SCHEMA, face: str = ""
) -> Detection:
    """Which presets fit these objects, and how well. Changes nothing.

    Args:
        schema: the parameters that may be driven; see extra_parameters.schema_of.
        face: name of the mesh with the face; "" for the one whose shape keys move most vertices.
    """
    presets = [preset.known_to(schema) for preset in all_presets().values()]
    ordered = faces_first(objects, face)
    return Detection(tuple(detect(presets, candidates(ordered))), tuple(ordered))


@dataclass(frozen=True)
class Applied:
    """What was mapped.

    Attributes:
        parameters: ids of those that are driven now.
        problem: why the head bone was left out, "" where it was not.
        coverages: of the presets that were used.
    """

    parameters: tuple[str, ...]
    problem: str = ""
    coverages: tuple[Coverage, ...] = ()


def apply_preset(
    camera: bpy.types.Camera,
    detection: Detection,
    preset_id: str = "",
    head_bone: str = "",
    replace: bool = True,
    head_space: str = AUTO,
) -> Applied:
    """Map a rig by presets, and its head.

    Args:
        preset_id: one id or several with spaces; "" for those that fit best together.
        head_bone: "" for one that is named as a head.
        replace: take all other rows away; else they stay, and new ones join them.
        head_space: what the head's turns are measured from; see head_bone.HEAD_SPACES.

    Raises:
        InputError: nothing fits.
    """
    coverages = detection.chosen(preset_id)
    head = detection.head(coverages[0].preset if coverages else None, head_bone)
    if not coverages and head is None:
        raise InputError(
            "Nothing of this rig has a known name",
            "Name its controls as ARKit does, or add rows by hand.",
        )
    rows = [row for coverage in coverages for row in rows_of(coverage, detection.objects)]
    problem = ""
    try:
        rows += _rows_of_head(detection, coverages, head, head_space)
    except InputError as error:
        if not rows:
            raise
        problem = str(error)
    return Applied(_put(camera, rows, everything=replace), problem, tuple(coverages))


def _rows_of_head(
    detection: Detection,
    coverages: Sequence[Coverage],
    head: tuple[bpy.types.Object, str] | None,
    space: str,
) -> list[RigRow]:
    if head is not None:
        return head_rows(*head, space, detection.faces)
    item = detection.head_object(coverages)
    if item is None and space != AUTO and len(detection.faces) == len(detection.objects):
        item = detection.faces[0]
    return [] if item is None else object_rows(item, space)


def connect_shape_keys(camera: bpy.types.Camera, mesh_object: bpy.types.Object) -> tuple[str, ...]:
    """Map the shape keys that have ARKit's names, in any usual spelling.

    Where several keys stand for one parameter (browInnerUp_L and browInnerUp_R), their mean counts.

    Returns:
        The ids of the parameters that these rows drive.

    Raises:
        InputError: no shape key has a known name.
    """
    preset = all_presets()["arkit"].known_to(schema_of(camera))
    coverage = coverage_of(preset, candidates([mesh_object]))
    if not coverage.matches:
        raise InputError(
            f"{mesh_object.name!r} has no shape key with an ARKit name",
            "Name them as in jawOpen or eyeBlinkLeft, or select another mesh.",
        )
    _put_as_only(camera, rows_of(coverage, [mesh_object]))
    return coverage.parameters


def connect_head_bone(
    camera: bpy.types.Camera, armature: bpy.types.Object, bone_name: str, space: str = BODY
) -> tuple[str, ...]:
    """Map the head's angles and place to a bone; see head_bone.head_rows.

    Returns:
        The ids of the parameters that these rows drive.

    Raises:
        InputError: there is no such bone, it lies askew at rest, or it is not understood how the
            character stands.
    """
    rows = head_rows(armature, bone_name, space)
    _put_as_only(camera, rows)
    return tuple(dict.fromkeys(rig_row.row.parameter for rig_row in rows))


def _put_as_only(camera: bpy.types.Camera, rows: list[RigRow]) -> None:
    """Let these rows be the only ones of their parameters."""
    with changing(camera) as settings:
        remove_rows(settings, {each.row.parameter for each in rows})
        _add(settings, rows)


def _put(camera: bpy.types.Camera, rows: Iterable[RigRow], everything: bool) -> tuple[str, ...]:
    """Let these rows join those that are there, or take the place of ``everything``.

    A row that is there already is not doubled, and a head that is mapped again is mapped once.
    """
    rows = list(rows)
    with changing(camera) as settings:
        if everything:
            remove_rows(settings)
        else:
            _remove_same(settings, rows)
        _add(settings, rows)
    return tuple(camera.photorig.mapped_parameters.split())


def _remove_same(settings: bpy.types.PropertyGroup, rows: Sequence[RigRow]) -> None:
    heads = {each.owner for each in rows if each.row.parameter in HEAD_PARAMETERS}
    same = {
        (each.owner, each.row.source.kind, each.row.source.control, each.row.source.channel)
        + (each.row.parameter, each.row.end > each.row.start)
        for each in rows
    }
    for index in reversed(range(len(settings.mapping))):
        item = settings.mapping[index]
        is_head = item.parameter in HEAD_PARAMETERS and item.owner in heads
        key = (item.owner, item.kind, item.control, item.channel, item.parameter)
        if is_head or (*key, item.end > item.start) in same:
            remove_row(settings, index)


def _add(settings: bpy.types.PropertyGroup, rows: Iterable[RigRow]) -> None:
    for rig_row in rows:
        add_row(settings, rig_row)
    settings.use_mapping = True
    settings.mapping_index = min(settings.mapping_index, len(settings.mapping) - 1)
