# SPDX-License-Identifier: GPL-3.0-or-later
"""What a .blend file remembers: a portrait and its parameters, on camera data.

A shot is a camera is a portrait. Camera data is always part of what is evaluated for a render, and
camera-bound timeline markers then cut between portraits.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from ..compat import overridable, path_options
from ..shared.errors import PhotorigError
from ..shared.parameters.schema import FACE_SCHEMA, Parameter, ParameterSchema
from ..shared.wire.method_offers import DEFAULT_METHOD, MethodOffer
from .extra_parameters import schema_of
from .mapping_rows import PhotorigMappingRow, compile_unless_paused
from .other_faces import PhotorigOtherFace
from .portrait_file import read_portrait, resolve
from .remembered import json_object

SIZES = (
    ("256", "256", "Face crop of 256 pixels: the fastest, for blocking"),
    ("512", "512", "Face crop of 512 pixels"),
    ("1024", "1024", "Face crop of 1024 pixels"),
    ("FULL", "Full Photo", "The whole photo at its own resolution with the face put back"),
)
FRAMINGS = (
    ("FIT", "Fit", "All of the face, scaled into the scene's resolution, with black beside it"),
    ("FILL", "Fill", "Scaled to cover the scene's resolution; what juts out is cut off"),
    ("EXACT", "Exact", "Pixel for pixel in the middle: cut off or with black beside it"),
)
MODES = (
    ("RELATIVE", "Relative", "The rig's rest pose is the photo as it is"),
    ("ABSOLUTE", "Absolute", "The parameters are the pose and expression seen in the picture"),
)


_same_portrait = False


@contextlib.contextmanager
def same_portrait() -> Iterator[None]:
    """Write a portrait's path in another way, without its file being read."""
    global _same_portrait
    _same_portrait = True
    try:
        yield
    finally:
        _same_portrait = False


def _portrait_path_changed(settings: PhotorigCameraSettings, _context: bpy.types.Context) -> None:
    """Keep the portrait's id beside its path; no network here, only the file."""
    if _same_portrait:
        return
    settings.portrait_id = settings.portrait_name = settings.portrait_problem = ""
    settings.photo_parameters = settings.photo_reach = ""
    if not settings.portrait_path:
        return
    try:
        portrait = read_portrait(resolve(settings.portrait_path, settings.id_data))
    except PhotorigError as error:
        settings.portrait_problem = str(error)
    else:
        settings.portrait_id, settings.portrait_name = portrait.id, portrait.name
        settings.photo_parameters = json.dumps(portrait.named_parameters)
        if portrait.reach:
            settings.photo_reach = json.dumps({portrait.reach_of: portrait.reach})


def _changed(_settings: PhotorigCameraSettings, _context: bpy.types.Context) -> None:
    """Does nothing; a property that has a callback is re-evaluated when a script sets it, too."""


@dataclass(frozen=True)
class _Unit:
    """How numbers of a unit are shown; ``step`` is in hundredths, as Blender counts."""

    description: str
    subtype: str
    step: int
    precision: int


_UNITS = {
    "degree": _Unit("in degrees", "NONE", 100, 1),
    "centimetre": _Unit("in centimetres from where the head is in the photo", "NONE", 10, 2),
    "coefficient": _Unit(
        "from 0 to 1; below 0, in relative mode, there is less of it than in the photo",
        "FACTOR",
        1,
        3,
    ),
}


def _float_property(parameter: Parameter) -> Any:
    unit = _UNITS[parameter.unit]
    return bpy.props.FloatProperty(
        name=parameter.label,
        description=f"{parameter.label} {unit.description}",
        default=parameter.default,
        min=parameter.least,
        max=parameter.maximum,
        soft_min=parameter.minimum,
        soft_max=parameter.maximum,
        subtype=unit.subtype,
        step=unit.step,
        precision=unit.precision,
        update=_changed,
    )


GROUPS = tuple(dict.fromkeys(parameter.group for parameter in FACE_SCHEMA.parameters))
"""Groups of parameters in the schema's order."""


def gain_property(group: str) -> str:
    """Name of the property that scales a group."""
    return f"gain_{group}"


