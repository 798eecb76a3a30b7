"""A further photo of the person in a portrait, as far as driving needs it.

Beside the code of its own photo a portrait may hold codes of others: what the first photo does not
show, the other side of the face, teeth, lids, one of them may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from photorig.shared.wire.messages import MAX_FIT_PHOTOS

MOST_REFERENCES = MAX_FIT_PHOTOS - 1
"""As many further photos as one fit may take, here and over the wire."""
LATENTS, PARAMETERS = "references.latents", "references.parameters"


@dataclass(frozen=True, eq=False)
class Reference:
    """One further photo.

    Attributes:
        latents: (n_rows, w_dim) float32 in W+, of the portrait's own, tuned generator.
        parameters: (n,) float32, what they show; headRoll as the portrait's alignment would have
            it, so that its difference to the portrait's is a tilt in the aligned square.
    """

    latents: np.ndarray
    parameters: np.ndarray


def reference_tensors(references: Sequence[Reference]) -> dict[str, np.ndarray]:
    """References as a portrait's file keeps them; 36 KB each."""
    if not references:
        return {}
    return {
        LATENTS: np.stack([one.latents for one in references]).astype(np.float32),
        PARAMETERS: np.stack([one.parameters for one in references]).astype(np.float32),
    }


def references_from_tensors(
    tensors: Mapping[str, np.ndarray], latents: np.ndarray, parameters: np.ndarray
) -> tuple[Reference, ...]:
    """The references in a portrait's file; none where it has none.

    Args:
        latents, parameters: the portrait's own, which those of a reference have to be like.

    Raises:
        ValueError: too many, of another shape or type, or not finite.
        KeyError: one of the two arrays is missing.
    """
    if LATENTS not in tensors and PARAMETERS not in tensors:
        return ()
    codes, shown = tensors[LATENTS], tensors[PARAMETERS]
    count = len(codes) if codes.ndim == 3 else 0
    if not 1 <= count <= MOST_REFERENCES:
        raise ValueError("no references, or too many")
    if codes.shape[1:] != latents.shape or shown.shape != (count, *parameters.shape):
        raise ValueError("references of a wrong shape")
    if codes.dtype != np.float32 or shown.dtype != np.float32:
        raise ValueError("references of another type")
    if not (np.isfinite(codes).all() and np.isfinite(shown).all()):
        raise ValueError("references that are not finite")
    return tuple(Reference(*one) for one in zip(codes, shown, strict=True))
