"""Preflight: is this node what the shot was submitted with? Compared before its first frame.

A node that differs would give frames that do not belong to the others: a seam in the middle of a
shot, seen by whoever watches it last. So it makes none, and says in one sentence why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files.reading import read_file
from ..files.strict_json import parse_json
from ..files.writing import write_atomically

EXPECTED_NAME = "expected.json"
_FORMAT = "photorig.farm.expected"
_MAXIMUM_BYTES = 1 << 20
_SHORT = 12


@dataclass(frozen=True)
class NodeFacts:
    """What a node is, as far as it shows in frames; "" and {} are not known and not compared.

    Attributes:
        extension: version of the extension in Blender.
        worker: program and version, "photorig 0.1.0".
        generator: content hash of the weights (model_id, without what computes behind it).
        bundle: content hash of generator, direction matrix and ranges.
        device: its kind: cpu, cuda or mps.
        backend: what computes and how exactly, "openvino bf16".
        portraits: name by SHA-256 (hex) of every portrait that the frames show.
        colours: colour settings of the scene, by their name in Blender.
    """

    extension: str = ""
    worker: str = ""
    generator: str = ""
    bundle: str = ""
    device: str = ""
    backend: str = ""
    portraits: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """What a job was submitted with, and whether devices of several kinds may share it."""

    facts: NodeFacts
    allow_mixed_devices: bool = False

    def save(self, path: Path) -> None:
        """Raises InputError."""
        told = {"format": _FORMAT, "version": 1, **asdict(self)}
        write_atomically(path, json.dumps(told, indent=2, sort_keys=True).encode() + b"\n")

    @classmethod
    def load(cls, path: Path) -> Expected:
        """Raises InputError: the file is not there, or is none of ours."""
        try:
            told = parse_json(read_file(path, _MAXIMUM_BYTES), _MAXIMUM_BYTES)
            if told["format"] != _FORMAT or told["version"] != 1:
                raise ValueError("another format")
            mixed = told["allow_mixed_devices"]
            return cls(_facts(told["facts"]), mixed is True)
        except OSError as error:
            raise InputError(
                f"Cannot read {str(path)!r}: {error.strerror}", "Give the job's expected.json."
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path.name!r} does not say what a job was submitted with", "Submit it again."
            ) from error


def _facts(told: Mapping[str, Any]) -> NodeFacts:
    """Raises TypeError or ValueError; names that a newer version adds are left out."""
    known = {each.name: told[each.name] for each in fields(NodeFacts) if each.name in told}
    for name, value in known.items():
        texts = [*value, *value.values()] if isinstance(value, dict) else [value]
        is_table = name in ("portraits", "colours")
        if is_table != isinstance(value, dict) or not all(isinstance(t, str) for t in texts):
            raise TypeError(name)
    return NodeFacts(**known)


@dataclass(frozen=True)
class Verdict:
    """Attributes:
    refusals: why the node may render no frame, each the middle of a sentence.
    notes: what differs and was allowed.
    """

    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def raise_if_refused(self) -> None:
        """Raises InputError, in one sentence."""
        if self.refusals:
            raise InputError(
                f"This node makes no frame of the shot: {'; '.join(self.refusals)}",
                "Make the node like the submitter's computer, or submit the shot anew.",
            )


def compare(expected: Expected, found: NodeFacts) -> Verdict:
    """What speaks against rendering here; what either side does not know is not compared."""
    wanted, refusals, notes = expected.facts, [], []
    for name, called, shorten in _TEXTS:
        mine, its = getattr(found, name), getattr(wanted, name)
        if mine and its and mine != its:
            refusals.append(f"its {called} is {shorten(mine)}, not {shorten(its)}")
    missing = [name for key, name in wanted.portraits.items() if key not in found.portraits]
    if found.portraits and missing:
        refusals.append(f"its file of the portrait {missing[0]!r} is another one")
    refusals += [
        f"its {name.replace('_', ' ')} is {found.colours[name] or 'none'}, not {value or 'none'}"
        for name, value in wanted.colours.items()
        if found.colours and found.colours.get(name, value) != value
    ]
    if found.device and wanted.device and _device(found) != _device(wanted):
        told = f"it computes with {_device(found)} and not with {_device(wanted)}"
        if expected.allow_mixed_devices:
            notes.append(f"{told}, so frames may differ in their last bits")
        else:
            refusals.append(f"{told} (Allow Mixed Devices lets it)")
    return Verdict(tuple(refusals), tuple(notes))


def weights_of(model_id: str) -> str:
    """The weights in a renderer's model_id, which tells behind a dash how they are computed."""
    return model_id.partition("-")[0]


def _device(facts: NodeFacts) -> str:
    return f"{facts.device} ({facts.backend})" if facts.backend else facts.device


def _version(text: str) -> str:
    return text


def _hash(text: str) -> str:
    return text[:_SHORT]


_TEXTS = (
    ("extension", "extension", _version),
    ("worker", "worker", _version),
    ("generator", "generator", _hash),
    ("bundle", "model bundle", _hash),
)
"""Field, what a person calls it, and as much of it as a person reads."""


def without_blender(expected: Expected) -> Expected:
    """The same for nodes that have no Blender."""
    return replace(expected, facts=replace(expected.facts, extension="", colours={}))
