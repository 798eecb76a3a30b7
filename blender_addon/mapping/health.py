# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a rig still reaches the face: said in the panel, mended when a file is opened if that can
be, and a reason not to render.
"""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..camera.extra_parameters import data_path, restore, schema_of
from ..camera.mapping_rows import PhotorigMappingRow
from ..shared.errors import InputError
from .driver_targets import curve_at, driver_problem, read_target
from .drivers import compile_mapping, problem_of
from .turn_drivers import copies_of, turn_problem

_FIRST = 3
"""Rows that a sentence names."""


def shown_problem(item: PhotorigMappingRow) -> str:
    """Why a row drives nothing, "" where it does; what it read may have gone since it was made."""
    problem = item.problem or problem_of(item)
    if problem or not item.compiled:
        return problem
    return _driver_problem(item.id_data, item)


def _driver_problem(camera: bpy.types.Camera, item: PhotorigMappingRow) -> str:
    parameter, name = item.compiled.split()
    curve = curve_at(camera, data_path(parameter))
    problem = driver_problem(curve)
    if problem or curve is None:
        return problem
    variable = curve.driver.variables.get(name)
    target = read_target(variable) if variable is not None else None
    return turn_problem(target) if target is not None else "Its driver reads something else"


def broken_rows(camera: bpy.types.Camera) -> list[tuple[PhotorigMappingRow, str]]:
    """Rows that should drive something and do not, and why; one that is only begun is not broken.

    Args:
        camera: evaluated or not.
    """
    settings = camera.photorig
    if not settings.use_mapping:
        return []
    heard = [item for item in settings.mapping if not item.mute]
    if any(item.solo for item in heard):
        heard = [item for item in heard if item.solo]
    told = ((item, shown_problem(item)) for item in heard if item.control or item.compiled)
    return [(item, problem) for item, problem in told if problem]


def check_mapping(camera: bpy.types.Camera) -> None:
    """Raise InputError where a row that is heard says nothing: the face would rest unasked."""
    problems = [
        f"{item.control or 'object'} → {item.parameter}: {problem}"
        for item, problem in broken_rows(camera)
    ]
    if problems:
        rest = len(problems) - _FIRST
        names = "; ".join(problems[:_FIRST]) + (f"; and {rest} more" if rest > 0 else "")
        raise InputError(
            f"The mapping of the camera {camera.name!r} has rows that drive nothing ({names})",
            "Open its Mapping panel: detect the rig again, mute these rows or remove them.",
        )


@persistent
def _mend(*_arguments: object) -> None:
    """A file was opened: write again what cannot have come through.

    Blender keeps the rows of overridden cameras and not their drivers. It does not keep what
    drivers of earlier versions read of linked characters, either.
    """
    for camera in bpy.data.cameras:
        if not len(camera.photorig.mapping) or not camera.is_editable:
            continue
        if (
            camera.override_library is not None
            or copies_of(camera)
            or any(
                item.compiled and _is_to_be_mended(camera, item) for item in camera.photorig.mapping
            )
        ):
            compile_mapping(camera)
        schema = schema_of(camera)
        for parameter in camera.photorig.mapped_parameters.split():
            if parameter in schema.index:
                restore(camera, schema.parameters[schema.index[parameter]])


def _is_to_be_mended(camera: bpy.types.Camera, item: PhotorigMappingRow) -> bool:
    curve = curve_at(camera, data_path(item.compiled.split()[0]))
    if curve is None or not curve.driver.is_valid:
        return True
    targets = [target for variable in curve.driver.variables for target in variable.targets]
    return any(target.id is None or isinstance(target.id, bpy.types.Key) for target in targets)


def register() -> None:
    bpy.app.handlers.load_post.append(_mend)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_mend)
