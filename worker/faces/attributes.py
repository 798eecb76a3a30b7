"""How old, which sex, and who by a second network: HSE FaceRes, differentiable.

One MobileNet with three heads by Andrey Savchenko ("Efficient facial representations for age,
gender and identity recognition in organizing photo albums using multi-output ConvNet", 2019). The
losses of training may use it, so it is no judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from photorig.worker.importers.tfjs import Graph, TFJSModule, read_graph

from .descriptor import face_chips

MODEL = "faceres"
CHIP_SIZE = 224

_OUTPUTS = ("age_pred/Softmax", "gender_pred/BiasAdd", "global_pooling/Mean")
_MEAN = (103.939, 116.779, 123.68)  # BGR, 0…255: what the network was trained to see subtracted


@dataclass(frozen=True, eq=False)
class Attributes:
    """What the network says of b faces.

    Attributes:
        age: (b,) years, the mean of the distribution that the network gives.
        gender: (b,) logit: above 0 male, below 0 female.
        descriptor: (b, 1024), at least 0. Cosines of one person are about .9 under small changes
            and .75 at 20° of yaw, of two people .43 ± .09.
    """

    age: Tensor
    gender: Tensor
    descriptor: Tensor


class FaceAttributes(nn.Module):
    """Images and landmarks to attributes; frozen, differentiable with respect to the images."""

    mean: Tensor
    years: Tensor

    def __init__(self, graph: Graph) -> None:
        """graph: of the model ``faceres``. Raises ModelError where it is another one."""
        super().__init__()
        self.network = TFJSModule(graph, _OUTPUTS)
        self.register_buffer("mean", torch.tensor(_MEAN), persistent=False)
        self.register_buffer("years", torch.arange(100.0), persistent=False)
        self.eval()

    def forward(self, images: Tensor, landmarks_px: Tensor) -> Attributes:
        """Attributes of one face in each image.

        Args:
            images: (b, 3, h, w) RGB in [0, 1].
            landmarks_px: (b, 478, 3) pixels, as `FaceLandmarker.measure` gives them.
        """
        # No gradient may flow through where the chip is cut: it would reward moving the eyes.
        chips = face_chips(images, landmarks_px.detach(), CHIP_SIZE)
        ages, gender, descriptor = self.network(chips.flip(1).permute(0, 2, 3, 1) - self.mean)
        return Attributes(ages @ self.years, gender[:, 0], descriptor)


def load_attributes() -> FaceAttributes:
    """The registry's attribute network, float32, frozen. Raises ModelError."""
    from photorig.worker.registry import fetch

    folder = fetch(MODEL)
    return FaceAttributes(read_graph(folder / f"{MODEL}.json", folder / f"{MODEL}.bin"))
