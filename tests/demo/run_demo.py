"""Keyframes on a rigged head become a film of a real face. Runs in Blender's Python module (bpy).

`python build.py demo` prepares everything and starts this. Frames that an earlier run finished are
not rendered again, so a run that was stopped, or whose worker died, goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

SEED = 0
"""A person with a calm face, seen from the front, so that rest is a good place to start from."""
PACKAGE = "bl_ext.user_default.photorig"
N_MEASURED = 8
_spoken = sys.stdout

sys.path.insert(0, str(Path(__file__).resolve().parent))


class DemoError(Exception):
    """The demo cannot go on; the text says why in a sentence."""


@dataclass(frozen=True)
class Speed:
    """Milliseconds for a frame.

    Attributes:
        worker: inside the worker, from request to bytes.
        round_trip: as Blender sees it, raw pixels.
        sequence: of Render to Sequencer, PNG files on disk, None where all were there already.
    """

    worker: float
    round_trip: float
    sequence: float | None


def main(words: list[str]) -> int:
    arguments = parse_arguments(words)
    start = time.monotonic()
    out = arguments.out.resolve()
    if arguments.fresh:
        shutil.rmtree(out / "frames", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    portrait = person_to_drive(arguments, out)
    resources = tempfile.mkdtemp(prefix="photorig-demo-")
    # Read when bpy is imported: extensions and preferences of this demo alone.
    os.environ["BLENDER_USER_RESOURCES"] = resources
    try:
        with quiet_blender(out / "blender.log"):
            speed = make_film(arguments, portrait, out)
    finally:
        stop_worker(out / "worker.log")
        shutil.rmtree(resources, ignore_errors=True)
    for name in ("demo.blend", "frames", "demo.mp4", "contact_sheet.png"):
        print(out / name)
    print(
        f"A frame takes {speed.worker:.0f} ms in the worker and {speed.round_trip:.0f} ms there and"
        " back."
    )
    if speed.sequence is None:
        print("Render to Sequencer found all frames finished.")
    else:
        print(f"Render to Sequencer takes {speed.sequence:.0f} ms a frame, PNG file on disk.")
    print(f"Done in {time.monotonic() - start:.0f} s.")
    return 0


def parse_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run_demo.py", description=__doc__)
    parser.add_argument("--extension", type=Path, required=True, help="the extension's zip")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--worker", required=True, help="the photorig program")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of the film")
    parser.add_argument("--size", choices=["256", "512", "1024", "full"], default="256")
    parser.add_argument("--portrait", type=Path, help="whose face; a sampled person if not given")
    parser.add_argument("--photo", type=Path, nargs="+", help="photos of the person instead")
    parser.add_argument("--seed", type=int, default=SEED, help="which person is sampled")
    parser.add_argument("--fresh", action="store_true", help="render all frames again")
    return parser.parse_args(words)


def person_to_drive(arguments: argparse.Namespace, out: Path) -> Path:
    """The portrait that was given, or one fitted to the photos, or a sampled person's."""
    if arguments.portrait:
        return Path(arguments.portrait)
    if arguments.photo:
        return fit_person(arguments.worker, arguments.photo, out)
    return sample_person(arguments.worker, arguments.seed, out)


def fit_person(worker: str, photos: list[Path], out: Path) -> Path:
    """The photos as a portrait. Fitted once: the same photos are found again by their content."""
    digest = hashlib.sha256()
    for photo in photos:
        try:
            digest.update(photo.read_bytes())
        except OSError as error:
            raise DemoError(f"Cannot read the photo {photo}: {error.strerror}") from error
    portrait = out / f"{photos[0].stem}-{digest.hexdigest()[:12]}.portrait"
    if portrait.is_file():
        say(f"{photos[0].name} was fitted before")
        return portrait
    say(f"{photos[0].name} is being fitted")
    command = [worker, "fit", *map(str, photos), "--out", str(portrait)]
    if subprocess.run(command, check=False).returncode:
        raise DemoError("The photo could not be fitted; the lines above say why")
    return portrait


def sample_person(worker: str, seed: int, out: Path) -> Path:
    """A person who does not exist. The same seed gives the same file, so frames stay valid."""
    portrait, picture = out / f"person-{seed}.portrait", out / f"person-{seed}.png"
    say(f"Person {seed} is being sampled")
    command = [worker, "sample", "--seed", str(seed), "--out", str(picture)]
    done = subprocess.run([*command, "--portrait", str(portrait)], check=False)
    if done.returncode:
        raise DemoError("The person could not be sampled; the line above says why")
    return portrait


