"""``photorig farm``: jobs for render farms, and what runs on their nodes."""

from __future__ import annotations

import argparse
from pathlib import Path

from photorig.shared.errors import InputError, PhotorigError
from photorig.shared.farm.job import BLENDER, KINDS, WORKER, FarmJob
from photorig.shared.farm.path_mapping import VARIABLE as PATH_MAPPING_VARIABLE
from photorig.shared.farm.preflight import EXPECTED_NAME, Expected
from photorig.shared.farm.progress import FORMS, PLAIN, FarmProgress
from photorig.shared.farm.write import FARMS, next_step

from . import render

_DEFAULT_CHUNK = 24


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "farm",
        help="render on a farm",
        description="Write a job for a render farm; the other words are what its nodes run.",
    )
    words = parser.add_subparsers(dest="farm", metavar="WORD", required=True)
    for farm, name in zip(
        FARMS, ("Open Job Description (Deadline Cloud)", "Flamenco"), strict=True
    ):
        _add_submission(words.add_parser(farm, help=f"write a job for {name}"))
    preflight = words.add_parser(
        "preflight", help="compare this computer with what a job was submitted with"
    )
    preflight.add_argument("expected", type=Path, metavar=EXPECTED_NAME)
    preflight.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    _add_messages(preflight)
    chunk = words.add_parser("render", help="render frames of a job that needs no Blender")
    chunk.add_argument("job", type=Path, metavar="JOB", help="the job's folder")
    chunk.add_argument("--frames", required=True, metavar="N-M", help="for example 1-24")
    chunk.add_argument("--out", type=Path, required=True, help="the folder of the frames")
    chunk.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    _add_messages(chunk)
    start = words.add_parser("start-worker", help="start a worker for a session on this node")
    start.add_argument("--path-mapping", type=Path, metavar="FILE", help="OpenJD's pathmapping-1.0")
    start.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    _add_messages(start)
    stop = words.add_parser("stop-worker", help="end it")
    for each in (start, stop):
        each.add_argument("--folder", type=Path, required=True, help="the session's own")


def _add_submission(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shot",
        type=Path,
        nargs="+",
        metavar="SHOT.blend | x.portrait params.jsonl",
        help="a shot that Blender reads, or a portrait and its performance for nodes without it",
    )
    parser.add_argument(
        "--with",
        dest="others",
        nargs=2,
        action="append",
        type=Path,
        default=[],
        metavar=("y.portrait", "params.jsonl"),
        help="of a performance: another face of the same photo; may be given again",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="JOB", help="the job's folder")
    parser.add_argument("--frames", default="", metavar="N-M", help="1-240 (all)")
    parser.add_argument(
        "--chunk",
        type=int,
        default=_DEFAULT_CHUNK,
        metavar="N",
        help="frames at once (%(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where the frames go (JOB/frames)"
    )
    parser.add_argument(
        "--nodes",
        choices=KINDS,
        help="what the nodes of a .blend file's job have: Blender, or the worker alone (blender)",
    )
    parser.add_argument("--gpu", action="store_true", help="only nodes with a graphics card")
    parser.add_argument(
        "--allow-mixed-devices",
        action="store_true",
        help="let nodes take part whose frames differ in their last bits",
    )
    parser.add_argument("--blender", default="", metavar="PROGRAM", help="Blender (blender)")
    parser.add_argument("--mode", choices=render.MODES, default="relative", help="of a performance")
    parser.add_argument("--size", default="full", help="of a performance: 256, 512, 1024 or full")
    parser.add_argument("--method", default=render.DEFAULT_METHOD, help="of a performance")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def _add_messages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--messages", choices=FORMS, default=PLAIN, help="how progress and failures are told"
    )


