"""``photorig sample``: a person who does not exist, as a picture and as a portrait to drive."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

TRANSFER = "transfer"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "sample",
        help="make a person who does not exist",
        description="Draw a face from the generator. The same seed is always the same person.",
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--truncation", type=float, default=0.7, help="variety, 0 to 1 (0.7)")
    parser.add_argument(
        "--out", type=Path, required=True, help="picture to write (PNG); with --drive, a film"
    )
    parser.add_argument(
        "--drive", type=Path, metavar="VIDEO", help="let them do what a recording shows"
    )
    parser.add_argument("--method", default=TRANSFER, help="by which they are driven (%(default)s)")
    parser.add_argument("--size", default="256", help="of the film: 256, 512 or 1024 (256)")
    parser.add_argument("--portrait", type=Path, help="portrait to write beside it")
    parser.add_argument("--bundle", default="default", help="default, or an imported generator")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def run(args: argparse.Namespace) -> int:
    from photorig.shared.files.writing import check_writable, write_atomically

    check_writable(args.out, "face.png", 1 << 20)
    if args.portrait:
        check_writable(args.portrait, "face.portrait", 1 << 20)
    if args.drive:
        return _drive(args)
    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.fitting.sample import sample_portrait
    from photorig.worker.generators import load_generator
    from photorig.worker.media.encode import encode
    from photorig.worker.reenactment.bundle import generator_of, load_bundle
    from photorig.worker.reenactment.measure_geometry import with_geometry

    generator, net3d = load_generator(args.device, name=generator_of(args.bundle)), Net3D()
    portrait = sample_portrait(generator, net3d, seed=args.seed, truncation=args.truncation)
    write_atomically(args.out, encode(portrait.photo, "png", portrait.model_id))
    print(f"Wrote {args.out}")
    if args.portrait:
        portrait = with_geometry(portrait, load_bundle(args.bundle), generator, net3d)
        portrait.save(args.portrait)
        print(f"Wrote {args.portrait}")
    return 0


def _drive(args: argparse.Namespace) -> int:
    """A film of the person in the recording's pose and expression, whatever their own are."""
    from photorig.worker.faces.net3d import Net3D
    from photorig.worker.fitting.sample import sample_portrait
    from photorig.worker.generators import load_generator

    from . import reenact

    generator = load_generator(args.device)
    portrait = sample_portrait(generator, Net3D(), seed=args.seed, truncation=args.truncation)
    with tempfile.TemporaryDirectory() as folder:
        source = args.portrait or Path(folder) / "sampled.portrait"
        portrait.save(source)
        words = [str(source), str(args.drive), "--out", str(args.out), "--mode", "absolute"]
        words += ["--method", args.method, "--size", args.size, "--device", args.device]
        commands = argparse.ArgumentParser().add_subparsers()
        reenact.add_parser(commands)
        return reenact.run(commands.choices["reenact"].parse_args(words))