def make_film(arguments: argparse.Namespace, portrait: Path, out: Path) -> Speed:
    """Everything that happens in Blender."""
    import bpy

    install(arguments.extension, arguments.worker)
    bpy.context.preferences.filepaths.save_version = 0
    import film
    import scene as demo_scene

    n_frames = max(1, round(arguments.seconds * film.FRAMES_PER_SECOND))
    portrait = beside(portrait, out)
    scene = demo_scene.build_scene(out / "demo.blend", portrait, arguments.size, n_frames)
    frames = out / "frames"
    before = film.finished_files(frames)
    say(f"Render to Sequencer: {n_frames} frames of {arguments.size}")
    start = time.monotonic()
    bpy.ops.photorig.start_worker()
    ready = time.monotonic()
    bpy.ops.photorig.render_to_sequencer(directory=f"{frames}/")
    seconds = time.monotonic() - ready
    fresh = film.finished_files(frames) - before
    say(f"{len(fresh)} frames in {seconds:.1f} s; the worker started in {ready - start:.1f} s")
    bpy.ops.wm.save_mainfile()

    poses = film.key_poses(n_frames)
    checked = film.check_engine(scene, frames, out / "engine", poses)
    say(f"F12 and Ctrl-F12 give the same pixels in {checked} frames")
    speed = measure(scene, poses, seconds * 1000 / len(fresh) if fresh else None)
    film.write_film(scene, out / "demo.mp4")
    demo_scene.render_rig(scene, poses, film.SHEET_SIZE, out / "rig")
    film.write_contact_sheet(poses, out / "rig", frames, out / "contact_sheet.png")
    scene.frame_set(poses[-1])
    bpy.ops.wm.save_mainfile()
    return speed


@contextmanager
def quiet_blender(log: Path) -> Iterator[None]:
    """Blender's own lines, a few for each frame, go into a file; ``say`` still speaks."""
    global _spoken
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    _spoken = os.fdopen(os.dup(1), "w")
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, original in zip((1, 2), kept, strict=True):
                os.dup2(original, stream)
                os.close(original)
            _spoken = sys.stdout


def beside(portrait: Path, out: Path) -> Path:
    """The portrait in the demo's folder, so that the .blend file can be moved with it."""
    if portrait.resolve().parent == out:
        return portrait
    return Path(shutil.copy(portrait, out / portrait.name))


def install(extension: Path, worker: str) -> None:
    """Install the extension from its zip and tell it which worker to start."""
    import bpy

    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=str(extension.resolve()), enable_on_install=True
    )
    bpy.context.preferences.addons[PACKAGE].preferences.executable = worker


def measure(scene: object, frames: tuple[int, ...], sequence: float | None) -> Speed:
    """Median milliseconds of a few frames, asked for one after the other."""
    import bpy

    link = importlib.import_module(f"{PACKAGE}.link.link").link
    frame_request = importlib.import_module(f"{PACKAGE}.mapping.frame_request").frame_request
    worker, round_trips = [], []
    for turn, frame in enumerate((frames * N_MEASURED)[:N_MEASURED]):
        scene.frame_set(frame)
        camera = scene.camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
        request = frame_request(camera.data, frame)
        parameters = request.parameters.copy()
        parameters[0] += 0.01 * (turn + 1)  # a frame that is kept would take no time
        start = time.perf_counter()
        reply = link.client.request_frame(replace(request, parameters=parameters), codec="raw")
        round_trips.append((time.perf_counter() - start) * 1000)
        worker.append(reply.milliseconds)
    return Speed(median(worker), median(round_trips), sequence)


def stop_worker(log: Path) -> None:
    """End the worker that was started here; the end of what it wrote is kept for an engineer."""
    module = sys.modules.get(f"{PACKAGE}.link.link")
    if module is not None:
        log.write_text(module.link.log_tail())
        module.link.stop()


def say(sentence: str) -> None:
    print(f"demo: {sentence}.", file=_spoken, flush=True)


if __name__ == "__main__":
    code = 1
    try:
        code = main(sys.argv[1:])
    except (DemoError, RuntimeError, OSError) as error:
        # An operator that reported an error raises RuntimeError("Error: …").
        print(f"demo: {str(error).strip().removeprefix('Error: ')}", file=sys.stderr)
        print("demo: what Blender and the worker said is in blender.log and worker.log.")
    except KeyboardInterrupt:
        print("demo: stopped; run it again to go on with the missing frames.", file=sys.stderr)
        code = 130
    except SystemExit as request:
        code = int(request.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    # At a normal exit Blender 4.2 crashes and 4.5 hangs where any Python class is registered.
    os._exit(code)
