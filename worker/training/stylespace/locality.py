"""How locally directions of StyleSpace move a face: what a part of it does ÷ what else changes.

A direction is what a row of the direction matrix adds to the factors of some rows of W+. Which rows
is chosen by measurement: coarse ones leak into the whole face, fine ones may do too little.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from photorig.worker.faces.face_shapes import load_face_shapes
from photorig.worker.reenactment.bundle import ModelBundle
from photorig.worker.reenactment.face_points import face_points

from ..performances import Observers, rendered

QUOTAS = {"mouth": 14, "eyes": 8, "brows": 5, "other": 5}
"""How many of the 32 directions each part of the face has at most, the last taking what is left."""
PREFIXES = {"mouth": ("mouth", "jaw"), "eyes": ("eye",), "brows": ("brow",)}
ROWS = ((0, 11), (3, 11), (5, 11))
"""First row and the one after the last whose factors a direction may move."""
STEP = 0.8
"""Full moves by which a direction is measured, either way."""
_LEAST = 0.6
"""Of what all rows do: what moves less has lost the expression."""
_MASK_SIDE, _BLUR = 64, 13


@dataclass(frozen=True, eq=False)
class Measured:
    """What one full move of a direction does, mean over people.

    Attributes:
        name: parameter of the direction matrix.
        rows: whose factors it moves.
        offsets: (n,) of the factors.
        moves: (478, 3) cm, see `face_points`.
        cost: identity lost (1 − cosine), degrees turned and colours changed elsewhere, weighed.
    """

    name: str
    rows: tuple[int, int]
    offsets: Tensor
    moves: Tensor
    cost: float

    @property
    def strength(self) -> float:
        """cm, root mean square over its part."""
        return float(self.moves[part_points(part_of(self.name))].square().sum(-1).mean().sqrt())

    @property
    def locality(self) -> float:
        return self.strength / (0.05 + self.cost)


def part_of(name: str) -> str:
    return next((part for part, some in PREFIXES.items() if name.startswith(some)), "other")


def part_points(part: str) -> Tensor:
    """Indices of the points that the table of shapes moves in a part."""
    shapes = load_face_shapes()
    names = [i for i, name in enumerate(shapes.names) if part_of(name) == part]
    reach = torch.from_numpy(shapes.offsets[names]).norm(dim=-1).amax(0)
    points = torch.nonzero(reach > 0.35 * float(reach.max()))[:, 0]
    return torch.cat([points, torch.arange(468, 478)]) if part == "eyes" else points


def directions(observers: Observers, bundle: ModelBundle, rows: tuple[int, int]) -> Tensor:
    """(p, n) what each row of the matrix adds to the factors of some rows of W+."""
    network, matrix = observers.network, torch.from_numpy(bundle.directions)
    still = torch.zeros(len(matrix), network.n_rows, network.w_dim)
    moved, some = still.clone(), slice(rows[0], min(rows[1], matrix.shape[1]))
    moved[:, some] = matrix[:, some]
    return network.styles(moved) - network.styles(still)


@torch.no_grad()
def measure(
    observers: Observers, latents: Tensor, name: str, rows: tuple[int, int], offsets: Tensor
) -> Measured:
    """Moves people (p, n_rows, w_dim) along offsets (n,) either way."""
    moves, cost = torch.zeros(478, 3), 0.0
    points = part_points(part_of(name))
    for person in latents:
        steps = torch.stack([offsets, -offsets]) * STEP
        images = rendered(observers.network, person.expand(2, -1, -1), steps).clamp(0, 1)
        regions, _ = observers.landmarker.detect_regions(images)
        seen = observers.landmarker.measure(images, regions)
        both = face_points(seen.aligned, seen.landmarks_px)
        moves += (both[0] - both[1]) / (2 * STEP * len(latents))
        identity = observers.recognition(images, seen.landmarks_px)
        turned = (seen.parameters[0, :2] - seen.parameters[1, :2]).abs().mean()
        small = functional.adaptive_avg_pool2d(images, _MASK_SIDE)
        outside = 1 - _part_mask(seen.landmarks_px[0, points])
        spilled = ((small[0] - small[1]).abs() * outside).mean()
        lost = 1 - float(identity[0] @ identity[1])
        cost += (0.2 * lost + 0.01 * float(turned) + 2 * float(spilled)) / len(latents)
    return Measured(name, rows, offsets, moves, cost)


def _part_mask(landmarks: Tensor) -> Tensor:
    """(64, 64) 1 around landmarks (m, 3) of a picture of 256², softly ending."""
    places = (landmarks[:, :2] / 256 * _MASK_SIDE).long().clamp(0, _MASK_SIDE - 1)
    mask = torch.zeros(1, 1, _MASK_SIDE, _MASK_SIDE)
    mask[0, 0, places[:, 1], places[:, 0]] = 1
    wide = functional.max_pool2d(mask, _BLUR, 1, _BLUR // 2)
    return functional.avg_pool2d(wide, 5, 1, 2)[0, 0]


def best_rows(found: list[Measured]) -> Measured:
    """Of one direction over several ranges of rows: the most local that still makes the move."""
    whole = max(one.strength for one in found)
    return max((o for o in found if o.strength >= _LEAST * whole), key=lambda one: one.locality)


def chosen(found: list[Measured], count: int) -> list[Measured]:
    """The most local of each part, up to its quota; what is left goes to the most local of all."""
    ordered = sorted(found, key=lambda one: -one.locality)
    taken: list[Measured] = []
    for part, quota in QUOTAS.items():
        taken += [one for one in ordered if part_of(one.name) == part][:quota]
    left = [one for one in ordered if one not in taken]
    return (taken + left)[:count]


def keep_measured(path: Path, one: Measured) -> None:
    """For a run that is stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = torch.tensor([*one.rows, one.cost], dtype=torch.float64)
    save_file({"offsets": one.offsets.contiguous(), "moves": one.moves, "numbers": numbers}, path)


def read_measured(path: Path, name: str) -> Measured | None:
    """What an earlier run kept of a parameter; None where it has not come to it."""
    try:
        kept = load_file(path)
        first, end, cost = kept["numbers"].tolist()
        return Measured(name, (int(first), int(end)), kept["offsets"], kept["moves"], cost)
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
