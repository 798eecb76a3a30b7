"""What the generator does for each ARKit coefficient, region by region; the mesh does the rest.

How far the generator is taken was chosen by eye (docs/measurements.md): as far as it draws well
what a warp cannot, teeth, folds and closed lids, and no further.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.generators.regions import END_ROW, FIRST_ROW, REGIONAL_ROWS, REGIONS
from photorig.worker.portraits.face_geometry import KnownParts

from .bundle import ModelBundle

SIDES = ("Right", "Left")
WITH_MOUTH = 0.5
"""How far the generator parts lips where the inside of the mouth is known (portraits/mouth.py): the
tuned generator has forgotten it, and draws a ghost of the closed lips instead."""
_NOTHING = KnownParts()
_EYE_FIRST_ROW = 5
"""Coarser rows add nothing to an eye and leak."""


@dataclass(frozen=True)
class Control:
    """What the generator does for one coefficient.

    Attributes:
        name: of ARKit.
        regions: where.
        amplitude: longest shifts of the matrix's row at amount 1.
        late: whether the generator comes in at the end only, where the warp has nothing to show:
            half closed lids of a generator are ghosts, closed ones are not.
        parts: whether it parts the lips.
    """

    name: str
    regions: tuple[str, ...]
    amplitude: float
    late: bool = False
    parts: bool = False

    def left(self, known: KnownParts) -> float:
        """How much of ``amplitude`` is left to the generator where parts of the face are known: of
        lids and irises that are known nothing, for it has forgotten what they hide."""
        if self.parts and known.mouth:
            return WITH_MOUTH
        for number, side in enumerate(SIDES):
            if self.name == f"eyeBlink{side}" and known.lids[number]:
                return 0.0
            if self.name.startswith("eyeLook") and self.name.endswith(side):
                return 0.0 if known.eyeballs[number] else 1.0
        return 1.0

    def share(self, amount: float) -> float:
        """How much of ``amplitude`` is given at an amount, which may be negative."""
        if not self.late:
            return amount
        t = min(max((amount - 0.35) / 0.6, 0.0), 1.0)
        return t * t * (3 - 2 * t)


def _both(name: str, region: str, amplitude: float, **how: bool) -> list[Control]:
    return [Control(name + side, (region + side,), amplitude, **how) for side in SIDES]


def _middle(name: str, region: str, amplitude: float, **how: bool) -> list[Control]:
    regions = (region,) if region in REGIONS else tuple(region + side for side in SIDES)
    return [Control(name, regions, amplitude, **how)]


CONTROLS: tuple[Control, ...] = (
    *_both("eyeBlink", "eye", 1.5, late=True),
    *_both("eyeSquint", "eye", 0.8),
    *_both("eyeWide", "eye", 0.7),
    *_both("eyeLookUp", "eye", 0.7),
    *_both("eyeLookDown", "eye", 0.7),
    *_both("eyeLookIn", "eye", 0.4),
    *_both("eyeLookOut", "eye", 0.4),
    *_both("browDown", "brow", 0.8),
    *_both("browOuterUp", "brow", 0.45),
    *_middle("browInnerUp", "brow", 0.5),
    *_middle("jawOpen", "jaw", 1.5, parts=True),
    *_middle("mouthFunnel", "mouth", 0.9, parts=True),
    *_middle("mouthPucker", "mouth", 0.8),
    *_both("mouthSmile", "mouth", 1.2),
    *_both("mouthFrown", "mouth", 0.7),
    *_both("mouthStretch", "mouth", 0.8),
    *_both("mouthUpperUp", "mouth", 0.9, parts=True),
    *_both("mouthLowerDown", "mouth", 0.9, parts=True),
    *_both("mouthPress", "mouth", 0.8),
    *_both("mouthDimple", "mouth", 0.8),
)
"""In this order their moves are measured."""

_BEARABLE = {"eye": 2.0, "brow": 1.2, "mouth": 2.0, "jaw": 2.0}
"""Longest shifts, by kind of region, up to which the generator draws faces."""

EYES = 13
"""Rises whenever eyes are measured in another way (measure_eyes.py)."""

GAINS = 8
"""Rises whenever gains are measured in another way (measure_gains.py)."""

MOUTH = 2
"""Rises whenever the inside of the mouth is drawn in another way (measure_mouth.py)."""

COEFFICIENTS = np.array([ARKIT_NAMES.index(control.name) for control in CONTROLS])
"""(c,) position of each control among the 52."""


@dataclass(frozen=True, eq=False)
class RegionalShifts:
    """The rows of a matrix as shifts of regions."""

    bundle: ModelBundle

    @cached_property
    def id(self) -> str:
        """Names what a face's geometry was measured with: the matrix, and what of it regions are
        given."""
        meant = (
            f"{self.bundle.id} {FIRST_ROW}:{END_ROW} {CONTROLS} {WITH_MOUTH} {EYES} {GAINS} {MOUTH}"
        )
        return hashlib.sha256(meant.encode()).hexdigest()

    @cached_property
    def _shifts(self) -> np.ndarray:
        """(c, K, rows, w_dim) float32: each control's shift at its amplitude."""
        bundle = self.bundle
        width = bundle.directions.shape[2]
        result = np.zeros((len(CONTROLS), len(REGIONS), len(REGIONAL_ROWS), width), np.float32)
        for number, control in enumerate(CONTROLS):
            position = bundle.schema.index[control.name]
            longest = np.float32(control.amplitude * bundle.longest_motion[position])
            rows = bundle.directions[position, FIRST_ROW:END_ROW] * longest
            for region in control.regions:
                own = result[number, REGIONS.index(region)]
                own[: len(rows)] = rows
                if region.startswith("eye"):
                    own[: _EYE_FIRST_ROW - FIRST_ROW] = 0
        return result

    def deltas(self, amounts: np.ndarray, known: KnownParts = _NOTHING) -> np.ndarray:
        """(K, rows, w_dim) float32 for changes (52,) of the coefficients.

        Args:
            known: what the generator need not draw.
        """
        given = _asked(amounts, known)
        given = given * self.borne(amounts, known)
        # A fixed order of summation keeps the bytes of a frame the same on every call.
        return np.einsum("c,ckrd->krd", given, self._shifts, optimize=False)

    def borne(self, amounts: np.ndarray, known: KnownParts = _NOTHING) -> np.ndarray:
        """(c,) float32 in (0, 1]: how much of what is asked of the controls together their regions
        bear; arguments of `deltas`."""
        asked = _asked(amounts, known).astype(np.float64)
        squares = np.einsum("c,crd,d->r", asked, self._products, asked, optimize=False)
        scale = np.minimum(1, self._longest / np.sqrt(np.maximum(squares, 1e-18)))
        return np.where(self._regions, scale, 1).min(1).astype(np.float32)

    @cached_property
    def _regions(self) -> np.ndarray:
        """(c, K) bool: the regions of each control."""
        return np.array([[region in control.regions for region in REGIONS] for control in CONTROLS])

    @cached_property
    def _products(self) -> np.ndarray:
        """(c, K, c) float64: scalar products of the controls' shifts in each region."""
        flat = self._shifts.reshape(len(CONTROLS), len(REGIONS), -1).astype(np.float64)
        return np.einsum("crx,drx->crd", flat, flat, optimize=True)

    @cached_property
    def _longest(self) -> np.ndarray:
        """(K,) length that the shifts of each region may have together: so many times that of the
        control which moves it most."""
        alone = np.sqrt(np.einsum("crc->cr", self._products))
        amplitudes = np.array([control.amplitude for control in CONTROLS])[:, None]
        times = [next(t for kind, t in _BEARABLE.items() if r.startswith(kind)) for r in REGIONS]
        return np.asarray((alone / amplitudes).max(0) * times)


def without_closing(amounts: np.ndarray) -> np.ndarray:
    """Amounts (52,) for the generator, whose jaw parts the lips: as far as they close over it
    again it has nothing to part."""
    jaw, close = (ARKIT_NAMES.index(name) for name in ("jawOpen", "mouthClose"))
    result = amounts.copy()
    result[jaw] -= np.clip(amounts[close], 0, max(float(amounts[jaw]), 0.0))
    return result


def _asked(amounts: np.ndarray, known: KnownParts) -> np.ndarray:
    """(c,) float32: parts of their amplitude that are asked of the controls."""
    shares = [
        control.share(float(amount)) * control.left(known)
        for control, amount in zip(CONTROLS, amounts[COEFFICIENTS], strict=True)
    ]
    return np.array(shares, np.float32)
