"""E_w: an aligned photo to a first code in W+, in a fraction of a second.

A frozen network that has seen many real faces (the trunk of HSE FaceRes) looks at the whole aligned
picture; a linear map, trained by this project on generated faces, reads the latents from what it
sees. Optionally the code's own picture is encoded as well and the difference corrected, as ReStyle
does it (Alaluf et al. 2021). Training: worker/training/encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from photorig.shared.errors import ModelError
from photorig.worker.faces.attributes import MODEL as TRUNK_MODEL
from photorig.worker.generators import DEFAULT, Generator, load_network
from photorig.worker.generators.network import Network
from photorig.worker.generators.stylegan2.encoder import load_imported_encoder
from photorig.worker.importers.tfjs import Graph, TFJSModule, read_graph
from photorig.worker.reenactment.bundle import generator_of
from photorig.worker.registry.imported import is_imported, trained_file

MODEL = "encoder"
WEIGHTS_FILE = "encoder.safetensors"
IMAGE_SIZE = 256

ROW_GROUPS = (range(3), range(3, 5), range(5, 7), range(7, 9), range(9, 16))
"""Rows of W+ that get one w together: those of 4² and 8², 16², 32², 64², and all finer ones.

A code of its own for every row would be more than a photo can tell, and less editable.
"""

_LAYERS = ("conv_pw_5_relu/clip_by_value", "conv_pw_11_relu/clip_by_value")
_TRUNK_SIZE = 224
_MEAN = (103.939, 116.779, 123.68)  # BGR, 0…255: what the trunk was trained to see subtracted
_MIDDLE_SIDE, _DEEP_SIDE, _COLOUR_SIDE = 14, 7, 32


@dataclass(frozen=True, eq=False)
class Maps:
    """What is seen of b pictures.

    Attributes:
        middle: (b, 256, 14, 14) and
        deep: (b, 512, 7, 7), activations of two layers of the trunk, averaged to these sizes.
        colours: (b, 3, 32, 32) the picture itself, small, in [0, 1].
    """

    middle: Tensor
    deep: Tensor
    colours: Tensor


class PhotoTrunk(nn.Module):
    """Pictures to maps; frozen, differentiable with respect to the pictures."""

    mean: Tensor

    def __init__(self, graph: Graph) -> None:
        """graph: of the model ``faceres``. Raises ModelError where it is another one."""
        super().__init__()
        self.network = TFJSModule(graph, _LAYERS)
        self.register_buffer("mean", torch.tensor(_MEAN), persistent=False)

    def forward(self, images: Tensor) -> Maps:
        """images: (b, 3, 256, 256) RGB in [0, 1]."""
        size = (_TRUNK_SIZE, _TRUNK_SIZE)
        small = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        levels = 255 * small.flip(1).permute(0, 2, 3, 1) - self.mean
        middle, deep = (layer.permute(0, 3, 1, 2) for layer in self.network(levels))
        return Maps(
            F.adaptive_avg_pool2d(middle, _MIDDLE_SIDE),
            F.adaptive_avg_pool2d(deep, _DEEP_SIDE),
            F.adaptive_avg_pool2d(images, _COLOUR_SIDE),
        )


class EncoderHead(nn.Module):
    """Maps to one w for each group of rows: channels mixed, then a linear map of low rank.

    Attributes:
        middle_basis, deep_basis: (256, m) and (512, d), combinations of channels that are kept.
        mean, scale: (n,) of the features, n = 14² m + 7² d + 3 · 32².
        down: (n, r); up: (r, n_groups · w_dim).
        code: (n_groups · w_dim,) what an average picture gives.
        gain: () how much of a seen difference one correction takes back.
    """

    middle_basis: Tensor
    deep_basis: Tensor
    mean: Tensor
    scale: Tensor
    down: Tensor
    up: Tensor
    code: Tensor
    gain: Tensor

    NAMES = ("middle_basis", "deep_basis", "mean", "scale", "down", "up", "code", "gain")

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Raises ModelError where tensors are missing or do not fit together."""
        super().__init__()
        missing = set(self.NAMES) - set(tensors)
        if missing:
            raise ModelError(f"The encoder has no {', '.join(sorted(missing))}")
        for name in self.NAMES:
            self.register_buffer(name, tensors[name].float())
        self.w_dim = len(self.code) // len(ROW_GROUPS)
        shapes = (len(self.mean), len(self.scale), len(self.down), self.n_features)
        n_outputs = len(ROW_GROUPS) * self.w_dim
        is_whole = n_outputs == len(self.code) > 0
        if not is_whole or len(set(shapes)) > 1 or self.up.shape != (self.down.shape[1], n_outputs):
            raise ModelError("The encoder's matrices do not fit together")

    @property
    def n_features(self) -> int:
        middle, deep = self.middle_basis.shape[1], self.deep_basis.shape[1]
        return _MIDDLE_SIDE**2 * middle + _DEEP_SIDE**2 * deep + 3 * _COLOUR_SIDE**2

    def features(self, maps: Maps) -> Tensor:
        """(b, n) standardised."""
        raw = raw_features(maps, self.middle_basis, self.deep_basis)
        return (raw - self.mean) * self.scale

    def codes(self, features: Tensor) -> Tensor:
        """(b, n) to (b, n_groups, w_dim)."""
        return (features @ self.down @ self.up + self.code).unflatten(
            1, (len(ROW_GROUPS), self.w_dim)
        )

    def corrections(self, differences: Tensor) -> Tensor:
        """(b, n) how a photo's features differ from its code's, to (b, n_groups, w_dim)."""
        shift = self.gain * (differences @ self.down @ self.up)
        return shift.unflatten(1, (len(ROW_GROUPS), self.w_dim))


