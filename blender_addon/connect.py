# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect a rig to a camera's parameters: find what it has, and put the rows there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from .extra_parameters import schema_of
from .mapping_rows import RigRow, add_row, changing, remove_rows
from .rig import candidates, guess_head_bone, head_rows, rows_of
from .shared.errors import InputError
from .shared.mapping_presets import Coverage, Preset, coverage_of, detect, read_presets
from .shared.schema import ARKIT_52, ParameterSchema

_BUILT_IN = Path(__file__).parent / "presets"


def user_preset_folder() -> Path:
    """Where a person's own presets are kept; made if missing."""
    return Path(bpy.utils.extension_path_user(__package__, path="presets", create=True))


def all_presets() -> dict[str, Preset]:
    """Built-in and own presets by id; an own one replaces a built-in of the same id."""
    return read_presets(_BUILT_IN, user_preset_folder())


@dataclass(frozen=True)
class Detection:
    """What a rig fits.

    Attributes:
        coverages: the best first.
        objects: the rig's.
    """

    coverages: tuple[Coverage, ...]
    objects: tuple[bpy.types.Object, ...]

    def coverage(self, preset_id: str = "") -> Coverage | None:
        """Of a preset, or the best; None where nothing fits."""
        for coverage in self.coverages:
            if preset_id in ("", coverage.preset.id):
                return coverage
        return None

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


def detect_rig(
    objects: Sequence[bpy.types.Object], schema: ParameterSchema = ARKIT_52
) -> Detection:
    """Which presets fit these objects, and how well. Changes nothing.

    Args:
        schema: the parameters that may be driven; see extra_parameters.schema_of.
    """
    presets = [preset.known_to(schema) for preset in all_presets().values()]
    return Detection(tuple(detect(presets, candidates(objects))), tuple(objects))


@dataclass(frozen=True)
class Applied:
    """What was mapped.

    Attributes:
        parameters: ids of those that are driven now.
        problem: why the head bone was left out, "" where it was not.
    """

    parameters: tuple[str, ...]
    problem: str = ""


def apply_preset(
    camera: bpy.types.Camera,
    detection: Detection,
    preset_id: str = "",
    head_bone: str = "",
    replace: bool = True,
) -> Applied:
    """Map a rig by a preset, and its head bone if it has one.

    Args:
        preset_id: "" for the best.
        head_bone: "" for one that is named as a head.
        replace: take all other rows away.

    Raises:
        InputError: nothing fits.
    """
    coverage = detection.coverage(preset_id)
    head = detection.head(coverage.preset if coverage is not None else None, head_bone)
    if coverage is None and (head is None or preset_id):
        raise InputError(
            "Nothing of this rig has a known name",
            "Name its controls as ARKit does, or add rows by hand.",
        )
    rows = [] if coverage is None else rows_of(coverage, detection.objects)
    problem = ""
    if head is not None:
        try:
            rows += head_rows(*head)
        except InputError as error:
            if not rows:
                raise
            problem = str(error)
    return Applied(_put(camera, rows, everything=replace), problem)


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
    _put(camera, rows_of(coverage, [mesh_object]))
    return coverage.parameters


def connect_head_bone(
    camera: bpy.types.Camera, armature: bpy.types.Object, bone_name: str
) -> tuple[str, ...]:
    """Map the head's angles and place to a bone; see rig.head_rows.

    Returns:
        The ids of the parameters that these rows drive.

    Raises:
        InputError: there is no such bone, or it lies askew at rest.
    """
    rows = head_rows(armature, bone_name)
    _put(camera, rows)
    return tuple(dict.fromkeys(rig_row.row.parameter for rig_row in rows))


def _put(
    camera: bpy.types.Camera, rows: Iterable[RigRow], everything: bool = False
) -> tuple[str, ...]:
    """Let these rows be the ones of their parameters; the others stay unless ``everything``."""
    rows = list(rows)
    with changing(camera) as settings:
        remove_rows(settings, None if everything else {each.row.parameter for each in rows})
        for rig_row in rows:
            add_row(settings, rig_row)
        settings.use_mapping = True
        settings.mapping_index = min(settings.mapping_index, len(settings.mapping) - 1)
    return tuple(camera.photorig.mapped_parameters.split())
