"""``photorig models import FILE``: somebody else's checkpoint becomes a model of the user's."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photorig.shared.errors import InputError, ModelError
from photorig.worker.importers.encoders import ForeignPart, encoder_of, stelabou_of
from photorig.worker.importers.safetensors_file import write_safetensors
from photorig.worker.importers.stylegan2 import ForeignGenerator, generator_of
from photorig.worker.importers.torch_file import ForeignFile, described, opened
from photorig.worker.registry import ModelCard, Registry
from photorig.worker.registry.imported import CardText, Fact, new_imported_folder

_UNKNOWN_LICENCE = "that of the file it was imported from"
_NOTICE = (
    "Imported by you. What may be done with it, and with pictures made with it, the licence of the "
    "original says."
)


@dataclass(frozen=True)
class _Licence:
    name: str
    notice: str


def run(args: argparse.Namespace, registry: Registry) -> int:
    """Import one file, and say what came of it."""
    if len(args.names) != 1:
        raise InputError(
            "Give one file to import", "For example: photorig models import network-snapshot.pkl"
        )
    path = Path(args.names[0])
    with opened(path) as file:
        licence = _licence(path, registry)
        try:
            parts = parts_of(file)
            for part in parts:
                suffix = f"-{part.kind}" if isinstance(part, ForeignPart) and len(parts) > 1 else ""
                name = _name(args.name or path.stem, suffix)
                if name in registry.cards and registry.card(name).source.type != "imported":
                    raise InputError(f"{name} is a model of Photorig's own", "Give another --name.")
                rest = (name, licence, path, args.replace)
                if isinstance(part, ForeignGenerator):
                    print(f"{name}: {_write_generator(part, *rest)}")
                else:
                    print(f"{name}: {_write_part(part, *rest)}")
        except ModelError as error:
            raise InputError(
                f"{path.name} cannot be imported: {error.message}", error.hint
            ) from error
    return 0


def parts_of(file: ForeignFile) -> list[ForeignGenerator | ForeignPart]:
    """Everything that is in a file. Raises ModelError where there is nothing."""
    found = (generator_of(file), encoder_of(file) or stelabou_of(file))
    parts = [part for part in found if part is not None]
    if not parts:
        raise ModelError(
            f"it is {described(file.content)}",
            "StyleGAN2 generators, e4e, pSp and ReStyle encoders, StelaBou's matrices of "
            "directions and StyleMask's mask networks can be imported.",
        )
    return parts


def _write_generator(
    foreign: ForeignGenerator, name: str, licence: _Licence, path: Path, replace: bool
) -> str:
    from photorig.worker.generators.stylegan2.files import WEIGHTS_FILE, write_generator

    with new_imported_folder(name, replace) as folder:
        written, form = write_generator(folder / WEIGHTS_FILE, foreign)
        title = f"StyleGAN2, {form.side}² ({foreign.layout})"
        facts: dict[str, Fact] = {
            "side": form.side,
            "rows": form.n_rows,
            "row_length": form.w_dim,
            "mapping_layers": form.n_mapping,
            "widest": max(form.channels.values()),
            "narrowest": min(form.channels.values()),
            "clamp": foreign.clamp if foreign.clamp is not None else "none",
        }
        card = _card(name, title, "generator", licence, path, {"shapes": facts})
        card.write(folder, {WEIGHTS_FILE: written})
    return (
        f"{title}, {form.n_rows} rows of {form.w_dim}; next: photorig train all --generator {name}"
    )


_TITLES = {
    "encoder": "Encoder of photos (IR-SE-50)",
    "direction-matrix": "Matrix of directions (StelaBou)",
    "mask-network": "Mask network (StyleMask)",
}


def _write_part(part: ForeignPart, name: str, licence: _Licence, path: Path, replace: bool) -> str:
    with new_imported_folder(name, replace) as folder:
        file_name = f"{part.kind}.safetensors"
        try:
            written = write_safetensors(folder / file_name, _ordered(part.tensors), {})
        except ValueError as error:
            raise ModelError("it holds a value that is no finite number") from error
        card = _card(name, _TITLES[part.kind], part.kind, licence, path, {"layout": part.facts})
        card.write(folder, {file_name: written})
    return f"{_TITLES[part.kind]}, {len(part.tensors)} tensors"


def _ordered(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: tensors[name] for name in sorted(tensors)}


def _card(
    name: str,
    title: str,
    kind: str,
    licence: _Licence,
    path: Path,
    tables: Mapping[str, Mapping[str, Fact]],
) -> CardText:
    return CardText(name, title, kind, licence.name, licence.notice, path.name, tables)


def _name(stem: str, suffix: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "model"
    return f"{plain[: 64 - len(suffix)]}{suffix}"


def _licence(path: Path, registry: Registry) -> _Licence:
    """That of the published file of this name, which is shown: the user has the file already."""
    card = _published(path, registry)
    if card is None:
        return _Licence(_UNKNOWN_LICENCE, _NOTICE)
    print(f"{card.title}. Licence: {card.licence}.", file=sys.stderr)
    print(card.notice, file=sys.stderr)
    return _Licence(card.licence, card.notice)


def _published(path: Path, registry: Registry) -> ModelCard | None:
    for card in registry.cards.values():
        if card.source.type == "manual" and any(f.name == path.name for f in card.files):
            return card
    return None
