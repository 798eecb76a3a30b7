"""How faces answer to each parameter: one type from the bundle's file over the wire to the panel.

A worker sends it in WELCOME's description. The two sides, and a bundle and its reader, may be of
different ages, so anything may be missing or new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BY_LATENTS, BY_MESH, BY_GEOMETRY, BY_NOTHING = "latents", "mesh", "geometry", "none"
_TOLERANCE = 1e-4
"""Relative: float32 values at the very end of a range are within it."""


@dataclass(frozen=True)
class Response:
    """How a face answers to one parameter, measured on people not used in training.

    Attributes:
        realised_by: "latents" for the generator, "mesh" where the face goes where the person's own
            mesh goes, "geometry" where the picture of the face is moved as a whole, "none" where
            the face cannot follow: nothing useful could be learned.
        minimum, maximum: trained range of the shift Δp of a face at rest, in the parameter's unit.
        gain: measured change ÷ asked change, least squares over the trained range; None where it
            was not said, as all that follows.
        linearity: R² of that line, 0 to 1.
        crosstalk: mean range-normalised change of the other parameters for a full move of this one.
        lowest, highest: values that a face can take on, wherever it started; always known in a
            bundle.
    """

    realised_by: str
    minimum: float
    maximum: float
    gain: float | None = None
    linearity: float | None = None
    crosstalk: float | None = None
    lowest: float | None = None
    highest: float | None = None

    @property
    def is_controllable(self) -> bool:
        return self.realised_by != BY_NOTHING

    def to_json(self) -> dict[str, Any]:
        """As files and WELCOME hold it; readers of before look at "controllable" first."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        return {"controllable": self.is_controllable, **known}

    def shifts(self, source: float) -> tuple[float, float]:
        """Smallest and greatest Δp that a face which shows ``source`` in its photo can follow.

        A face that already shows more than was trained may keep it, and may show less. What a mesh
        does is a whole movement, whatever the photo shows; it can take away what is there.
        """
        if self.realised_by == BY_MESH:
            lowest = self.lowest if self.lowest is not None else source + self.minimum
            return min(lowest - source, 0.0), self.maximum
        if self.lowest is None or self.highest is None:
            return self.minimum, self.maximum
        return min(self.lowest, source) - source, max(self.highest, source) - source

    def range_around(
        self, origin: float, source: float, minimum: float, maximum: float
    ) -> tuple[float, float]:
        """Values that the face can follow.

        Args:
            origin: the value from which shifts are measured: the parameter's rest in relative
                mode, its value in the photo in absolute mode.
            source: its value in the photo.
            minimum, maximum: the parameter's own limits.

        Returns:
            Lowest and highest value within both.
        """
        least, most = self.shifts(source)
        lowest, highest = origin + least, origin + most
        return min(max(lowest, minimum), maximum), max(min(highest, maximum), minimum)

    def is_beyond(self, value: float, origin: float, source: float) -> bool:
        """Whether the shift from ``origin`` to ``value`` will be cut to what can be followed."""
        least, most = self.shifts(source)
        slack = _TOLERANCE * max(1.0, abs(least), abs(most))
        return not least - slack <= value - origin <= most + slack


def responses_of(description: Mapping[str, Any], ids: Sequence[str]) -> dict[str, Response]:
    """The responses in a WELCOME's description, by parameter id.

    Args:
        description: ``responses`` is a list in the schema's order.
        ids: the schema's parameter ids.

    Returns:
        Those that can be read; a worker that says nothing gives an empty dict.
    """
    entries = description.get("responses")
    if not isinstance(entries, (list, tuple)):
        return {}
    read = {name: read_response(entry) for name, entry in zip(ids, entries, strict=False)}
    return {name: response for name, response in read.items() if response is not None}


def read_response(entry: Any) -> Response | None:
    """What ``Response.to_json`` wrote, of any version; None where it cannot be read."""
    if not isinstance(entry, Mapping):
        return None
    minimum, maximum = _number(entry.get("minimum")), _number(entry.get("maximum"))
    if minimum is None or maximum is None or minimum > maximum:
        return None
    gain, linearity = _number(entry.get("gain")), _number(entry.get("linearity"))
    crosstalk = _number(entry.get("crosstalk"))
    lowest, highest = _number(entry.get("lowest")), _number(entry.get("highest"))
    if lowest is None or highest is None or lowest > highest:
        lowest = highest = None
    return Response(
        _realised_by(entry), minimum, maximum, gain, linearity, crosstalk, lowest, highest
    )


def _realised_by(entry: Mapping[str, Any]) -> str:
    said = entry.get("realised_by")
    if entry.get("controllable") is False:
        return BY_NOTHING
    if said in (BY_LATENTS, BY_MESH, BY_GEOMETRY, BY_NOTHING):
        return str(said)
    # Earlier workers say only whether the generator follows; a way we do not know is a way.
    return BY_LATENTS if said is not None or entry.get("controllable") is True else BY_NOTHING


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None