def raw_features(maps: Maps, middle_basis: Tensor, deep_basis: Tensor) -> Tensor:
    """(b, n) maps with their channels mixed, flattened side by side."""
    middle = torch.einsum("bcyx,ck->bkyx", maps.middle, middle_basis)
    deep = torch.einsum("bcyx,ck->bkyx", maps.deep, deep_basis)
    return torch.cat([middle.flatten(1), deep.flatten(1), maps.colours.flatten(1)], 1)


def rows_of(codes: Tensor, n_rows: int) -> Tensor:
    """(b, n_groups, w_dim) to latents (b, n_rows, w_dim); the last group has all that are left."""
    lengths = [len(rows) for rows in ROW_GROUPS]
    lengths[-1] = max(1, n_rows - sum(lengths[:-1]))
    rows = codes.repeat_interleave(torch.tensor(lengths, device=codes.device), 1)
    return rows[:, :n_rows]


def first_rows(n_rows: int) -> list[int]:
    """The first row of each group, for latents with so many rows."""
    return [min(rows[0], n_rows - 1) for rows in ROW_GROUPS]


FirstGuess = Callable[[Tensor], Tensor]
"""Aligned images (b, 3, 256, 256) in [0, 1] → latents (b, n_rows, w_dim) to start from."""

Renderer = Callable[[Tensor], Tensor]
"""Latents (b, n_rows, w_dim) to images (b, 3, 256, 256) in about [0, 1]."""


class PhotoEncoder(nn.Module):
    """Aligned photos to latents; frozen."""

    def __init__(self, trunk: PhotoTrunk, head: EncoderHead, n_rows: int) -> None:
        super().__init__()
        self.trunk, self.head, self.n_rows = trunk, head, n_rows
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, images: Tensor, render: Renderer | None = None, rounds: int = 2) -> Tensor:
        """Latents whose pictures resemble the photos.

        Args:
            images: (b, 3, 256, 256) RGB in [0, 1], aligned as portraits/alignment.py does it.
            render: makes pictures of latents. With it, each round looks at the picture of its code
                and corrects the code by what differs; it takes as long as rendering does.
            rounds: how many corrections.

        Returns:
            (b, n_rows, w_dim) float32.
        """
        wanted = self.head.features(self.trunk(images))
        codes = self.head.codes(wanted)
        if render is not None:
            for _ in range(rounds):
                seen = self.head.features(
                    self.trunk(render(rows_of(codes, self.n_rows)).clamp(0, 1))
                )
                codes = codes + self.head.corrections(wanted - seen)
        return rows_of(codes, self.n_rows)


def load_trunk() -> PhotoTrunk:
    """The registry's trunk, float32, frozen. Raises ModelError."""
    from photorig.worker.registry import fetch

    folder = fetch(TRUNK_MODEL)
    return PhotoTrunk(read_graph(folder / f"{TRUNK_MODEL}.json", folder / f"{TRUNK_MODEL}.bin"))


def read_head(path: Path) -> EncoderHead:
    """The head in a file. Raises ModelError where it is missing or damaged."""
    try:
        return EncoderHead(load_file(path))
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"The encoder cannot be read: {error}", f"Run 'photorig models verify {MODEL}'."
        ) from error


def load_encoder(n_rows: int) -> PhotoEncoder:
    """The project's encoder, float32, frozen, on the CPU, for latents with so many rows.

    Raises:
        ModelError: it cannot be had.
    """
    from photorig.worker.registry import fetch

    return PhotoEncoder(load_trunk(), read_head(fetch(MODEL) / WEIGHTS_FILE), n_rows)


def load_first_guess(bundle: str, network: Network) -> FirstGuess:
    """What gives aligned images (b, 3, 256, 256) in [0, 1] their first latents (b, n_rows, w_dim),
    all on the network's device.

    For an imported generator: the encoder that was imported with it (``NAME-encoder``), else the
    one that was trained for it.

    Raises:
        ModelError: there is none, or it is of another generator.
    """
    name, device = generator_of(bundle), network.mean_latent.device
    if name == DEFAULT:
        return load_encoder(network.n_rows).to(device)
    if is_imported(f"{name}-encoder"):
        imported = load_imported_encoder(
            f"{name}-encoder", lambda latents: network(latents, IMAGE_SIZE)
        )
        if imported.average.shape == (network.n_rows, network.w_dim):
            return imported.to(device)
    head = read_head(trained_file(name, WEIGHTS_FILE))
    if head.w_dim != network.w_dim:
        raise ModelError(
            f"The encoder of {name} is of another generator",
            f"Run 'photorig train all --generator {name}'.",
        )
    return PhotoEncoder(load_trunk(), head, network.n_rows).to(device)


def load_encoder_of(generator: Generator) -> FirstGuess:
    """What gives aligned images their latents in a generator's W+; see `load_first_guess`."""
    if generator.name == DEFAULT:  # it looks at no picture of its own: no network is needed
        return load_encoder(generator.n_rows)
    return load_first_guess(generator.name, load_network(generator.name))