def run(args: argparse.Namespace) -> int:
    if args.farm in FARMS:
        return _submit(args)
    what = {
        "preflight": _preflight,
        "render": _render,
        "start-worker": _start_worker,
        "stop-worker": _stop_worker,
    }[args.farm]
    try:
        return what(args)
    except Exception as error:  # the farm's own log is all that a person sees of a node
        if getattr(args, "messages", PLAIN) != PLAIN:
            known = isinstance(error, PhotorigError)
            told = str(error) if known else f"Something unexpected went wrong ({error!r})"
            FarmProgress(args.messages).fail(told)
        raise


def _submit(args: argparse.Namespace) -> int:
    from photorig.worker.farm.submit import Drive, Submission, submit_performance, submit_shot

    asked = Submission(
        args.farm,
        args.out,
        args.frames,
        args.chunk,
        args.output,
        args.gpu,
        args.allow_mixed_devices,
    )
    if args.shot[0].suffix.lower() == ".blend":
        if len(args.shot) > 1:
            raise InputError("Several shots are several jobs", "Submit them one by one.")
        submit_shot(args.shot[0], asked, args.nodes or BLENDER, args.blender)
    else:
        if len(args.shot) != 2 or args.nodes == BLENDER:
            raise InputError(
                "A job without a .blend file has a portrait and its performance",
                "Write: photorig farm openjd x.portrait params.jsonl --out JOB.",
            )
        pairs = [(portrait, take) for portrait, take in (args.shot, *args.others)]
        drive = Drive(args.mode, args.size, args.method, args.device)
        submit_performance(pairs, asked, drive)
    job = FarmJob.load(args.out)
    given = {"openjd": "template.json", "flamenco": "photorig_render.js"}[args.farm]
    print(f"Wrote {len(job.frames)} frames in chunks of {job.chunk_size} to {args.out}")
    print(f"{next_step(args.farm, args.out / given)}.")
    return 0


def _preflight(args: argparse.Namespace) -> int:
    from photorig.worker.farm.node import check_node
    from photorig.worker.portraits.portrait import Portrait
    from photorig.worker.reenactment.bundle import bundle_for
    from photorig.worker.reenactment.renderer import load_renderer

    folder = args.expected.parent
    Expected.load(args.expected)
    portraits = [Portrait.load(path) for path in sorted(folder.glob("portraits/*.portrait"))]
    bundle = bundle_for(portraits[0].model_id) if portraits else "default"
    check_node(args.expected, load_renderer(args.device, bundle), portraits)
    FarmProgress(args.messages).status("this node is as the submitter's computer")
    return 0


def _render(args: argparse.Namespace) -> int:
    job = FarmJob.load(args.job)
    if job.kind != WORKER:
        raise InputError("This job is for nodes with Blender", "Its template says how to run it.")
    first, *others = (
        [str(args.job / f.portrait), str(args.job / f.performance)] for f in job.faces
    )
    words = ["render", *first, "--out", str(args.out), "--frames", args.frames]
    words += ["--mode", job.mode, "--size", job.size, "--method", job.method]
    words += ["--expect", str(args.job / EXPECTED_NAME)]
    words += ["--messages", args.messages, "--device", args.device]
    words += [word for other in others for word in ("--with", *other)]
    parser = argparse.ArgumentParser()
    render.add_parser(parser.add_subparsers())
    return render.run(parser.parse_args(words))


def _start_worker(args: argparse.Namespace) -> int:
    from photorig.worker.farm.session import CONNECTION_VARIABLE, keep_rules, start_worker

    say = FarmProgress(args.messages)
    say.status("starting the worker")
    connection = start_worker(args.folder, args.device)
    say.set_variable(CONNECTION_VARIABLE, str(connection))
    if args.path_mapping is not None:
        say.set_variable(PATH_MAPPING_VARIABLE, str(keep_rules(args.path_mapping, args.folder)))
    print(f"The worker is ready: {connection}")
    return 0


def _stop_worker(args: argparse.Namespace) -> int:
    from photorig.worker.farm.session import stop_worker

    was_there = stop_worker(args.folder)
    print("The worker has ended." if was_there else "There was no worker any more.")
    return 0
