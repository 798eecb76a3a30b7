"""How locally single factors of StyleSpace move a face: what a region does ÷ what else changes.

All factors at once by gradients: random projections of what a region's vertices do, of who it is,
of the pixels outside of the region and of the head's angles, traced back to the factors. The mean
square over projections is the squared length of the change that a factor causes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from photorig.worker.faces.face_shapes import load_face_shapes

from ..performances import SIDE, Observers, rendered

PARTS = ("mouth", "eyes", "brows", "other")
QUOTAS = {"mouth": 14, "eyes": 8, "brows": 6, "other": 4}
"""How many of the 32 channels each part of the face has (algorithms.md §4.3)."""
_PREFIXES = {
    "mouth": ("mouth", "jaw"),
    "eyes": ("eye",),
    "brows": ("brow",),
    "other": ("cheek", "nose"),
}
_PROJECTIONS = 6
_MOVED = 0.35
"""cm by which a shape of the table moves a vertex that belongs to its part."""
_MASK_SIDE = 64
_BLUR = 13


@dataclass(frozen=True, eq=False)
class Locality:
    """What one standard deviation of each of n factors does, root mean square over people.

    Attributes:
        moves: by part, (n,) cm of its vertices.
        identity: (n,) change of the unit vector of face recognition.
        spills: by part, (n,) mean change of the colours outside of it, in [0, 1].
        turns: (n,) degrees of yaw and pitch.
    """

    moves: dict[str, Tensor]
    identity: Tensor
    spills: dict[str, Tensor]
    turns: Tensor

    def score(self, part: str) -> Tensor:
        """(n,) the higher, the more of what a factor does is done in the part."""
        others = [moves for name, moves in self.moves.items() if name != part]
        cost = 0.05 + 2 * self.identity + 40 * self.spills[part] + 0.1 * self.turns
        return self.moves[part] / (cost + 2 * torch.stack(others).sum(0))


def part_vertices() -> dict[str, Tensor]:
    """Indices of the vertices that the table of shapes moves in each part."""
    shapes, result = load_face_shapes(), {}
    for part, prefixes in _PREFIXES.items():
        rows = [i for i, name in enumerate(shapes.names) if name.startswith(prefixes)]
        reach = torch.from_numpy(shapes.offsets[rows]).norm(dim=-1).amax(0)
        result[part] = torch.nonzero(reach > _MOVED * float(reach.max()))[:, 0]
    return result


def measure_locality(
    observers: Observers, latents: Tensor, deviation: Tensor, seed: int
) -> Locality:
    """Over people (p, n_rows, w_dim); deviation (n,) of the factors over people."""
    vertices, random = part_vertices(), torch.Generator().manual_seed(seed)
    sums: dict[str, Tensor] = {}
    for person in latents:
        offsets = torch.zeros(1, len(deviation), requires_grad=True)
        images = rendered(observers.network, person[None], offsets)
        regions, found = observers.landmarker.detect_regions(images.detach().clamp(0, 1))
        if not bool(found.all()):
            continue
        seen = observers.landmarker.measure(images, regions)
        outputs = {"identity": observers.recognition(images, seen.landmarks_px)[0]}
        outputs["turns"] = seen.parameters[0, :2]
        small = functional.adaptive_avg_pool2d(images, _MASK_SIDE)[0]
        for part, chosen in vertices.items():
            outputs[f"moves {part}"] = seen.aligned[0, chosen].flatten()
            mask = _part_mask(seen.landmarks_px[0, chosen].detach())
            outputs[f"spills {part}"] = (small * (1 - mask)).flatten()
        for name, output in outputs.items():
            for _ in range(_PROJECTIONS):
                signs = torch.randn(output.shape, generator=random)
                (slope,) = torch.autograd.grad(output @ signs, offsets, retain_graph=True)
                squared = (slope[0] * deviation).square() / len(output) / _PROJECTIONS
                sums[name] = sums.get(name, torch.zeros(len(deviation))) + squared / len(latents)
    root = {name: value.sqrt() for name, value in sums.items()}
    return Locality(
        {part: root[f"moves {part}"] for part in PARTS},
        root["identity"] * 128**0.5,
        {part: root[f"spills {part}"] for part in PARTS},
        root["turns"],
    )


def _part_mask(landmarks: Tensor) -> Tensor:
    """(64, 64) 1 around landmarks (m, 3) of a picture, softly ending."""
    places = (landmarks[:, :2] / SIDE * _MASK_SIDE).long().clamp(0, _MASK_SIDE - 1)
    mask = torch.zeros(1, 1, _MASK_SIDE, _MASK_SIDE)
    mask[0, 0, places[:, 1], places[:, 0]] = 1
    wide = functional.max_pool2d(mask, _BLUR, 1, _BLUR // 2)
    return functional.avg_pool2d(wide, 5, 1, 2)[0, 0]
