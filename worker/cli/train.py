"""``photorig train``: trains the project's own weights."""

from __future__ import annotations

import argparse
import importlib

TRAININGS = {
    "all": ("everything", "all that an imported generator needs"),
    "preview-heads": ("preview_heads.training", "image heads of 256² and 512²"),
    "face-shapes": ("face_shapes.command", "the table of 52 shapes for the rig and the worker"),
    "head-shapes": (
        "head_model.command",
        "the rigged head in the extension, from the shapes",
    ),
    "directions": ("directions.command", "the direction matrix: parameters to latent shifts"),
    "encoder": ("encoder.command", "the encoder: an aligned photo to latents"),
    "transfer": ("transfer.command", "motion encoder and mapper of method transfer"),
    "stylespace": ("stylespace.command", "the 32 channels of method stylespace"),
    "stylemask": ("stylemask.command", "the mask networks of method stylemask"),
    "judge": (
        "judge.command",
        "the maps through which `photorig evaluate` reads landmarks",
    ),
}
"""Sub-command → (module of photorig.worker.training, summary)."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("train", help="train the project's own weights")
    trainings = parser.add_subparsers(dest="training", metavar="WHAT", required=True)
    for name, (module, summary) in TRAININGS.items():
        _module(module).add_arguments(trainings.add_parser(name, help=summary))


def run(args: argparse.Namespace) -> int:
    return int(_module(TRAININGS[args.training][0]).run(args) or 0)


def _module(name: str):
    return importlib.import_module(f"photorig.worker.training.{name}")
