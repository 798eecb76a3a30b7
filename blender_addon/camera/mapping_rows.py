# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a mapping as a .blend file keeps them, on camera data.

Any change of a row is compiled to drivers at once (mapping/drivers.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from ..compat import overridable
from ..shared.mapping.rows import (
    ANGLES,
    BODY,
    BONE,
    CHANNELS,
    LOCATIONS,
    NO_TURN,
    OBJECT,
    ORDERS,
    ROTATIONS,
    TURN,
    VALUE,
    MappingRow,
    Source,
)
from .extra_parameters import schema_of

_KINDS = (
    ("SHAPE_KEY", "Shape Key", "The value of a shape key", "SHAPEKEY_DATA", 0),
    ("BONE", "Bone", "A channel of a bone, away from its rest pose", "BONE_DATA", 1),
    ("PROPERTY", "Property", "A custom property of the object or of a bone", "PROPERTIES", 2),
    ("OBJECT", "Object", "A channel of the object itself", "OBJECT_DATA", 3),
    (
        "TURN",
        "Turn",
        "How far a bone or object is turned, as seen from in front, whatever its own axes are",
        "ORIENTATION_GIMBAL",
        4,
    ),
)
_CHANNEL_LABELS = {"LOC": "Location", "ROT": "Rotation", "SCALE": "Scale"}


def _channel_item(name: str) -> tuple[str, str, str]:
    if name == VALUE:
        return (name, "Value", "The value of a shape key or property")
    if name in ANGLES:
        return (name, name.capitalize(), "As a viewer in front sees it")
    kind, letter = name.split("_")
    return (name, f"{_CHANNEL_LABELS[kind]} {letter}", "Along or about the bone's own axis")


_CHANNEL_ITEMS = tuple(map(_channel_item, (*CHANNELS, *ANGLES)))
_SPACES = (
    ("BODY", "Body", "What the bone hangs on; with what constraints do to it"),
    ("WORLD", "World", "Where it was when it was mapped: body and whole object turn it as well"),
    ("CAMERA", "Camera", "How the camera sees it: 0 looks into the camera"),
    ("AS_SET", "As Set", "What was set or keyed, without what constraints do"),
)
_COMBINE_ITEMS = (
    ("ADD", "Add", "Add to the rows above that drive the same parameter"),
    ("MAX", "Maximum", "The greater of this row and those above"),
    ("MIN", "Minimum", "The smaller of this row and those above"),
    ("MULTIPLY", "Multiply", "Scale what the rows above come to"),
)
_paused = 0
_compile: list[Callable[[bpy.types.Camera], object]] = []
"""What makes drivers of a camera's rows; it reads them, so it announces itself."""


@dataclass(frozen=True)
class RigRow:
    """A row of a mapping with the object that its source names."""

    row: MappingRow
    owner: bpy.types.Object


def set_compiler(compiler: Callable[[bpy.types.Camera], object] | None) -> None:
    """Who makes drivers of a camera's rows from now on; None: nobody."""
    _compile[:] = [compiler] if compiler is not None else []


def _compile_rows(camera: bpy.types.Camera) -> None:
    for compiler in _compile:
        compiler(camera)


def compile_unless_paused(item: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Callback of all properties that drivers depend on."""
    if not _paused:
        _compile_rows(item.id_data)


def _parameters(item: Any, _context: bpy.types.Context, text: str) -> list[tuple[str, str]]:
    """Suggestions while a parameter's name is typed."""
    wanted = text.lower().replace(" ", "")
    return [
        (parameter.id, parameter.label)
        for parameter in schema_of(item.id_data).parameters
        if wanted in parameter.id.lower()
    ]


def _may_be_source(_item: Any, candidate: bpy.types.Object) -> bool:
    return candidate.type not in ("CAMERA", "LIGHT")


def _range_property(name: str, label: str, default: float) -> dict[str, Any]:
    """A number, and the same number shown as an angle and as a distance."""

    def shown_as(subtype: str) -> Any:
        return bpy.props.FloatProperty(
            name=label,
            description=f"{label} of the source's range",
            subtype=subtype,
            options=set(),
            get=lambda item: getattr(item, name),
            set=lambda item, value: setattr(item, name, value),
        )

    plain = bpy.props.FloatProperty(
        name=label,
        description=f"{label} of the source's range",
        default=default,
        precision=3,
        options=set(),
        update=compile_unless_paused,
    )
    return {
        name: plain,
        f"{name}_angle": shown_as("ANGLE"),
        f"{name}_distance": shown_as("DISTANCE"),
    }


def _quaternion_property(description: str) -> Any:
    return bpy.props.FloatVectorProperty(
        description=description,
        size=4,
        subtype="QUATERNION",
        default=NO_TURN,
        options={"HIDDEN"},
        update=compile_unless_paused,
    )


class PhotorigMappingRow(bpy.types.PropertyGroup):
    """What one number of a rig does to one parameter; see shared/mapping/rows.py."""

    __annotations__ = overridable(
        {
            "owner": bpy.props.PointerProperty(
                type=bpy.types.Object,
                name="Source",
                description="The object that has the shape key, bone or property",
                poll=_may_be_source,
                update=compile_unless_paused,
            ),
            "kind": bpy.props.EnumProperty(
                name="Kind",
                items=_KINDS,
                default="SHAPE_KEY",
                options=set(),
                update=compile_unless_paused,
            ),
            "control": bpy.props.StringProperty(
                name="Control",
                description="Name of the shape key or bone, or the data path of the property",
                update=compile_unless_paused,
            ),
            "channel": bpy.props.EnumProperty(
                name="Channel",
                items=_CHANNEL_ITEMS,
                default=VALUE,
                options=set(),
                update=compile_unless_paused,
            ),
            "order": bpy.props.EnumProperty(
                name="Euler Order",
                items=tuple(
                    (name, name.capitalize() if name == "AUTO" else name, "") for name in ORDERS
                ),
                default="AUTO",
                options=set(),
                update=compile_unless_paused,
            ),
            "space": bpy.props.EnumProperty(
                name="Relative to",
                description="What the bone's or object's channel is measured from",
                items=_SPACES,
                default=BODY,
                options=set(),
                update=compile_unless_paused,
            ),
            "frame": _quaternion_property("Axes of the face at rest, in the world"),
            "rest": _quaternion_property("Axes of the bone or object at rest, in the world"),
            "parameter": bpy.props.StringProperty(
                name="Parameter",
                description="What the row drives",
                search=_parameters,
                search_options=set(),
                update=compile_unless_paused,
            ),
            **_range_property("start", "Start", 0.0),
            **_range_property("end", "End", 1.0),
            "amount": bpy.props.FloatProperty(
                name="Gain",
                description="What the parameter gets at the end of the range, in its own unit",
                default=1.0,
                options=set(),
                update=compile_unless_paused,
            ),
            "invert": bpy.props.BoolProperty(
                name="Invert",
                description="Count from the end of the range",
                options=set(),
                update=compile_unless_paused,
            ),
            "clamp": bpy.props.BoolProperty(
                name="Clamp",
                description="Stop at the ends of the range",
                options=set(),
                update=compile_unless_paused,
            ),
            "combine": bpy.props.EnumProperty(
                name="Combine",
                description="How it joins the rows above that drive the same parameter",
                items=_COMBINE_ITEMS,
                default="ADD",
                options=set(),
                update=compile_unless_paused,
            ),
            "mute": bpy.props.BoolProperty(
                name="Mute",
                description="Leave this row out",
                options=set(),
                update=compile_unless_paused,
            ),
            "solo": bpy.props.BoolProperty(
                name="Solo",
                description="Leave out all rows that are not solo",
                options=set(),
                update=compile_unless_paused,
            ),
            "problem": bpy.props.StringProperty(
                name="Problem", description="Why the row drives nothing", options={"HIDDEN"}
            ),
            "compiled": bpy.props.StringProperty(
                name="Compiled",
                description="Parameter and variable of the driver that says this row",
                options={"HIDDEN"},
            ),
            "compiled_control": bpy.props.StringProperty(
                name="Compiled Control",
                description="The control's name when the driver was made",
                options={"HIDDEN"},
            ),
        }
    )


@contextlib.contextmanager
def not_compiling() -> Iterator[None]:
    """Change rows without their drivers following."""
    global _paused
    _paused += 1
    try:
        yield
    finally:
        _paused -= 1


@contextlib.contextmanager
def changing(camera: bpy.types.Camera) -> Iterator[bpy.types.PropertyGroup]:
    """Change many rows and compile them once, at the end; yields the camera's settings."""
    with not_compiling():
        yield camera.photorig
    _compile_rows(camera)


def row_of(item: PhotorigMappingRow) -> MappingRow:
    """An item as plain data."""
    source = Source(
        item.kind,
        item.owner.name if item.owner is not None else "",
        item.control,
        item.channel if item.kind in (BONE, OBJECT, TURN) else VALUE,
        item.order,
        item.space,
        tuple(item.frame),
        tuple(item.rest),
    )
    return MappingRow(
        source,
        item.parameter,
        item.start,
        item.end,
        item.amount,
        item.invert,
        item.clamp,
        item.combine,
    )


def add_row(settings: bpy.types.PropertyGroup, rig_row: RigRow) -> PhotorigMappingRow:
    """Append a row; call it inside ``changing``."""
    item, row = settings.mapping.add(), rig_row.row
    item.owner, item.kind, item.control = rig_row.owner, row.source.kind, row.source.control
    for name in ("channel", "order", "space", "frame", "rest"):
        setattr(item, name, getattr(row.source, name))
    for name in ("parameter", "start", "end", "amount", "invert", "clamp", "combine"):
        setattr(item, name, getattr(row, name))
    return item


def remove_row(settings: bpy.types.PropertyGroup, index: int) -> bool:
    """Remove a row; call it inside ``changing``.

    Returns:
        Whether it has gone. A row that an overridden camera has from its library can only be muted.
    """
    try:
        settings.mapping.remove(index)
    except TypeError:
        settings.mapping[index].mute = True
        return False
    return True


def remove_rows(settings: bpy.types.PropertyGroup, parameters: set[str] | None = None) -> bool:
    """Remove the rows that drive any of these parameters, or all; call it inside ``changing``.

    Returns:
        Whether they have gone; see remove_row.
    """
    chosen = [
        index
        for index, item in enumerate(settings.mapping)
        if parameters is None or item.parameter in parameters
    ]
    have_gone = [remove_row(settings, index) for index in reversed(chosen)]
    return all(have_gone)


def range_properties(item: PhotorigMappingRow) -> tuple[str, str]:
    """Names of the properties that show the range in the channel's unit."""
    if item.kind == TURN or (item.kind in (BONE, OBJECT) and item.channel in ROTATIONS):
        return "start_angle", "end_angle"
    if item.kind in (BONE, OBJECT) and item.channel in LOCATIONS:
        return "start_distance", "end_distance"
    return "start", "end"


def active_row(camera: bpy.types.Camera) -> PhotorigMappingRow | None:
    """The row that is chosen in the list, None where there is none."""
    settings = camera.photorig
    if 0 <= settings.mapping_index < len(settings.mapping):
        return settings.mapping[settings.mapping_index]
    return None


def register() -> None:
    bpy.utils.register_class(PhotorigMappingRow)


def unregister() -> None:
    bpy.utils.unregister_class(PhotorigMappingRow)
