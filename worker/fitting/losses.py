"""What a fitted image should show, and how far an image is from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from photorig.shared.errors import InputError
from photorig.worker.faces.attributes import FaceAttributes
from photorig.worker.faces.landmarker import FaceLandmarker, Region
from photorig.worker.faces.recognition import FaceFeatures, Recognition, map_distance
from photorig.worker.faces.segmentation import Matte, refined
from photorig.worker.generators.layers import haar
from photorig.worker.generators.network import Network
from photorig.worker.portraits.alignment import Alignment

from .settings import IdentityWeights

SMALL, LARGE = 256, 1024

_SURROUNDINGS = 0.15
"""Weight of what is not the person: the photo's own background is put behind the face."""
_BEYOND = 0.02  # weight of what lies outside the photo
_RIM = 9  # pixels of 256 around the person that count as the person: hair has no sharp edge
_FACE, _FACE_FEATHER = 2.0, 6.0  # more weight of the face; pixels of 256 in which it is lost
_EYES, _EYES_FEATHER = 5.0, 2.0  # and of the eyes again: they are small, and looked at first
_EYE_RIMS = ((33, 133, 159, 145, 160, 158, 144, 153), (263, 362, 386, 374, 387, 385, 373, 380))
_SCALES = (1, 2, 4, 8, 32)  # the coarsest is about colour
_CHANGE_SCALES = (2, 4, 8)  # pixels of 256
_WEAVE, _WEAVE_PIXELS = 8.0, 8
"""Weight of a regular pattern, and over how many pixels it has to go on to be one.

The generator's pictures are sums of wavelets. Few steps at a high rate leave the finest of them a
little off all over: a weave that hardly counts in any one pixel, but is seen.
"""


@dataclass(frozen=True)
class LossNetworks:
    """The networks that say what an image shows; frozen."""

    landmarker: FaceLandmarker
    recognition: Recognition
    attributes: FaceAttributes

    @property
    def device(self) -> torch.device:
        """Where they compute; what they look at lies there, too."""
        return self.recognition.device

    def placed_on(self, device: torch.device) -> LossNetworks:
        """The same networks, moved to a device."""
        return LossNetworks(
            self.landmarker.to(device), self.recognition.to(device), self.attributes.to(device)
        )


