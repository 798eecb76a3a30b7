# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a camera's face follows each parameter where it stands now, in numbers and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import bpy

from ..shared.parameters.responses import BY_GEOMETRY, BY_LATENTS, BY_MESH, Response
from ..shared.parameters.schema import Parameter
from .extra_parameters import schema_of
from .properties import photo_parameters, photo_reach
from .values import neutral_to_render, parameters_to_render

_FORMATS = {"degree": "{:.0f}°", "centimetre": "{:.1f} cm", "coefficient": "{:.2f}"}
_NOTHING = 0.005
"""Part of a parameter's limits that is no movement worth the name."""
_TURNED = 5.0
"""Degrees from which on a head is said to be turned in the photo."""


@dataclass(frozen=True)
class Control:
    """One parameter of one camera.

    Attributes:
        parameter: the one that is seen in the picture; with the mirror on, the slider's partner.
        value: as it stands now, with the shot's gain.
        response: None where no worker has said anything.
        origin: the value from which the shift is measured: rest in relative mode, the photo's in
            absolute mode; None where the photo's is needed and not known.
        source: the value in the photo, rest where it is not known.
        is_measured: whether the response's ends are those of this very face.
    """

    parameter: Parameter
    value: float
    response: Response | None
    origin: float | None
    source: float = 0.0
    is_measured: bool = False

    @property
    def is_hopeless(self) -> bool:
        """Whether the face is known not to follow."""
        return self.response is not None and not self.response.is_controllable

    @property
    def trained_range(self) -> tuple[float, float] | None:
        """Lowest and highest value that the face was trained to follow, None where not known."""
        if self.response is None or self.origin is None or self.is_hopeless:
            return None
        limits = self.parameter.minimum, self.parameter.maximum
        return self.response.range_around(self.origin, self.source, *limits)

    @property
    def is_beyond(self) -> bool:
        """Whether the value is outside the trained range, so that the picture shows its end."""
        if self.response is None or self.origin is None or self.is_hopeless:
            return False
        return self.response.is_beyond(self.value, self.origin, self.source)

    @property
    def is_used_up(self) -> bool:
        """Whether the photo itself leaves nothing of the range."""
        if self.trained_range is None:
            return False
        lowest, highest = self.trained_range
        return highest - lowest < _NOTHING * (self.parameter.maximum - self.parameter.minimum)

    @property
    def range_text(self) -> str:
        """A few letters to stand beside a slider, "" where there is nothing to say."""
        if self.trained_range is None:
            return ""
        lowest, highest = map(self._number, self.trained_range)
        if self.parameter.unit != "coefficient" and lowest == f"−{highest}":
            return f"±{highest}"
        return f"{lowest} – {highest}"

    @property
    def measurements(self) -> str:
        """Gain, linearity and crosstalk in a line, "" where none was measured.

        What geometry does needs no measuring: it is exact.
        """
        response = self.response
        if response is None or response.realised_by != BY_LATENTS:
            return ""
        parts = []
        if response.gain is not None:
            parts.append(f"gain {response.gain:.2f}")
        if response.linearity is not None:
            parts.append(f"linearity {response.linearity:.2f}")
        if response.crosstalk is not None:
            parts.append(f"crosstalk {response.crosstalk:.1%}")
        return ", ".join(parts)

    @property
    def sentences(self) -> tuple[str, ...]:
        """All there is to say, for a tooltip; each without a full stop."""
        label = self.parameter.label
        if self.response is None:
            return ("Start the worker to see how far the face follows",)
        if self.is_hopeless:
            return (f"This face does not follow {label}: its model was not taught to",)
        told = []
        if self.is_used_up:
            told.append(f"The photo already shows as much {label} as its face can follow")
        elif self.range_text:
            whose = "This face was measured to follow" if self.is_measured else "The face follows"
            told.append(f"{whose} {label} over {self.range_text}")
        else:
            told.append("Load the portrait again to see its range in absolute mode")
        if self.is_beyond:
            told.append("The value is beyond that range: the picture shows the end of it")
        if self.parameter.unit == "degree" and abs(self.source) >= _TURNED:
            told.append(f"In the photo it is {self._number(self.source)} already")
        if self.response.realised_by == BY_MESH:
            told.append("The face goes where the person's own mesh goes: 1 is the whole movement")
        if self.response.realised_by == BY_GEOMETRY:
            told.append("The picture of the head is moved for it, the face itself stays")
        if self.measurements:
            told.append(
                f"Measured on other people: {self.measurements}"
                " (gain 1 is exact; crosstalk is how much everything else moves with it)"
            )
        return tuple(told)

    def _number(self, value: float) -> str:
        text = _FORMATS.get(self.parameter.unit, "{:.2f}").format(value)
        return text.replace("-", "−" if set(text) & set("123456789") else "")


def controls_of(
    camera: bpy.types.Camera, responses: Mapping[str, Response], bundle_id: str = ""
) -> dict[str, Control]:
    """All parameters of a camera in the schema's order, those of a newer worker at the end.

    Args:
        responses: what the worker said; parameters that are not in it are shown without.
        bundle_id: what the worker drives faces with. Where the photo's own face was measured with
            it, its ranges take the place of those of most faces.
    """
    settings = camera.photorig
    photo = photo_parameters(settings)
    reach = photo_reach(settings, bundle_id)
    schema = schema_of(camera)
    rendered = schema.named(parameters_to_render(camera))
    controls = {}
    for parameter in schema.parameters:
        # With the mirror on, a slider moves the other side of the face.
        seen = schema.parameters[
            schema.index[parameter.mirror if settings.mirror else parameter.id]
        ]
        usual = responses.get(seen.id)
        response = _own(usual, reach.get(seen.id))
        control = _control(settings, seen, rendered[seen.id], response, photo)
        controls[parameter.id] = replace(control, is_measured=response is not usual)
    return controls


def _own(response: Response | None, reach: tuple[float, float] | None) -> Response | None:
    """The response with the ends of this face's own range; what the mesh does is as far for all."""
    if response is None or reach is None or response.realised_by != BY_LATENTS:
        return response
    return replace(response, lowest=reach[0], highest=reach[1])


def _control(
    settings: bpy.types.PropertyGroup,
    parameter: Parameter,
    value: float,
    response: Response | None,
    photo: Mapping[str, float] | None,
) -> Control:
    source = parameter.default if photo is None else photo[parameter.id]
    origin: float | None = parameter.default if settings.mode == "RELATIVE" else source
    if settings.mode == "RELATIVE" and parameter.unit == "coefficient":
        origin = parameter.default + neutral_to_render(settings) * source
    if settings.mode == "ABSOLUTE" and photo is None:
        # Values that a face can take on are nearly the same for every photo; shifts are not.
        knows_values = response is not None and response.lowest is not None
        origin = parameter.default if knows_values else None
    return Control(parameter, value, response, origin, source)
