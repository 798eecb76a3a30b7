"""How hard a fit tries, and what counts how much; each beside a multi-scale L1 of weight 1."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from .optimizer import BETA


@dataclass(frozen=True)
class IdentityWeights:
    """Weights of the identity loss.

    Attributes:
        descriptor, appearance: of 1 − cosine between descriptors, of SFace and of FaceRes.
        maps: of the distance of SFace's maps, which want the face where the photo has it.
    """

    descriptor: float
    appearance: float
    maps: float = 0.0


AT_REST, IN_MOTION = IdentityWeights(0.5, 0.5, 4.0), IdentityWeights(0.2, 0.3)


@dataclass(frozen=True)
class InversionSettings:
    """Of the search for the code.

    Attributes:
        learning_rate, offset_learning_rate: for what all rows share and for what each has of its
            own, in whitened coordinates.
        beta: see `Adam`.
        landmarks: weight of a pixel of 256; looked at every so many steps, for it costs time.
        moved_identity: under an edit, every so many steps.
        distribution: weight of the mean squared whitened coordinate, 1 for a typical w.
        drift: weight of the rows' mean squared distance to what they share, in standard deviations.
    """

    learning_rate: float = 0.14
    offset_learning_rate: float = 0.04
    beta: float = BETA
    identity: IdentityWeights = AT_REST
    landmarks: float = 0.02
    landmark_interval: int = 3
    moved_identity: IdentityWeights = IN_MOTION
    motion_interval: int = 2
    distribution: float = 0.02
    drift: float = 0.01


@dataclass(frozen=True)
class TuningSettings:
    """Of the generator's weights.

    Attributes:
        learning_rate, joint_learning_rate, fine_learning_rate: for one photo, for several, and for
            the weights that only larger pictures need.
        change: of how differently from before an edit changes the picture.
        landmarks: of a pixel of 256 by which an edit ends elsewhere.
        moved_identity: under an edit.
        kept: of how differently an edit looks once further photos are learned.
        agreement: of how differently large and small picture show a motion.
    """

    learning_rate: float = 1e-3
    joint_learning_rate: float = 3e-4
    fine_learning_rate: float = 6e-4
    identity: IdentityWeights = AT_REST
    change: float = 1.0
    landmarks: float = 0.02
    moved_identity: IdentityWeights = IN_MOTION
    kept: float = 1.0
    fine_identity: IdentityWeights = IdentityWeights(0.5, 0.0, 4.0)
    agreement: float = 1.0


@dataclass(frozen=True)
class FitSettings:
    """How hard to try.

    Attributes:
        steps: of the inversion.
        tuning_steps: of the generator's weights at 256².
        refine_steps: of the weights that only larger pictures need, twice as slow.
        measures_response: whether the portrait is to be driven once, to learn how it answers.
        learning_rate_with_code: at which the weights move during the inversion already, instead of
            afterwards; 0: they do not.
    """

    steps: int = 12
    tuning_steps: int = 30
    refine_steps: int = 12
    measures_response: bool = True
    learning_rate_with_code: float = 0.0
    inversion: InversionSettings = field(default_factory=InversionSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)

    @property
    def total(self) -> int:
        """All steps there are."""
        return self.steps + self.tuning_steps + self.refine_steps

    def for_further(self, photos: int) -> FitSettings:
        """For so many further photos, less than for the first: the person is known by then; steps
        are those of each inversion, and of the tuning for all photos together."""
        refining = math.ceil(self.refine_steps / 2) * (photos + 1) if self.refine_steps else 0
        return replace(
            self,
            steps=self.steps // 2,
            tuning_steps=math.ceil(self.tuning_steps / 2) * photos,
            refine_steps=refining,
        )


QUICK = FitSettings(
    steps=7,
    tuning_steps=0,
    refine_steps=0,
    measures_response=False,
    learning_rate_with_code=8e-4,
    inversion=InversionSettings(
        learning_rate=0.05,
        offset_learning_rate=0.03,
        beta=0.75,
        identity=IdentityWeights(0.5, 0.0, 16.0),
        landmarks=0.0,
    ),
)
"""A likeness in seconds."""

INSTANT = FitSettings(steps=0, tuning_steps=0, refine_steps=0, measures_response=False)
"""What the encoder alone takes a face for: nothing is searched for."""
