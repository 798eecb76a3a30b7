# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters that this version of the extension does not know, but its worker does.

The built-in parameters are properties of ``camera.data.photorig``. What a newer worker has beyond
them becomes custom properties of the camera data: animatable and drivable like the others, kept in
the .blend file by id, and sent along to any worker that knows them. What a parameter is (group,
unit, limits) is kept beside it, so that a file means the same without a worker.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import bpy

from ..shared.errors import InputError
from ..shared.parameters.schema import FACE_SCHEMA, Parameter, ParameterSchema
from ..translation import said
from .remembered import json_object

PREFIX = "photorig_"
_STEPS = {"degree": 1.0, "centimetre": 0.1, "coefficient": 0.01}
_UNIT_SIGNS = {"degree": "°", "centimetre": "cm"}
_PRECISIONS = {"degree": 1, "centimetre": 2, "coefficient": 3}


def schema_of(camera: bpy.types.Camera) -> ParameterSchema:
    """The built-in parameters, and behind them those that were learned for this camera."""
    return _schema(camera.photorig.extra_parameters)


@lru_cache(maxsize=32)
def _schema(text: str) -> ParameterSchema:
    try:
        extras = ParameterSchema.from_json(json_object(text)).parameters if text else ()
    except (ValueError, TypeError, InputError):
        extras = ()  # another program wrote something else there
    known = FACE_SCHEMA.index
    extras = tuple(parameter for parameter in extras if parameter.id not in known)
    names = {*known, *(parameter.id for parameter in extras)}
    extras = tuple(p if p.mirror in names else replace(p, mirror=p.id) for p in extras)
    return (
        ParameterSchema(FACE_SCHEMA.name, FACE_SCHEMA.parameters + extras)
        if extras
        else FACE_SCHEMA
    )


def property_name(parameter: str) -> str:
    """Name of the custom property that holds an extra parameter."""
    return f"{PREFIX}{parameter}"


def data_path(parameter: str) -> str:
    """Where a parameter is, from the camera data: for keyframes and drivers."""
    if parameter in FACE_SCHEMA.index:
        return f"photorig.{parameter}"
    return f'["{bpy.utils.escape_identifier(property_name(parameter))}"]'


def is_driven(camera: bpy.types.Camera, parameter: str) -> bool:
    """Whether a driver, and so no keyframe, says a parameter's value."""
    animation = camera.animation_data
    return animation is not None and animation.drivers.find(data_path(parameter)) is not None


def value_of(camera: bpy.types.Camera, parameter: Parameter) -> float:
    """The value as slider, keyframes or driver say; at rest where somebody removed it."""
    if parameter.id in FACE_SCHEMA.index:
        return float(getattr(camera.photorig, parameter.id))
    value = camera.get(property_name(parameter.id), parameter.default)
    return float(value) if isinstance(value, (int, float)) else parameter.default


def set_value(camera: bpy.types.Camera, parameter: str, value: float) -> None:
    """Set a parameter, whichever kind it is."""
    if parameter in FACE_SCHEMA.index:
        setattr(camera.photorig, parameter, value)
    else:
        camera[property_name(parameter)] = value
        camera.update_tag()  # a script may set a custom property without Blender's noticing


def restore(camera: bpy.types.Camera, parameter: Parameter) -> None:
    """Give a parameter that will be driven a place in the file: at rest, where it had none.

    Drivers are evaluated by several threads. A value that is written for the first time is put
    into a list that all of them share, which damages it, and Blender 5.2 with it.
    """
    name = property_name(parameter.id)
    if parameter.id in FACE_SCHEMA.index:
        if not camera.photorig.is_property_set(parameter.id):
            setattr(camera.photorig, parameter.id, getattr(camera.photorig, parameter.id))
    elif name not in camera:
        camera[name] = float(parameter.default)
        _describe(camera, name, parameter)


def draw_slider(layout: bpy.types.UILayout, camera: bpy.types.Camera, parameter: Parameter) -> None:
    """The number as animators expect it, its name inside, with a dot for keyframes beside it."""
    if parameter.id in FACE_SCHEMA.index:
        layout.prop(camera.photorig, parameter.id, text=_with_unit(parameter), slider=True)
        layout.prop_decorator(camera.photorig, parameter.id)
    elif property_name(parameter.id) in camera:
        layout.prop(camera, data_path(parameter.id), text=_with_unit(parameter), slider=True)
        layout.prop_decorator(camera, data_path(parameter.id))
    else:
        layout.label(text=f"{parameter.label} was removed from the camera's custom properties")


def _with_unit(parameter: Parameter) -> str:
    """The label, and the unit of what is no share: Blender has none for angles in degrees."""
    sign = _UNIT_SIGNS.get(parameter.unit)
    return said(parameter.label) + (f" ({sign})" if sign else "")


def learn(camera: bpy.types.Camera, schema: ParameterSchema) -> None:
    """Give a camera what a worker knows beyond the built-in parameters.

    What it has learned before stays, so that another worker can be used in between.
    """
    said = {p.id: p for p in schema.parameters if p.id not in FACE_SCHEMA.index}
    if not said or not camera.is_editable:
        return
    before = schema_of(camera)
    kept = {p.id: p for p in before.parameters[len(FACE_SCHEMA) :]}
    extras = {**kept, **said}
    if extras != kept:
        learned = ParameterSchema("extra", tuple(extras.values()))
        camera.photorig.extra_parameters = json.dumps(learned.to_json())
    for parameter in extras.values():
        restore(camera, parameter)


def _describe(camera: bpy.types.Camera, name: str, parameter: Parameter) -> None:
    camera.id_properties_ui(name).update(
        min=parameter.least,
        max=parameter.maximum,
        soft_min=parameter.minimum,
        soft_max=parameter.maximum,
        default=parameter.default,
        step=_STEPS.get(parameter.unit, 0.01),
        precision=_PRECISIONS.get(parameter.unit, 3),
        description=f"{parameter.label} of the Photorig face",
    )


def learn_everywhere(schema: ParameterSchema) -> None:
    """For all cameras that show a portrait. Main thread, and not while Blender renders."""
    if all(name in FACE_SCHEMA.index for name in schema.ids) or bpy.app.is_job_running("RENDER"):
        return
    for camera in bpy.data.cameras:
        if camera.photorig.portrait_path:
            learn(camera, schema)
