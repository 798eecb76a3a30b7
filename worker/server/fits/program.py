"""The program that the server runs for one fit; see worker/server/fits/process.py.

    python -P -m photorig.worker.server.fits.program --folder DIR --name NAME [--face N] [--quick]

The photos are DIR/photo-1, DIR/photo-2 …; the portrait becomes DIR/x.portrait. Standard output gets
one JSON object a line, the last of which says how it ended:

    {"event": "progress", "stage": "Finding the likeness", "fraction": 0.31, "note": "loss 0.812"}
    {"event": "faces", "width": …, "height": …, "faces": [{"box": …, "thumbnail": …, …}]}
    {"event": "done", "id": "…", "note": ""}
    {"event": "error", "code": "input", "message": "…", "hint": "…"}

It ends at once, and removes DIR, when standard input is closed: then the server has gone.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import shutil
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from photorig.shared.errors import PhotorigError
from photorig.shared.wire.messages import MAX_FACES, MAX_FIT_PHOTOS, FitProgress

THUMBNAIL_SIZE = 96
PRIORITY = 10
"""As nice counts: previews get nine tenths of the processor, and a fit goes on during playback."""
_AROUND = 1.5
"""Side of a thumbnail's square in face sizes."""


def main() -> None:
    """Fit, and say how it went; a failure is an event, too."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--face", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--steps", type=int, help="of the fit, fewer than usual for tests")
    args = parser.parse_args()
    threading.Thread(target=_end_with_stdin, args=(args.folder,), daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(PRIORITY)
    try:
        _run(args)
    except PhotorigError as error:
        # The person knows the photo by its name, not by where the server has put it.
        message = error.message.replace(str(args.folder / "photo-1"), repr(args.name))
        message = message.replace(str(args.folder / "photo-"), "photo ")
        tell(event="error", code=error.code, message=message, hint=error.hint)
    except MemoryError:
        hint = "Close other programs, or use a smaller photo."
        tell(event="error", code="error", message="There is too little memory", hint=hint)


def tell(**event: Any) -> None:
    """One line to the server."""
    print(json.dumps(event), flush=True)


def show(progress: FitProgress) -> None:
    """How far the fit is, as a line for the server."""
    tell(event="progress", **asdict(progress))


def _run(args: argparse.Namespace) -> None:
    show(FitProgress("Loading the models", 0.0))
    from photorig.worker.fitting.pipeline import PortraitMaker
    from photorig.worker.fitting.settings import QUICK, FitSettings
    from photorig.worker.media.reading import read_picture

    maker = PortraitMaker(show, bundle=args.bundle)
    subject = maker.look(read_picture(args.folder / "photo-1"))
    usable = subject.usable
    if args.face is None and len(usable) > 1:
        _tell_faces(subject)
        return
    face = args.face if args.face is not None else usable[0] if usable else 0
    note = " ".join(subject.warnings(face))
    settings = QUICK if args.quick else FitSettings()
    if args.steps is not None:
        settings = replace(settings, steps=args.steps, tuning_steps=0, refine_steps=0)
    further = [
        (f"photo {number}", maker.look(read_picture(path)))
        for number, path in enumerate(_further_photos(args.folder), start=2)
    ]
    portrait = maker.make(subject, face, args.name, settings, further)
    portrait.save(args.folder / "x.portrait")
    tell(event="done", id=portrait.id, note=note)


def _further_photos(folder: Path) -> list[Path]:
    """photo-2, photo-3 …, as many as there are."""
    paths = (folder / f"photo-{number}" for number in range(2, 2 + MAX_FIT_PHOTOS))
    return [path for path in paths if path.is_file()]


def _tell_faces(subject: Any) -> None:
    height, width = subject.photo.shape[:2]
    faces = [
        {
            "box": [round(float(edge), 1) for edge in face.box],
            "side": THUMBNAIL_SIZE,
            "thumbnail": base64.b64encode(_thumbnail(subject.photo, face.box)).decode(),
            "problem": subject.problem(number),
        }
        for number, face in enumerate(subject.faces[:MAX_FACES])
    ]
    tell(event="faces", width=width, height=height, faces=faces)


def _thumbnail(photo: Any, box: tuple[float, float, float, float]) -> bytes:
    """THUMBNAIL_SIZE² RGB bytes: the box with some space around it, as a square."""
    from PIL import Image

    left, top, right, bottom = box
    half = _AROUND * max(right - left, bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    square = (round(x - half), round(y - half), round(x + half), round(y + half))
    picture = Image.fromarray(photo).crop(square)
    return picture.resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.LANCZOS).tobytes()


def _end_with_stdin(folder: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(OSError):
        os.chdir(folder.anchor)  # Windows keeps the folder that a program stands in
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
