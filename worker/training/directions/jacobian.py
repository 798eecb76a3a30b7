"""A direction matrix from causes instead of correlations, in closed form.

For many people, J_p and J_i are the Jacobians of the parameters and of what must not change
(identity, surroundings) with respect to the first rows of W+. The shift D per full move of each
parameter minimises, summed over the people,

    |J_p D − I|² + α |J_i D|² + λ |u|² + μ |u − mean over rows of u|²      with D = L u

where L whitens by the covariance of w, so that a shift along which faces vary little costs more,
and μ pulls the rows of W+ towards a common shift, that is towards W, where faces are natural.

Coefficients are logistic outputs: near 0 and 1 they hardly move, whatever the face does. J_p is
therefore taken of a softened logit, so that a mouth that happens to be shut counts as well.
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

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.generators.people import person_latents

from .motion import full_move
from .observation import FaceObserver

N_ROWS = 10
"""Rows of W+ that are moved: every layer up to 128². Finer rows hold colour and texture."""

N_IDENTITY = 20
N_SURROUNDINGS = 6


@dataclass(frozen=True)
class JacobianWeights:
    """α, λ, μ above, λ and μ relative to the mean diagonal; surroundings weigh α·``surroundings``.

    ``saturation`` softens the logit: a coefficient c counts 1 / (4 c (1 − c) + saturation).
    """

    identity: float = 30.0
    surroundings: float = 4.0
    shrinkage: float = 30.0
    row_tie: float = 30.0
    saturation: float = 0.25


@dataclass(frozen=True)
class Jacobians:
    """Jacobians of m people over the first N_ROWS rows of W+, outputs in full moves.

    Attributes:
        measured: (m, k) the parameters themselves, in full moves.
        parameters: (m, k, N_ROWS·w_dim) of the learnable parameters, per full move.
        identity: (m, N_IDENTITY, N_ROWS·w_dim) of random projections of the unit descriptor.
        surroundings: (m, N_SURROUNDINGS, N_ROWS·w_dim) of random projections of the colours.
    """

    measured: Tensor
    parameters: Tensor
    identity: Tensor
    surroundings: Tensor


_NAMES = ("measured", "parameters", "identity", "surroundings")


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
    return Jacobians(*(torch.stack([person[name].float() for person in people]) for name in _NAMES))


def _person_jacobian(
    observer: FaceObserver, positions: list[int], index: int, seed: int
) -> dict[str, Tensor]:
    latents = person_latents(observer.network, index, seed)[None]
    n_rows = min(N_ROWS, observer.network.n_rows)
    moved = latents[:, :n_rows].clone().requires_grad_(True)
    images = observer.images(torch.cat([moved, latents[:, n_rows:]], 1))
    regions, found = observer.regions(images)
    if not bool(found[0]):
        return {name: torch.zeros(0) for name in _NAMES}
    observation = observer.observe(images, regions)
    identity_map, surroundings_map = _projections()
    outputs = {
        "parameters": observation.parameters[0, positions] / full_move(FACE_SCHEMA)[positions],
        "identity": identity_map @ observation.identity[0],
        "surroundings": surroundings_map @ observation.surroundings[0].flatten(),
    }
    gradients = {
        name: torch.stack(
            [torch.autograd.grad(value, moved, retain_graph=True)[0].flatten() for value in values]
        )
        for name, values in outputs.items()
    }
    return gradients | {"measured": outputs["parameters"].detach()}


def _projections() -> tuple[Tensor, Tensor]:
    """Random projections that keep lengths on average; fixed, so that runs can be continued."""
    generator = torch.Generator().manual_seed(5)
    identity = torch.randn(N_IDENTITY, 128, generator=generator) / N_IDENTITY**0.5
    surroundings = torch.randn(N_SURROUNDINGS, 768, generator=generator) / N_SURROUNDINGS**0.5
    return identity, surroundings / 10


def solve_directions(
    jacobians: Jacobians, covariance: Tensor, is_angle: Tensor, weights: JacobianWeights
) -> Tensor:
    """The closed-form solution.

    Args:
        covariance: (w_dim, w_dim) of w.
        is_angle: (k,) bool; angles do not saturate.

    Returns:
        (k, n_rows, w_dim) shift per full move of each parameter, by the mean local slope.
    """
    values, vectors = torch.linalg.eigh(covariance)
    whitening = vectors * values.clamp_min(values.max() * 1e-5).sqrt()
    n_people, n_parameters, n_inputs = jacobians.parameters.shape
    w_dim = len(covariance)
    n_rows = n_inputs // w_dim

    def whitened(jacobian: Tensor) -> Tensor:
        rows = jacobian.reshape(-1, n_rows, w_dim) @ whitening
        return rows.reshape(-1, n_inputs)

    openness = 4 * jacobians.measured * (1 - jacobians.measured) + weights.saturation
    weight = torch.where(is_angle, 1.0, 1 / openness)
    parameters = whitened(jacobians.parameters * weight[:, :, None])
    gram = parameters.T @ parameters
    identity = whitened(jacobians.identity)
    gram += weights.identity * (identity.T @ identity)
    surroundings = whitened(jacobians.surroundings)
    gram += weights.identity * weights.surroundings * (surroundings.T @ surroundings)
    gram /= n_people
    scale = float(gram.diagonal().mean())
    gram += weights.shrinkage * scale * torch.eye(n_inputs)
    tie = torch.eye(n_rows) - torch.full((n_rows, n_rows), 1 / n_rows)
    gram += weights.row_tie * scale * torch.kron(tie, torch.eye(w_dim))
    target = parameters.reshape(n_people, n_parameters, n_inputs).mean(0)
    solution = torch.linalg.solve(gram, target.T)
    slope = (whitened(jacobians.parameters.mean(0)) @ solution).diagonal()
    shift = solution.T.reshape(n_parameters, n_rows, w_dim) @ whitening.T
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
