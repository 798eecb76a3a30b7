"""A direction matrix from causes instead of correlations, in closed form.

For many people, J_p and J_i are the Jacobians of the parameters and of what must not change
(identity, surroundings) with respect to the first rows of W+. The shift D per full move of each
parameter minimises, summed over the people,

    |J_p D − I|² + α |J_i D|² + λ |u|² + μ |u − mean over rows of u|²      with D = L u

where L whitens by the covariance of w, so that a shift along which faces vary little costs more,
and μ pulls the rows of W+ towards a common shift, that is towards W, where faces are natural.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from .observation import FaceObserver, full_move
from .people import person_latents

N_ROWS = 10
"""Rows of W+ that are moved: every layer up to 128². Finer rows hold colour and texture."""

N_IDENTITY = 20
N_SURROUNDINGS = 6


@dataclass(frozen=True)
class JacobianWeights:
    """α, λ, μ above; surroundings weigh α·``surroundings``. λ is relative to the mean diagonal."""

    identity: float = 30.0
    surroundings: float = 4.0
    shrinkage: float = 0.3
    row_tie: float = 1.0


@dataclass(frozen=True)
class Jacobians:
    """Jacobians of m people over the first N_ROWS rows of W+, outputs in full moves.

    Attributes:
        parameters: (m, k, N_ROWS·512) of the learnable parameters, per full move.
        identity: (m, N_IDENTITY, N_ROWS·512) of random projections of the unit descriptor.
        surroundings: (m, N_SURROUNDINGS, N_ROWS·512) of random projections of the colours.
    """

    parameters: Tensor
    identity: Tensor
    surroundings: Tensor


def collect_jacobians(
    observer: FaceObserver,
    positions: list[int],
    cache: Path,
    *,
    n_people: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Jacobians:
    """Jacobians of the first ``n_people`` training people; what the cache holds is not redone.

    Args:
        positions: which parameters of the schema.
        cache: folder for one file a person.
    """
    cache.mkdir(parents=True, exist_ok=True)
    people: list[dict[str, Tensor]] = []
    index = 0
    while len(people) < n_people:
        path = cache / f"jacobian-{seed}-{index:05d}.safetensors"
        person = _read(path)
        if person is None:
            person = _person_jacobian(observer, positions, index, seed)
            _write(path, person)
        # A person without a detected face leaves an empty file, so that a rerun skips it too.
        if person["parameters"].numel():
            people.append(person)
            if progress:
                progress(len(people), n_people)
        index += 1
    return Jacobians(
        *(
            torch.stack([person[name].float() for person in people])
            for name in ("parameters", "identity", "surroundings")
        )
    )


def _person_jacobian(
    observer: FaceObserver, positions: list[int], index: int, seed: int
) -> dict[str, Tensor]:
    latents = person_latents(observer.network, index, seed)[None]
    moved = latents[:, :N_ROWS].clone().requires_grad_(True)
    images = observer.images(torch.cat([moved, latents[:, N_ROWS:]], 1))
    regions, found = observer.regions(images)
    if not bool(found[0]):
        return {name: torch.zeros(0) for name in ("parameters", "identity", "surroundings")}
    observation = observer.observe(images, regions)
    identity_map, surroundings_map = _projections()
    outputs = {
        "parameters": observation.parameters[0, positions] / full_move()[positions],
        "identity": identity_map @ observation.identity[0],
        "surroundings": surroundings_map @ observation.surroundings[0].flatten(),
    }
    return {
        name: torch.stack(
            [torch.autograd.grad(value, moved, retain_graph=True)[0].flatten() for value in values]
        )
        for name, values in outputs.items()
    }


def _projections() -> tuple[Tensor, Tensor]:
    """Random projections that keep lengths on average; fixed, so that runs can be continued."""
    generator = torch.Generator().manual_seed(5)
    identity = torch.randn(N_IDENTITY, 128, generator=generator) / N_IDENTITY**0.5
    surroundings = torch.randn(N_SURROUNDINGS, 768, generator=generator) / N_SURROUNDINGS**0.5
    return identity, surroundings / 10


def solve_directions(jacobians: Jacobians, covariance: Tensor, weights: JacobianWeights) -> Tensor:
    """The closed-form solution.

    Args:
        covariance: (512, 512) of w.

    Returns:
        (k, N_ROWS, 512) shift per full move of each parameter, by the mean local slope.
    """
    values, vectors = torch.linalg.eigh(covariance)
    whitening = vectors * values.clamp_min(values.max() * 1e-5).sqrt()

    def whitened(jacobian: Tensor) -> Tensor:
        rows = jacobian.reshape(-1, N_ROWS, 512) @ whitening
        return rows.reshape(len(rows), -1)

    n_people, n_parameters = jacobians.parameters.shape[:2]
    parameters = whitened(jacobians.parameters)
    gram = parameters.T @ parameters
    identity = whitened(jacobians.identity)
    gram += weights.identity * (identity.T @ identity)
    surroundings = whitened(jacobians.surroundings)
    gram += weights.identity * weights.surroundings * (surroundings.T @ surroundings)
    gram /= n_people
    target = parameters.reshape(n_people, n_parameters, -1).mean(0)
    scale = float(gram.diagonal().mean())
    gram += weights.shrinkage * scale * torch.eye(len(gram))
    tie = torch.eye(N_ROWS) - torch.full((N_ROWS, N_ROWS), 1 / N_ROWS)
    gram += weights.row_tie * scale * torch.kron(tie, torch.eye(512))
    solution = torch.linalg.solve(gram, target.T)  # (N_ROWS·512, k)
    slope = (target @ solution).diagonal()
    shift = solution.T.reshape(n_parameters, N_ROWS, 512) @ whitening.T
    return shift / slope.clamp_min(0.02)[:, None, None]


def _read(path: Path) -> dict[str, Tensor] | None:
    try:
        return load_file(path)
    except (FileNotFoundError, SafetensorError):
        return None


def _write(path: Path, person: dict[str, Tensor]) -> None:
    partial = path.with_suffix(f".{os.getpid()}.part")
    save_file({name: tensor.half().contiguous() for name, tensor in person.items()}, partial)
    partial.replace(path)
