"""How far faces go, as clients and people are told: the bundle's ranges, and what the mesh does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from photorig.shared.parameters.arkit_amounts import amounts_of
from photorig.shared.parameters.responses import BY_MESH, BY_NOTHING, Response
from photorig.shared.parameters.schema import Parameter
from photorig.worker.faces.face_shapes import FaceShapes, load_face_shapes
from photorig.worker.portraits.portrait import Portrait

from .bundle import ModelBundle
from .regional_controls import RegionalShifts

_WHOLE_MOVEMENT = Response(BY_MESH, -1.0, 1.0, lowest=0.0, highest=1.0)
_NO_MOVEMENT = Response(BY_NOTHING, 0.0, 0.0, lowest=0.0, highest=0.0)
_FORMATS: Mapping[str, str] = {"degree": "{:.0f}°", "centimetre": "{:.1f} cm"}


def told_responses(bundle: ModelBundle) -> list[dict[str, object]]:
    """What WELCOME says of each parameter, in the schema's order, for method ``regional``.

    JSON values. Turns are what the bundle measured. An expression is where the person's mesh is:
    all of ARKit's motion, which needs no measuring.
    """
    shapes = load_face_shapes()
    told = []
    for parameter, response in zip(bundle.schema.parameters, bundle.responses, strict=True):
        if parameter.unit != "coefficient" or parameter.id not in shapes.index:
            told.append(response.to_json())
        elif _moves(shapes, parameter.id):
            told.append(_WHOLE_MOVEMENT.to_json())
        else:
            told.append(_NO_MOVEMENT.to_json())
    return told


def _moves(shapes: FaceShapes, name: str) -> bool:
    number = shapes.index[name]
    return bool(shapes.offsets[number].any() or shapes.gaze[number].any())


def sentences_beyond(bundle: ModelBundle, portrait: Portrait, asked: np.ndarray) -> dict[str, str]:
    """What this face cannot do of a shift Δp (n,) as asked for: half a sentence by parameter."""
    lowest, highest = bundle.reach(portrait)
    shapes, geometry = load_face_shapes(), portrait.geometry
    has_mesh = geometry is not None and geometry.made_for == RegionalShifts(bundle).id
    beyond = set(bundle.beyond_range(portrait, asked))
    usually = amounts_of(np.stack([bundle.lowest, bundle.highest]), bundle.schema.ids)
    result = {}
    for position in np.flatnonzero(asked):
        parameter = bundle.schema.parameters[position]
        on_mesh = has_mesh and parameter.id in shapes.index
        response = bundle.responses[position]
        if _moves(shapes, parameter.id) if on_mesh else response.is_controllable:
            if parameter.id not in beyond:
                continue
            ends = float(lowest[position]), float(highest[position])
            source = float(portrait.shown[position])
            usual = None if on_mesh else (float(usually[0][position]), float(usually[1][position]))
            result[parameter.id] = _held(parameter, ends, source, usual)
        elif on_mesh:
            result[parameter.id] = "has no effect: the mesh has no shape for it"
        else:
            result[parameter.id] = "has no effect: this bundle does not control it"
    return result


def _held(
    parameter: Parameter,
    ends: tuple[float, float],
    source: float,
    usual: tuple[float, float] | None,
) -> str:
    """That a value stops at the ends of what this face can show, and why they are there."""

    def shown(value: float) -> str:
        text = _FORMATS.get(parameter.unit, "{:.2f}").format(value)
        return text.replace("-", "−") if set(text) & set("123456789") else text.lstrip("-")

    lowest, highest = ends
    text = (
        f"is held within {shown(lowest - source)} … {shown(highest - source)} of change on this "
        f"face, whose photo shows {shown(source)}"
    )
    if usual is not None and highest - lowest < 0.9 * (usual[1] - usual[0]):
        text += f"; most faces go from {shown(usual[0])} to {shown(usual[1])}"
    return text
