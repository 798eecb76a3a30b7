"""How good the encoder is on photographed faces that it was not trained on.

Every figure compares the picture of the code with the generated face before it was photographed, or
with the photo, if there is nothing else. None of the judges of `photorig evaluate` is used.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from photorig.worker.faces.attributes import FaceAttributes
from photorig.worker.faces.descriptor import IdentityDescriptor, face_chips
from photorig.worker.faces.landmarker import FaceLandmarker
from photorig.worker.faces.recognition import Recognition
from photorig.worker.fitting.encoder import PhotoEncoder, first_rows
from photorig.worker.generators import DEFAULT, load_network
from photorig.worker.generators.network import Network

IMAGE_SIZE = 256


@dataclass(frozen=True)
class Similarity:
    """How one picture resembles another.

    Attributes:
        psnr: decibels at 256².
        identity: cosine of SFace's descriptors; of strangers .2.
        descriptor: cosine of dlib's, which tells strangers of this generator apart little: .86.
        look: cosine of FaceRes's.
        landmarks: mean distance in pixels at 256².
        spread: distance of the code from the mean latent, root of the mean over rows and numbers,
            in standard deviations; faces of truncation 1 have 1.
        apart: how far the code's groups of rows are from their mean, in the same unit; 0 in W.
    """

    psnr: float
    identity: float
    descriptor: float
    look: float
    landmarks: float
    spread: float
    apart: float

    def __str__(self) -> str:
        return (
            f"{self.psnr:.2f} dB, identity {self.identity:.3f}, "
            f"descriptor {self.descriptor:.3f}, look {self.look:.3f}, "
            f"landmarks {self.landmarks:.2f} px, {self.spread:.2f} σ from the mean, "
            f"rows {self.apart:.2f} σ apart"
        )


@dataclass(frozen=True)
class Observers:
    """The networks that a measurement looks through, and what makes pictures of codes."""

    generator: Network
    landmarker: FaceLandmarker
    recognition: Recognition
    descriptor: IdentityDescriptor
    attributes: FaceAttributes

    def render(self, latents: Tensor) -> Tensor:
        """(b, n_rows, w_dim) to (b, 3, 256, 256) in [0, 1]."""
        return (self.generator(latents, IMAGE_SIZE) * 0.5 + 0.5).clamp(0, 1)


def load_observers(name: str = DEFAULT) -> Observers:
    """For a generator, by name. Raises ModelError."""
    from photorig.worker.faces.attributes import load_attributes
    from photorig.worker.faces.descriptor import load_descriptor
    from photorig.worker.faces.landmarker import load_landmarker
    from photorig.worker.faces.recognition import load_recognition

    generator = load_network(name)
    generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Observers(
        generator, load_landmarker(), load_recognition(), load_descriptor(), load_attributes()
    )


@torch.no_grad()
def similarity(observers: Observers, latents: Tensor, wanted: Tensor) -> Similarity | None:
    """The picture of latents (1, n_rows, w_dim) beside the wanted one (1, 3, 256, 256) in [0, 1].

    None where no face is found in one of them.
    """
    pictures = torch.cat([observers.render(latents), wanted])
    regions, found = observers.landmarker.detect_regions(pictures)
    if not found.all():
        return None
    landmarks = observers.landmarker.measure(pictures, regions).landmarks_px
    identity = observers.recognition(pictures, landmarks)
    descriptor = F.normalize(observers.descriptor(face_chips(pictures, landmarks)))
    look = F.normalize(observers.attributes(pictures, landmarks).descriptor)
    deviation = (latents[0] - observers.generator.mean_latent) / observers.generator.latent_std
    groups = deviation[first_rows(len(deviation))]
    distance = (landmarks[0] - landmarks[1])[:, :2].norm(dim=-1).mean()
    return Similarity(
        psnr=-10 * float((pictures[0] - pictures[1]).square().mean().log10()),
        identity=float(identity[0] @ identity[1]),
        descriptor=float(descriptor[0] @ descriptor[1]),
        look=float(look[0] @ look[1]),
        landmarks=float(distance),
        spread=float(deviation.square().mean().sqrt()),
        apart=float((groups - groups.mean(0)).square().mean().sqrt()),
    )


def mean_similarity(parts: list[Similarity]) -> Similarity:
    """Means over pictures."""
    columns = np.array([astuple(part) for part in parts]).mean(0).tolist()
    return Similarity(
        **dict(zip((field.name for field in fields(Similarity)), columns, strict=True))
    )


def measure(
    observers: Observers,
    encoder: PhotoEncoder,
    photos: np.ndarray,
    pictures: np.ndarray,
    rounds: int,
) -> Similarity:
    """Mean similarity of encoded photos to the pictures they were taken of.

    Args:
        photos, pictures: (n, 256, 256, 3) uint8.
        rounds: of correction; 0 is the plain encoder.
    """
    parts = []
    for photo, picture in zip(photos, pictures, strict=True):
        render = observers.render if rounds else None
        latents = encoder(as_tensor(photo), render, rounds)
        part = similarity(observers, latents, as_tensor(picture))
        if part is not None:
            parts.append(part)
    return mean_similarity(parts)


def as_tensor(picture: np.ndarray) -> Tensor:
    """(256, 256, 3) uint8 to (1, 3, 256, 256) in [0, 1]."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
