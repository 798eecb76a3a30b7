"""Which 32 channels: of the local ones, those that together make the face's shapes.

Candidates of a part are its most local factors. What each really does is measured by moving it two
standard deviations either way. Then channels are taken one by one (orthogonal matching pursuit):
the one that adds most to how well all chosen can make the table's shapes of the part.
"""

from __future__ import annotations

import torch
from torch import Tensor

from photorig.worker.faces.face_shapes import load_face_shapes

from ..performances import Observers, rendered
from .locality import PARTS, QUOTAS, Locality, part_vertices

CANDIDATES = {"mouth": 48, "eyes": 28, "brows": 24, "other": 16}
STEP = 2.0
"""Standard deviations by which a candidate is moved."""
_RIDGE = 0.02
_LEAST_MOVE = 0.5
"""Of the strongest tenth of all factors: what moves less does nothing that is seen."""


def candidates(locality: Locality) -> dict[str, list[int]]:
    """The most local factors of each part among those that move it at all."""
    taken: set[int] = set()
    result = {}
    for part in PARTS:
        moves = locality.moves[part]
        score = locality.score(part) * (moves > _LEAST_MOVE * moves.quantile(0.9))
        order = [i for i in score.argsort(descending=True).tolist() if i not in taken]
        result[part] = order[: CANDIDATES[part]]
        taken |= set(result[part])
    return result


@torch.no_grad()
def measured_moves(
    observers: Observers, latents: Tensor, deviation: Tensor, channels: list[int]
) -> Tensor:
    """(k, 478, 3) mean move of landmarks in the aligned face for one standard deviation of each
    channel: 468 vertices in cm and ten landmarks of the irises in shares of the face's height."""
    total = torch.zeros(len(channels), 478, 3)
    for person in latents:
        steps = torch.zeros(2 * len(channels), len(deviation))
        for row, channel in enumerate(channels):
            steps[2 * row, channel] = STEP * deviation[channel]
            steps[2 * row + 1, channel] = -STEP * deviation[channel]
        seen = []
        for some in steps.split(16):
            images = rendered(observers.network, person.expand(len(some), -1, -1), some).clamp(0, 1)
            regions, _ = observers.landmarker.detect_regions(images)
            looked = observers.landmarker.measure(images, regions)
            seen.append(face_points(looked.aligned, looked.landmarks_px))
        points = torch.cat(seen)
        total += (points[::2] - points[1::2]) / (2 * STEP * len(latents))
    return total


def face_points(aligned: Tensor, landmarks: Tensor) -> Tensor:
    """(b, 478, 3) of the face without its pose: vertices (b, 468, 3) in cm, and where the irises
    (478 landmarks in pixels) are from the middle of their eyes, in cm."""
    middle = (landmarks[:, [33, 362]] + landmarks[:, [133, 263]]) / 2
    width = (landmarks[:, [33, 362], :2] - landmarks[:, [133, 263], :2]).norm(dim=-1)
    irises = landmarks[:, 468:].unflatten(1, (2, 5)) - middle[:, :, None]
    irises = irises / width[:, :, None, None] * 3.0  # an eye is about 3 cm wide
    return torch.cat([aligned, (irises * irises.new_tensor([1, -1, 0])).flatten(1, 2)], 1)


def chosen(found: dict[str, list[int]], moves: dict[int, Tensor]) -> list[int]:
    """The channels, part by part, by orthogonal matching pursuit of the part's shapes."""
    shapes, vertices, result = load_face_shapes(), part_vertices(), []
    for part in PARTS:
        wanted = torch.from_numpy(shapes.offsets)[:, vertices[part]].flatten(1)
        wanted = wanted[wanted.norm(dim=1) > 0.1 * wanted.norm(dim=1).max()]
        if part == "eyes":  # gaze is in no vertex
            wanted = torch.cat([wanted, torch.zeros(len(wanted), 30)], 1)
            wanted = torch.cat([wanted, _gazes(wanted.shape[1])])
        columns = {c: _part(moves[c], vertices[part], part) for c in found[part]}
        picked: list[int] = []
        for _ in range(QUOTAS[part]):
            left = {
                c: _unexplained(wanted, [*picked, c], columns) for c in columns if c not in picked
            }
            picked.append(min(left, key=lambda c: left[c]))
        result += picked
    return result


def _part(moves: Tensor, vertices: Tensor, part: str) -> Tensor:
    flat = moves[vertices].flatten()
    return torch.cat([flat, moves[468:].flatten()]) if part == "eyes" else flat


def _gazes(width: int) -> Tensor:
    """Both eyes' irises to the side and up by half a centimetre."""
    looks = torch.zeros(2, width)
    looks[0, -30::3], looks[1, -29::3] = 0.5, 0.5
    return looks


def _unexplained(wanted: Tensor, channels: list[int], columns: dict[int, Tensor]) -> float:
    basis = torch.stack([columns[channel] for channel in channels])
    gram = basis @ basis.T
    ridge = _RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    weights = torch.linalg.solve(gram + ridge, basis @ wanted.T)
    return float((wanted - weights.T @ basis).square().sum())
