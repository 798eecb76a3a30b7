"""``photorig lips``: what a mouth does while somebody speaks, from the sound alone."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from photorig.shared.errors import InputError
from photorig.shared.files.text_files import read_any_text
from photorig.shared.files.writing import check_writable, explained, replacing
from photorig.shared.parameters import file as parameters_file
from photorig.shared.parameters.file import Recording
from photorig.shared.parameters.timeline import DEFAULT_RATE

from .progress import Progress
from .wording import rate_of

if TYPE_CHECKING:
    from photorig.worker.speech.recognition import Heard
    from photorig.worker.speech.sound import Sound


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "lips",
        help="let a mouth speak what is heard in a sound",
        description="Curves of jaw, lips and tongue for American English, from a sound or video. "
        "They count from a mouth at rest: render them with --mode relative.",
    )
    parser.add_argument("file", type=Path, metavar="SOUND|VIDEO")
    parser.add_argument("--out", type=Path, required=True, metavar="params.jsonl")
    parser.add_argument(
        "--text", type=Path, metavar="FILE", help="what is said, word by word: makes it more exact"
    )
    parser.add_argument(
        "--language",
        choices=("english", "other"),
        default="english",
        help="other: by sounds alone, taken for English ones (%(default)s)",
    )
    parser.add_argument("--fps", type=rate_of, default=DEFAULT_RATE, metavar="N", help="24")
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="A", help="how far the mouth goes, 0 to 2"
    )
    parser.add_argument(
        "--phonemes", type=Path, metavar="FILE", help="also write start, end and phoneme, by tabs"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    check_writable(args.out, "params.jsonl")
    if not 0 <= args.strength <= 2:
        raise InputError(f"A strength of {args.strength:g} is not possible", "Give 0 to 2.")
    text = read_any_text(args.text, "Give a text file.") if args.text is not None else ""

    from photorig.worker.speech.coarticulation import curves
    from photorig.worker.speech.sound import read_sound

    sound = read_sound(args.file)
    heard = _heard(sound, text, args.language)
    frames = curves(heard.phonemes, args.fps, sound.seconds, args.strength)
    parameters_file.write(args.out, frames, Recording(args.fps, len(frames)))
    if args.phonemes is not None:
        _write_phonemes(args.phonemes, heard)
    _report(args, sound, heard, len(frames))
    return 0


def _heard(sound: Sound, text: str, language: str) -> Heard:
    from photorig.worker.speech.recognition import Recogniser

    recogniser = Recogniser()
    if text.strip():
        return recogniser.follow(sound.samples, text)
    with Progress("seconds", max(1, round(sound.seconds))) as progress:

        def on_piece(seconds: float) -> None:
            progress.advance(round(seconds) - progress.done)

        return recogniser.hear(sound.samples, language == "english", on_piece)


def _write_phonemes(path: Path, heard: Heard) -> None:
    lines = [f"{each.start:.3f}\t{each.end:.3f}\t{each.name}\n" for each in heard.phonemes]
    with replacing(path) as file, explained(path):
        file.write("".join(lines).encode())


def _report(args: argparse.Namespace, sound: Sound, heard: Heard, n_frames: int) -> None:
    from photorig.worker.speech.phonemes import SILENCE

    n_phonemes = sum(each.name != SILENCE for each in heard.phonemes)
    if sound.is_damaged:
        print("warning: the sound is damaged; what can be read of it is used.", file=sys.stderr)
    if not n_phonemes:
        print("warning: nobody is heard speaking; the mouth stays closed.", file=sys.stderr)
    if heard.unknown:
        words = ", ".join(heard.unknown[:8])
        print(f"warning: the dictionary lacks {words}; passed over.", file=sys.stderr)
    if args.json:
        summary = {
            "out": str(args.out),
            "frames": n_frames,
            "phonemes": n_phonemes,
            "words": heard.words,
            "unknown": list(heard.unknown),
        }
        print(json.dumps(summary))
    else:
        print(f"Wrote {n_frames} frames with {n_phonemes} sounds of speech to {args.out}.")
