"""``photorig serve``: the worker that Blender talks to."""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
from pathlib import Path
from typing import Any

from photorig.shared import programs
from photorig.shared.errors import InputError
from photorig.shared.wire.connection import ConnectionInfo
from photorig.shared.wire.messages import MAX_FIT_PHOTOS, MessageLimits
from photorig.worker.places import state_folder
from photorig.worker.server.watchdog import PATIENCE_SECONDS

from .log_setup import start_log

log = logging.getLogger(__name__)

FIT_PROGRAM = "photorig.worker.server.fits.program"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "serve",
        help="run the worker that Blender talks to",
        description="Run the worker. It prints 'ready' when clients can connect.",
    )
    parser.add_argument(
        "--bind",
        default=None,
        metavar="tcp://HOST:PORT",
        help="where to listen (default: this computer only, any free port)",
    )
    parser.add_argument(
        "--allow-clients",
        type=Path,
        metavar="FILE",
        help="public keys of further clients, one a line, instead of those that were paired",
    )
    parser.add_argument(
        "--connection-file",
        type=Path,
        metavar="FILE",
        help="where to write ports and keys (default: in the user's folder)",
    )
    parser.add_argument("--parent-pid", type=int, metavar="N", help="end when this process ends")
    parser.add_argument(
        "--end-with-stdin", action="store_true", help="end when standard input is closed"
    )
    parser.add_argument(
        "--idle-minutes",
        type=float,
        default=0.0,
        metavar="N",
        help="end after so long without work (default: never)",
    )
    parser.add_argument(
        "--frame-seconds",
        type=float,
        default=PATIENCE_SECONDS,
        metavar="N",
        help="end if one frame takes so long without a sign of life (default: %(default)g)",
    )
    parser.add_argument(
        "--executor",
        default="local",
        metavar="NAME",
        help="where frames are made: local (this computer's device) or ray (many devices)",
    )
    parser.add_argument(
        "--address",
        default="",
        metavar="HOST:PORT",
        help="with --executor ray: of the head node (default: only this computer's devices)",
    )
    parser.add_argument(
        "--actors",
        type=int,
        default=0,
        metavar="N",
        help="with --executor ray: devices to use (default: all, also those that come later)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument("--bundle", default="default", help="model bundle (default: default)")
    parser.add_argument(
        "--log-file",
        type=Path,
        metavar="FILE",
        help="write the log there and not to standard error",
    )
    parser.add_argument("--verbose", action="store_true", help="log every message that goes wrong")


def run(args: argparse.Namespace) -> int:
    if not args.frame_seconds > 0:
        raise InputError("--frame-seconds is not above 0", "Give seconds, for example 180.")
    if args.idle_minutes < 0:
        raise InputError("--idle-minutes is negative", "Give minutes, or 0 for never.")
    if args.actors < 0:
        raise InputError("--actors is negative", "Give a number of devices, or 0 for all.")
    start_log(args.log_file, args.verbose)
    # Only now: the libraries behind these take seconds to load, and a wrong option should not.
    from photorig.worker.fitting.head_measurement import HeadMeasurer
    from photorig.worker.server.executors.entry import ExecutorOptions
    from photorig.worker.server.executors.registry import executor_entry
    from photorig.worker.server.executors.workshop import FaceWorkshop
    from photorig.worker.server.fits.process import ProcessFitter
    from photorig.worker.server.launch import (
        DEFAULT_BIND,
        ServerOptions,
        bind_addresses,
        end_at_once,
        serve,
    )
    from photorig.worker.server.watchdog import WorkerHung

    options = ServerOptions(
        connection_file=args.connection_file or default_connection_file(),
        bind=args.bind or DEFAULT_BIND,
        parent_pid=args.parent_pid,
        idle_minutes=args.idle_minutes,
        end_with_stdin=args.end_with_stdin,
        worker=f"photorig {_version()}",
        patience_seconds=args.frame_seconds,
        **reachable_options(args),
    )
    bind_addresses(options)  # refuse a wrong address before the model is loaded
    entry = executor_entry(args.executor)

    workshop = FaceWorkshop(args.device, args.bundle)
    portraits = workshop.portraits()
    chosen = ExecutorOptions(args.address, args.actors, args.frame_seconds)
    executor = entry.start(workshop, portraits, chosen)
    program = programs.python_module(FIT_PROGRAM, "--bundle", args.bundle)
    fitter = ProcessFitter(program, photos=MAX_FIT_PHOTOS)
    try:
        reason = serve(
            options,
            executor,
            portraits,
            _say_ready,
            limits=MessageLimits(window=entry.window),
            fitter=fitter,
            measure_head=HeadMeasurer().measure,
        )
    except WorkerHung as error:
        end_at_once(error)
    finally:
        fitter.close()
        executor.close()
    log.info("the worker ends: %s", reason)
    return 0


def default_connection_file() -> Path:
    """In a folder that only the user can open; the file goes when the worker ends."""
    return state_folder() / "worker.json"


def read_client_keys(path: Path) -> tuple[str, ...]:
    """CURVE public keys (Z85) of a file. Raises InputError."""
    from photorig.worker.server.allow_list import read_clients

    return tuple(client.key for client in read_clients(path))


def reachable_options(args: argparse.Namespace) -> dict[str, Any]:
    """Who may come, and by which key they know us, where other computers can reach the address.

    Raises:
        InputError: a file with keys cannot be read.
    """
    if args.allow_clients:
        return {"allowed_keys": read_client_keys(args.allow_clients)}
    if args.bind is None:
        return {}
    from photorig.worker.server.allow_list import AllowList
    from photorig.worker.server.identity import load_identity

    from .pair import clients_file, identity_file

    allowed = AllowList(clients_file())
    if not allowed.clients():  # nobody was paired, so a new key does
        return {}
    return {"allow_list": allowed, "identity": load_identity(identity_file())}


def _say_ready(info: ConnectionInfo) -> None:
    print("ready", flush=True)


def _version() -> str:
    return importlib.metadata.version("photorig")
