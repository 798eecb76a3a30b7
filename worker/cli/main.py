"""The ``photorig`` command: finds the sub-command, and turns every failure into one sentence.

Each command is a module of this package with ``add_parser(subparsers)`` and ``run(args) -> int``.
Only the module that was asked for is imported, so that help and errors come at once.

Exit codes: 0 done, 1 a failure explained in one line on standard error, 2 wrong usage, 130 stopped
by the user.
"""

from __future__ import annotations

import argparse
import atexit
import datetime
import importlib
import importlib.metadata
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from photorig.shared.errors import Cancelled, PhotorigError
from photorig.shared.files.writing import append, make_private_folder
from photorig.worker.places import log_folder

from .log_setup import escaped

COMMANDS = {
    "sample": "make a person who does not exist",
    "fit": "turn photos of a person into a portrait",
    "analyze": "measure head pose and expression in pictures or a video",
    "lips": "let a mouth speak what is heard in a sound",
    "render": "render a portrait with the parameters of a file",
    "reenact": "let footage of one person drive a portrait of another",
    "encode": "keep a performance as one face and 35 numbers a frame",
    "decode": "make a film of an encoded performance",
    "methods": "list the ways in which faces are driven",
    "serve": "run the worker that Blender talks to",
    "pair": "let a Blender on another computer use this worker",
    "farm": "write jobs for render farms, and run on their nodes",
    "models": "list, fetch and verify model weights",
    "doctor": "show devices, versions and measured speed",
    "train": "train the project's own weights",
    "evaluate": "measure how well a model bundle obeys",
    "bench": "measure speed in detail",
}

EXIT_FAILURE = 1
EXIT_INTERRUPTED = 130
_LARGEST_LOG = 5 << 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code. Never raises for a failure of the command."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    say_anything()
    try:
        parser = build_parser(_command_in(words))
        args = parser.parse_args(words)
        if args.offline:
            os.environ["PHOTORIG_OFFLINE"] = "1"
        return int(_module(args.command).run(args) or 0)
    except PhotorigError as error:
        _complain(_in_a_line(error, with_kind=False))
        return EXIT_INTERRUPTED if isinstance(error, Cancelled) else EXIT_FAILURE
    except KeyboardInterrupt:
        _complain("Stopped; what was finished is kept.")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, for example `| head`: nothing to say, nobody to hear.
        with suppress(Exception):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except Exception as error:  # the outermost edge: a defect must become a sentence too
        _complain(f"Something unexpected went wrong ({_in_a_line(error)}).{_log(words)}")
        return EXIT_FAILURE


def say_anything() -> None:
    """Whatever the encoding of our output lacks (``PYTHONIOENCODING=cp1252``, a file's odd name) is
    written as ``\\u2192``: the work is done, and its end must not fail at a letter."""
    for stream in (sys.stdout, sys.stderr):
        keeps_names = getattr(stream, "errors", "") == "surrogateescape"  # of files, in C's locale
        if not keeps_names or not str(getattr(stream, "encoding", "")).lower().startswith("utf"):
            with suppress(AttributeError, OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def program() -> NoReturn:
    """`photorig` as a program of its own: `main`, and a quick end.

    To take torch and MediaPipe apart takes half a second in which nothing useful happens. What is
    registered to be done at the end is done, this last.
    """
    codes: list[int] = []

    def leave() -> None:
        if codes:
            for stream in (sys.stdout, sys.stderr):
                with suppress(AttributeError, OSError, ValueError):  # nobody listens any more
                    stream.flush()
            os._exit(codes[0])

    atexit.register(leave)
    codes.append(main())
    sys.exit(codes[0])


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser with the full options of the command ``chosen`` and the names of the others."""
    parser = argparse.ArgumentParser(
        prog="photorig", description="Keyframes on a rigged head drive a photographic face."
    )
    version = importlib.metadata.version("photorig")
    parser.add_argument("--version", action="version", version=f"photorig {version}")
    parser.add_argument("--offline", action="store_true", help="never touch the network")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in available_commands().items():
        if name != chosen:
            subparsers.add_parser(name, help=summary)
            continue
        _module(name).add_parser(subparsers)
        # The option is welcome behind the command too, where people type it.
        subparsers.choices[name].add_argument(
            "--offline",
            action="store_true",
            default=argparse.SUPPRESS,
            help="never touch the network",
        )
    return parser


def available_commands() -> dict[str, str]:
    """Summary by name of the commands whose modules are there."""
    folder = Path(__file__).parent
    return {name: text for name, text in COMMANDS.items() if (folder / f"{name}.py").is_file()}


def _command_in(words: Sequence[str]) -> str | None:
    return next((word for word in words if not word.startswith("-")), None)


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"photorig.worker.cli.{name}")
    except ImportError as error:
        raise PhotorigError(
            f"'photorig {name}' cannot start: {_in_a_line(error)}",
            "A library is missing or broken; 'python build.py setup' puts it right.",
        ) from error


# --- the end of a failure; nothing here may raise, whatever the error, the streams or the disk are


def _in_a_line(error: BaseException, *, with_kind: bool = True) -> str:
    kind = type(error).__name__
    try:
        text = " ".join(str(error).split())
    except Exception:
        return kind
    if not with_kind:
        return text or kind
    return f"{kind}: {text}" if text else kind


def _complain(sentence: str) -> None:
    # One line even about files with a line break in their name.
    with suppress(Exception):
        print(f"photorig: {' '.join(sentence.splitlines())}", file=sys.stderr, flush=True)


def _log(words: Sequence[str]) -> str:
    """Append the traceback to the log file; says where, or why there is none."""
    path = None
    try:
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        # What a file's name or a message may hold begins no line of its own.
        told = "".join(f"    {escaped(line)}\n" for line in traceback.format_exc().splitlines())
        text = f"--- {now} photorig {escaped(' '.join(words))}\n{told}\n"
        path = log_folder() / "photorig.log"
        make_private_folder(path.parent)
        if path.is_file() and path.stat().st_size > _LARGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
        append(path, text.encode(errors="backslashreplace"), private=True)
    except Exception as error:
        reason = _in_a_line(error.__cause__ or error, with_kind=False)
        return f" The log {path or 'file'} cannot be written: {reason}."
    return f" Details are in {path}."


if __name__ == "__main__":
    program()
