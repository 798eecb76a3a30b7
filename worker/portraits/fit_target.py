"""What a fitted image should show, and how far an image is from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from photorig.shared.errors import InputError
from photorig.worker.faces.attributes import FaceAttributes
from photorig.worker.faces.landmarker import FaceLandmarker, Region
from photorig.worker.faces.recognition import Recognition
from photorig.worker.portraits.align import aligned_crop, side_in_pixels, to_photo
from photorig.worker.portraits.matte import Matte, refined

SMALL, LARGE = 256, 1024

_SURROUNDINGS = 0.15
"""Weight of what is not the person: the photo's own background is put behind the face."""
_BEYOND = 0.02  # weight of what lies outside the photo
_RIM = 9  # pixels of 256 around the person that count as the person: hair has no sharp edge
_SCALES = (1, 2, 4, 8, 32)  # the coarsest is about colour


@dataclass(frozen=True)
class Onlookers:
    """The networks that say what an image shows; frozen, on one device."""

    landmarker: FaceLandmarker
    recognition: Recognition
    attributes: FaceAttributes


@dataclass(frozen=True)
class Likeness:
    """Weights of 1 − cosine between descriptors: of identity (SFace) and of look (FaceRes)."""

    identity: float
    look: float


@dataclass(frozen=True)
class Target:
    """The aligned photo, and what was seen in it at 256².

    Attributes:
        small: (1, 3, 256, 256) in [0, 1].
        detailed: (1, 3, d, d) in [0, 1], d at most 1024 and not above what the photo has.
        weight: (1, 1, 256, 256), 1 on the person, less behind it, next to 0 beyond the photo.
        landmarks_px: (1, 478, 3) pixels of 256.
        identity, look: (1, 128) and (1, 1024) descriptors of length 1.
        regions: crop for the landmarker. The face stays where it is, so one serves all images.
    """

    small: Tensor
    detailed: Tensor
    weight: Tensor
    landmarks_px: Tensor
    identity: Tensor
    look: Tensor
    regions: list[Region]


def target_of(photo: np.ndarray, alignment: np.ndarray, eyes: Onlookers, matte: Matte) -> Target:
    """The target of a photo (h, w, 3) uint8. Raises InputError where no face is in the crop."""
    crop = aligned_crop(photo, alignment, SMALL)
    small = as_tensor(crop)
    # Detail that the photo does not have must not be asked for: it would be blur.
    detail = LARGE
    while detail > SMALL and detail > side_in_pixels(alignment):
        detail //= 2
    region = eyes.landmarker.detect(small)[0]
    if region is None:
        raise InputError(
            "The face cannot be seen any more once it is aligned",
            "Use a photo that shows the whole face from the front.",
        )
    person = torch.from_numpy(refined(matte.person(crop), crop))[None, None]
    person = F.max_pool2d(person, _RIM, 1, _RIM // 2)
    weight = (_SURROUNDINGS + (1 - _SURROUNDINGS) * person) * _inside(photo.shape[:2], alignment)
    with torch.no_grad():
        landmarks = eyes.landmarker.measure(small, [region]).landmarks_px
        identity = eyes.recognition(small, landmarks)
        look = F.normalize(eyes.attributes(small, landmarks).descriptor)
    return Target(
        small=small,
        detailed=as_tensor(aligned_crop(photo, alignment, detail)),
        weight=weight,
        landmarks_px=landmarks,
        identity=identity,
        look=look,
        regions=[_region_around(landmarks)],
    )


def _inside(photo_size: tuple[int, int], alignment: np.ndarray) -> Tensor:
    """(1, 1, 256, 256): 1 where the crop shows the photo, next to nothing beyond its edges."""
    middles = (np.arange(SMALL) + 0.5) / SMALL
    points = np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2)
    size = np.array(photo_size[::-1])
    in_photo = to_photo(points, alignment) / size
    is_inside = ((in_photo > 0) & (in_photo < 1)).all(1).reshape(1, 1, SMALL, SMALL)
    return torch.from_numpy(np.where(is_inside, 1.0, _BEYOND).astype(np.float32))


def as_tensor(image: np.ndarray) -> Tensor:
    """(h, w, 3) uint8 → (1, 3, h, w) in [0, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def pixel_distance(image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference at several resolutions, added up.

    Args:
        image, target: (1, 3, s, s).
        weight: (1, 1, 256, 256).
    """
    size = image.shape[-1]
    if size != weight.shape[-1]:
        weight = F.interpolate(weight, size=(size, size), mode="bilinear")
    difference = (image - target) * weight
    finest = size // SMALL
    distance = torch.zeros(())
    for scale in (*(s for s in (1, 2) if s < finest), *(finest * s for s in _SCALES)):
        distance = distance + _pooled(difference, scale).abs().mean()
    return distance / weight.mean()


def _pooled(image: Tensor, factor: int) -> Tensor:
    return image if factor == 1 else F.avg_pool2d(image, factor)


def likeness(
    image: Tensor, landmarks_px: Tensor, target: Target, eyes: Onlookers, weights: Likeness
) -> Tensor:
    """How much another person is seen in an image (1, 3, 256, 256).

    Args:
        landmarks_px: (1, 478, 3), where its face is.
    """
    identity = eyes.recognition(image, landmarks_px)
    look = F.normalize(eyes.attributes(image, landmarks_px).descriptor)
    by_identity, by_look = 1 - (identity * target.identity).sum(), 1 - (look * target.look).sum()
    return weights.identity * by_identity + weights.look * by_look


def misplacement(image: Tensor, target: Target, eyes: Onlookers) -> Tensor:
    """Mean distance of the landmarks, pixels of 256, each axis."""
    seen = eyes.landmarker.measure(image, target.regions).landmarks_px
    return (seen - target.landmarks_px)[..., :2].abs().mean()


def _region_around(landmarks_px: Tensor) -> Region:
    """A crop for the landmarker around known landmarks: 1.5 times their box, upright."""
    low, high = landmarks_px[0, :, :2].amin(0), landmarks_px[0, :, :2].amax(0)
    centre = (low + high) / 2
    return Region(float(centre[0]), float(centre[1]), 1.5 * float((high - low).max()), 0.0)
