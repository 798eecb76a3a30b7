"""Stands in for fit_program.py: the photo's bytes say, as words, what is to happen.

    portrait     some progress, then a portrait of the person with the seed 7
    faces        two faces, unless one was chosen
    count        a portrait whose note says how many photos there were
    refuse       an error with a hint
    hang         progress, then nothing for a minute
    die          an end without a word
    complain     an end with a traceback, as of a program that lacks a library
    killed       the system's end for a program that takes too much memory
    babble       lines that are none of ours, then a portrait

It notes its process number and folder in the file ``$PHOTORIG_FAKE_FIT_LOG``.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def tell(**event: object) -> None:
    print(json.dumps(event), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--face", type=int)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()

    def end_with_stdin() -> None:
        while os.read(0, 4096):
            pass
        shutil.rmtree(args.folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=end_with_stdin, daemon=True).start()
    if "PHOTORIG_FAKE_FIT_LOG" in os.environ:
        with Path(os.environ["PHOTORIG_FAKE_FIT_LOG"]).open("a") as log:
            log.write(f"{os.getpid()} {args.folder}\n")
    act((args.folder / "photo-1").read_bytes().decode(), args)


def act(task: str, args: argparse.Namespace) -> None:
    if task == "faces" and args.face is None:
        picture = base64.b64encode(bytes(range(12))).decode()
        face = {"box": [1, 2, 30, 40], "side": 2, "thumbnail": picture, "problem": ""}
        small = {**face, "box": [50, 2, 60, 12], "problem": "The face is too small"}
        tell(event="faces", width=64, height=48, faces=[face, small])
    elif task == "refuse":
        tell(event="error", code="input", message="No face was found", hint="Look elsewhere.")
    elif task == "die":
        os._exit(9)
    elif task == "complain":
        raise ModuleNotFoundError("No module named 'torch'")
    elif task == "killed":
        print("a warning from before", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    elif task == "hang":
        tell(event="progress", stage="Finding the likeness", fraction=0.25)
        time.sleep(60)
    else:
        if task == "babble":
            print("a library says hello\n[1, 2]", flush=True)
        from card_server import portrait_bytes

        tell(event="progress", stage="Finding the likeness", fraction=0.5)
        content = portrait_bytes(7 if args.face is None else 70 + args.face)
        (args.folder / "x.portrait").write_bytes(content)
        import hashlib

        note = f"{args.name}, quick" if args.quick else args.name
        if task == "count":
            note = str(len(list(args.folder.glob("photo-*"))))
        tell(event="done", id=hashlib.sha256(content).hexdigest(), note=note)


if __name__ == "__main__":
    main()