def _shot_properties() -> dict[str, Any]:
    """What a shot does to the numbers of its rig."""
    gains = {
        gain_property(group): bpy.props.FloatProperty(
            name="Gain",
            description="Scales how far this group moves away from the photo",
            default=1.0,
            min=0.0,
            max=3.0,
            soft_max=2.0,
            step=5,
            update=_changed,
        )
        for group in GROUPS
    }
    mirror = bpy.props.BoolProperty(
        name="Mirror",
        description="Let the other side of the face do what each side of the rig does",
        default=False,
        update=_changed,
    )
    return {**gains, "mirror": mirror}


def _mapping_properties() -> dict[str, Any]:
    return {
        "mapping": bpy.props.CollectionProperty(type=PhotorigMappingRow, name="Mapping"),
        "mapping_index": bpy.props.IntProperty(name="Row", options={"HIDDEN"}),
        "use_mapping": bpy.props.BoolProperty(
            name="Use Mapping",
            description="Let the rig drive the parameters; off, their keyframes count",
            default=True,
            options=set(),
            update=compile_unless_paused,
        ),
        "mapped_parameters": bpy.props.StringProperty(
            name="Mapped Parameters",
            description="Those whose drivers were made from rows",
            options={"HIDDEN"},
        ),
        "turns": bpy.props.PointerProperty(
            type=bpy.types.Speaker,
            name="Turns",
            description="Holds the steps from a bone's rotation to yaw, pitch and roll",
            options={"HIDDEN"},
        ),
        "neutral": bpy.props.StringProperty(
            name="Neutral",
            description="What is added to the rig's numbers, as JSON by parameter",
            options={"HIDDEN"},
        ),
    }


def _settings_properties(schema: ParameterSchema) -> dict[str, Any]:
    fixed = {
        "portrait_path": bpy.props.StringProperty(
            name="Portrait",
            description="The .portrait file of the face that this camera shows",
            subtype="FILE_PATH",
            options=path_options(),
            update=_portrait_path_changed,
        ),
        "portrait_id": bpy.props.StringProperty(
            name="Portrait Id", description="SHA-256 of the portrait file", options={"HIDDEN"}
        ),
        "portrait_name": bpy.props.StringProperty(name="Portrait Name", options={"HIDDEN"}),
        "photo_parameters": bpy.props.StringProperty(
            name="Photo Parameters",
            description="Pose and expression in the photo, as JSON by parameter",
            options={"HIDDEN"},
        ),
        "photo_reach": bpy.props.StringProperty(
            name="Photo Reach",
            description="How far this face goes in each parameter, as JSON by the worker's bundle",
            options={"HIDDEN"},
        ),
        "extra_parameters": bpy.props.StringProperty(
            name="Extra Parameters",
            description="What a newer worker knows beyond the parameters here, as JSON",
            options={"HIDDEN"},
        ),
        "portrait_problem": bpy.props.StringProperty(
            name="Portrait Problem", options={"HIDDEN", "SKIP_SAVE"}
        ),
        "size": bpy.props.EnumProperty(
            name="Size",
            description="What the worker renders",
            items=SIZES,
            default="512",
            options=set(),
            update=_changed,
        ),
        "framing": bpy.props.EnumProperty(
            name="Framing",
            description="How the face is laid on a scene of another resolution",
            items=FRAMINGS,
            default="FIT",
            options=set(),
            update=_changed,
        ),
        "mode": bpy.props.EnumProperty(
            name="Mode",
            description="What the parameters are measured from",
            items=MODES,
            default="RELATIVE",
            options=set(),
            update=_changed,
        ),
        "method": bpy.props.StringProperty(
            name="Method",
            description="How the face is driven; the list is what the worker offers",
            default=DEFAULT_METHOD,
            maxlen=32,
            options=set(),
            search=_offered_methods,
            search_options={"SUGGESTION"},
            update=_changed,
        ),
        "photo_neutral": bpy.props.FloatProperty(
            name="Neutral",
            description="Takes the photo's own expression away: at 1 the sliders begin from a face"
            " at rest, at 0 from the photo as it is. The head stays as the photo holds it."
            " In relative mode",
            default=0.0,
            min=0.0,
            max=1.0,
            subtype="FACTOR",
            step=5,
            precision=2,
            update=_changed,
        ),
    }
    fixed["others"] = bpy.props.CollectionProperty(type=PhotorigOtherFace, name="Further Faces")
    fixed |= _mapping_properties() | _shot_properties()
    return fixed | {parameter.id: _float_property(parameter) for parameter in schema.parameters}


