"""What a rendered face shows, as differentiable numbers: parameters, who it is, surroundings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from photorig.worker.faces.attributes import FaceAttributes
from photorig.worker.faces.landmarker import FaceLandmarker, Measurement
from photorig.worker.faces.recognition import Recognition
from photorig.worker.generators.network import Network

IMAGE_SIZE = 256
SURROUNDINGS_SIZE = 16


@dataclass(frozen=True)
class Observation:
    """b faces as numbers, differentiable with respect to the latents.

    Attributes:
        parameters: (b, n) in the schema's units.
        identity: (b, 128) unit vectors of face recognition.
        look: (b, 1024) unit vectors of the attribute network, which sees hair and glasses as well.
        age: (b,) years.
        gender: (b,) in [0, 1].
        surroundings: (b, 3, 16, 16) colours in [0, 1] outside head and shoulders, 0 inside.
        landmarks_px: (b, 478, 3).
    """

    parameters: Tensor
    identity: Tensor
    look: Tensor
    age: Tensor
    gender: Tensor
    surroundings: Tensor
    landmarks_px: Tensor


class FaceObserver(nn.Module):
    """Generator, landmarker, face recognition and attribute network in a row."""

    surroundings_mask: Tensor

    def __init__(
        self,
        network: Network,
        landmarker: FaceLandmarker,
        recognition: Recognition,
        attributes: FaceAttributes,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.landmarker = landmarker
        self.recognition = recognition
        self.attributes = attributes
        self.register_buffer("surroundings_mask", surroundings_mask(), persistent=False)

    def images(self, latents: Tensor) -> Tensor:
        """(b, n_rows, w_dim) to (b, 3, 256, 256) in about [0, 1], not clamped."""
        images: Tensor = self.network(latents, IMAGE_SIZE)
        return images * 0.5 + 0.5

    def regions(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Crop of the face in each image (b, 4) and whether one was found (b,)."""
        return self.landmarker.detect_regions(images.detach().clamp(0, 1))

    def observe(self, images: Tensor, regions: Tensor) -> Observation:
        """Images (b, 3, 256, 256) and crops (b, 4) to numbers."""
        measurement: Measurement = self.landmarker.measure(images, regions)
        identity = self.recognition(images, measurement.landmarks_px)
        seen = self.attributes(images, measurement.landmarks_px)
        small = functional.adaptive_avg_pool2d(images, SURROUNDINGS_SIZE)
        return Observation(
            measurement.parameters,
            identity,
            functional.normalize(seen.descriptor, dim=1),
            seen.age,
            torch.sigmoid(seen.gender),
            small * self.surroundings_mask,
            measurement.landmarks_px,
        )


def surroundings_mask() -> Tensor:
    """(16, 16) 1 where an FFHQ-aligned image shows neither head, hair nor shoulders, usually."""
    centres = (torch.arange(SURROUNDINGS_SIZE) + 0.5) / SURROUNDINGS_SIZE
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    head = ((x - 0.5) / 0.40) ** 2 + ((y - 0.48) / 0.50) ** 2 < 1
    shoulders = y > 0.80
    return (~(head | shoulders)).float()