@dataclass(frozen=True)
class FitLosses:
    """How far pictures are from a photo: what is optimised for it, and what was seen in it. All of
    it lies on the device of the networks.

    Attributes:
        small: (1, 3, 256, 256) in [0, 1], the aligned photo.
        detailed: (1, 3, d, d) in [0, 1], d at most 1024 and not above what the photo has.
        weight: (1, 1, 256, 256), 1 on the person, more on the face, less behind, next to 0 beyond
            the photo.
        landmarks_px: (1, 478, 3) pixels of 256.
        features: what SFace sees.
        appearance: (1, 1024) descriptor of length 1, by FaceRes.
        regions: crop for the landmarker. The face stays where it is, so one serves all images.
    """

    networks: LossNetworks
    small: Tensor
    detailed: Tensor
    weight: Tensor
    landmarks_px: Tensor
    features: FaceFeatures
    appearance: Tensor
    regions: list[Region]

    @staticmethod
    def of(
        photo: np.ndarray, alignment: Alignment, networks: LossNetworks, matte: Matte
    ) -> FitLosses:
        """Of a photo (h, w, 3) uint8. Raises InputError where no face is in the crop."""
        device = networks.device
        crop = alignment.crop(photo, SMALL)
        small = as_tensor(crop).to(device)
        # Detail that the photo does not have must not be asked for: it would be blur.
        detail = LARGE
        while detail > SMALL and detail > alignment.side:
            detail //= 2
        region = networks.landmarker.detect(small)[0]
        if region is None:
            raise InputError(
                "The face cannot be seen any more once it is aligned",
                "Use a photo that shows the whole face from the front.",
            )
        person = torch.from_numpy(refined(matte.person(crop), crop))[None, None]
        person = F.max_pool2d(person, _RIM, 1, _RIM // 2)
        with torch.no_grad():
            landmarks = networks.landmarker.measure(small, [region]).landmarks_px
            features = networks.recognition.face_features(small, landmarks)
            appearance = F.normalize(networks.attributes(small, landmarks).descriptor)
        inside = _inside(photo.shape[:2], alignment)
        weight = (_SURROUNDINGS + (1 - _SURROUNDINGS) * person) * inside
        weight = (weight * _attention(landmarks.cpu())).to(device)
        return FitLosses(
            networks,
            small,
            as_tensor(alignment.crop(photo, detail)).to(device),
            weight,
            landmarks,
            features,
            appearance,
            [_region_around(landmarks)],
        )

    def at_rest(self, image: Tensor, weights: IdentityWeights) -> Tensor:
        """Multi-scale L1 and identity loss of an image (1, 3, 256, 256) of the resting face."""
        return self.pixels(image) + self.identity(image, weights)

    def pixels(self, image: Tensor) -> Tensor:
        """Multi-scale L1 of an image (1, 3, 256, 256)."""
        return multi_scale_l1(image, self.small, self.weight)

    def detail(self, image: Tensor) -> Tensor:
        """Multi-scale L1 of an image (1, 3, s, s) at least 256, where the photo has as much."""
        size, detail = image.shape[-1], self.detailed.shape[-1]
        side = min(size, detail)
        wanted = _pooled(self.detailed, detail // side)
        return multi_scale_l1(_pooled(image, size // side), wanted, self.weight)

    def identity(
        self, image: Tensor, weights: IdentityWeights, landmarks_px: Tensor | None = None
    ) -> Tensor:
        """How much another person is seen in an image (1, 3, 256, 256).

        Args:
            landmarks_px: (1, 478, 3), where its face is; as in the photo where none are given.
        """
        places = self.landmarks_px if landmarks_px is None else landmarks_px
        features = self.networks.recognition.face_features(image, places)
        distance = weights.descriptor * (1 - (features.identity * self.features.identity).sum())
        if weights.maps:
            distance = distance + weights.maps * map_distance(features, self.features)
        if weights.appearance:
            seen = F.normalize(self.networks.attributes(image, places).descriptor)
            distance = distance + weights.appearance * (1 - (seen * self.appearance).sum())
        return distance

    def landmarks(self, image: Tensor) -> Tensor:
        """Mean distance of the landmarks, pixels of 256, each axis."""
        return landmark_distance(self.seen(image), self.landmarks_px)

    def seen(self, image: Tensor, regions: list[Region] | None = None) -> Tensor:
        """(1, 478, 3) landmarks of an image, in the crop that serves all or in others."""
        landmarker = self.networks.landmarker
        return landmarker.measure(image, regions or self.regions).landmarks_px


@dataclass(frozen=True)
class View:
    """A photo and its code: latents (1, n_rows, w_dim)."""

    latents: Tensor
    losses: FitLosses


def _inside(photo_size: tuple[int, int], alignment: Alignment) -> Tensor:
    """(1, 1, 256, 256): 1 where the crop shows the photo, next to nothing beyond its edges."""
    middles = (np.arange(SMALL) + 0.5) / SMALL
    points = np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2)
    size = np.array(photo_size[::-1])
    in_photo = alignment.to_photo(points) / size
    is_inside = ((in_photo > 0) & (in_photo < 1)).all(1).reshape(1, 1, SMALL, SMALL)
    return torch.from_numpy(np.where(is_inside, 1.0, _BEYOND).astype(np.float32))


def _attention(landmarks_px: Tensor) -> Tensor:
    """(1, 1, 256, 256): 1 away from the face, more on it, most on the eyes."""
    points = landmarks_px[0, :, :2].round().int().numpy()
    weight = 1 + _FACE * _filled([points], _FACE_FEATHER)
    weight += _EYES * _filled([points[list(rims)] for rims in _EYE_RIMS], _EYES_FEATHER)
    return torch.from_numpy(weight)[None, None]


def _filled(shapes: Sequence[np.ndarray], feather: float) -> np.ndarray:
    """(256, 256) float32, 1 within the hull of each of some point sets, 0 away from them."""
    mask = np.zeros((SMALL, SMALL), np.float32)
    for points in shapes:
        cv2.fillConvexPoly(mask, cv2.convexHull(points), 1.0)
    return cv2.GaussianBlur(mask, (0, 0), feather)


def as_tensor(image: np.ndarray) -> Tensor:
    """(h, w, 3) uint8 → (1, 3, h, w) in [0, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def multi_scale_l1(image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference at several resolutions, added up; a weave counts more.

    Args:
        image, target: (1, 3, s, s).
        weight: (1, 1, 256, 256).
    """
    size = image.shape[-1]
    if size != weight.shape[-1]:
        weight = F.interpolate(weight, size=(size, size), mode="bilinear")
    difference = (image - target) * weight
    finest = size // SMALL
    distance = image.new_zeros(())
    for scale in (*(s for s in (1, 2) if s < finest), *(finest * s for s in _SCALES)):
        distance = distance + _pooled(difference, scale).abs().mean()
    return (distance + _WEAVE * _weave(image - target, weight)) / weight.mean()


def _weave(difference: Tensor, weight: Tensor) -> Tensor:
    """() weighted mean size of the finest wavelets (Haar's), as far as they are alike over some
    pixels; of the two finest resolutions where the picture is larger than 256."""
    total = difference.new_zeros(())
    for level in (1,) if difference.shape[-1] == SMALL else (1, 2):
        bands = haar(_pooled(difference, level))[:, difference.shape[1] :]
        alike = _pooled(bands, _WEAVE_PIXELS).abs()
        total = total + (alike * F.adaptive_avg_pool2d(weight, alike.shape[-1])).mean()
    return total


def _pooled(image: Tensor, factor: int) -> Tensor:
    return image if factor == 1 else F.avg_pool2d(image, factor)


def picture(network: Network, latents: Tensor) -> Tensor:
    """(1, 3, 256, 256) in about [0, 1]: what a network makes of latents (1, n_rows, w_dim)."""
    image: Tensor = network(latents, SMALL) * 0.5 + 0.5
    return image


def change_distance(difference: Tensor) -> Tensor:
    """How large a difference (1, 3, 256, 256) is, at several scales. Not pixel by pixel: what a
    motion uncovers may look as this person does."""
    return torch.stack([_pooled(difference, s).abs().mean() for s in _CHANGE_SCALES]).sum()


def landmark_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean distance of landmarks (1, 478, 3), pixels, each axis."""
    return (one - other)[..., :2].abs().mean()


def _region_around(landmarks_px: Tensor) -> Region:
    """A crop for the landmarker around known landmarks: 1.5 times their box, upright."""
    low, high = landmarks_px[0, :, :2].amin(0), landmarks_px[0, :, :2].amax(0)
    centre = (low + high) / 2
    return Region(float(centre[0]), float(centre[1]), 1.5 * float((high - low).max()), 0.0)