offered_methods: list[MethodOffer] = []
"""What the last worker offers; worker_link.py keeps it."""


def _offered_methods(
    settings: bpy.types.PropertyGroup, context: bpy.types.Context, text: str
) -> list[tuple[str, str]]:
    return [(offer.name, offer.sentence) for offer in offered_methods]


class PhotorigCameraSettings(bpy.types.PropertyGroup):
    """``camera.data.photorig``: one animatable number for each parameter of the schema."""

    __annotations__ = overridable(_settings_properties(FACE_SCHEMA))


class PhotorigPanelSettings(bpy.types.PropertyGroup):
    """``window_manager.photorig``: what the panels show; nothing that a render depends on."""

    only_controllable: bpy.props.BoolProperty(
        name="Only What It Follows",
        description="Hide the parameters that this face cannot follow",
    )
    show_measurements: bpy.props.BoolProperty(
        name="Show Measurements",
        description="How exactly the face was measured to follow each parameter",
    )


def photo_parameters(settings: PhotorigCameraSettings) -> dict[str, float] | None:
    """Value by parameter id in the photo, None where no portrait was loaded that says so."""
    values = _numbers(settings.photo_parameters)
    if not values:
        return None
    return {p.id: values.get(p.id, p.default) for p in schema_of(settings.id_data).parameters}


def photo_reach(settings: PhotorigCameraSettings, bundle_id: str) -> dict[str, tuple[float, float]]:
    """Lowest and highest value by parameter id that the photo's face was seen to show with that
    bundle; nothing where it was measured with another one, or not at all."""
    try:
        by_bundle = json_object(settings.photo_reach) if settings.photo_reach else {}
        ends = by_bundle.get(bundle_id, {}).items()
        return {str(name): (float(low), float(high)) for name, (low, high) in ends}
    except (ValueError, TypeError, AttributeError):
        return {}


def rest_values(settings: PhotorigCameraSettings) -> dict[str, float]:
    """Values that give the photo as it is: rest in relative mode, its own in absolute mode."""
    photo = photo_parameters(settings) if settings.mode == "ABSOLUTE" else None
    return photo or {p.id: p.default for p in schema_of(settings.id_data).parameters}


def neutral_of(settings: PhotorigCameraSettings) -> dict[str, float]:
    """What is added to the rig's numbers, by parameter id."""
    return _numbers(settings.neutral)


def set_neutral(settings: PhotorigCameraSettings, offsets: dict[str, float]) -> None:
    """What shall be added to the rig's numbers; the mapping must be compiled after it."""
    settings.neutral = json.dumps(offsets) if offsets else ""


def _numbers(text: str) -> dict[str, float]:
    """Numbers by name from JSON; nothing where another program wrote something else there."""
    try:
        values = json_object(text) if text else {}
        return {str(name): float(value) for name, value in values.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def register() -> None:
    bpy.utils.register_class(PhotorigPanelSettings)
    bpy.types.WindowManager.photorig = bpy.props.PointerProperty(
        type=PhotorigPanelSettings, name="Photorig"
    )
    bpy.utils.register_class(PhotorigCameraSettings)
    bpy.types.Camera.photorig = bpy.props.PointerProperty(
        type=PhotorigCameraSettings, name="Photorig", override={"LIBRARY_OVERRIDABLE"}
    )


def unregister() -> None:
    del bpy.types.Camera.photorig
    bpy.utils.unregister_class(PhotorigCameraSettings)
    del bpy.types.WindowManager.photorig
    bpy.utils.unregister_class(PhotorigPanelSettings)
