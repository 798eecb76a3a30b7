"""One message of every kind, fixed byte for byte.

    python tests/contract/golden_messages.py

writes them anew, and with them the examples in docs/protocol.md. Bytes that change are a change of
the protocol: only a new version may do that.

A .bin file is the parts of the message, each after its length as a big-endian 32-bit number.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from photorig.shared.parameters.schema import Parameter, ParameterSchema
from photorig.shared.wire import message_forms as forms
from photorig.shared.wire import pairing, portrait_forms, upload_forms
from photorig.shared.wire.message_body import Form
from photorig.shared.wire.message_forms import ErrorReport
from photorig.shared.wire.messages import (
    FitFaces,
    FitProgress,
    FitRequest,
    FittedPortrait,
    FoundFace,
    FramePass,
    FrameReply,
    FrameRequest,
    HeadMeasurement,
    Heartbeat,
    Hello,
    MessageLimits,
    PortraitInfo,
    Welcome,
)
from photorig.shared.wire.picture_format import PictureFormat
from photorig.shared.wire.protocol import VERSION, Header, encode
from photorig.shared.wire.upload_forms import PORTRAIT as PORTRAIT_FILE
from photorig.shared.wire.upload_forms import UploadOffer, UploadReady

FOLDER = Path(__file__).with_name("golden")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"

SCHEMA = ParameterSchema(
    "two",
    (
        Parameter("headYaw", "Head Yaw", "head", "degree", -90.0, 90.0, 0.0, "headYaw"),
        Parameter("jawOpen", "Jaw Open", "jaw", "coefficient", 0.0, 1.0, 0.0, "jawOpen"),
    ),
)
PORTRAIT = "7d" * 32
NOTHING = hashlib.sha256(b"").hexdigest()
_MOST_SHOWN = 64
REQUEST = FrameRequest(PORTRAIT, np.array([12.5, 0.25]), 256, method="directions", frame=24)
OTHER = FrameRequest("8e" * 32, np.array([-3.0, 0.5]), mode="absolute", method="directions")
PIXELS = bytes(range(12))
PASSES = (
    FramePass("face", np.arange(6, dtype=np.uint8).reshape(1, 2, 3)),
    FramePass("matte", np.array([[0, 255]], np.uint8)),
)
HEAD = HeadMeasurement(
    vertices=np.zeros((468, 3), np.float32),
    landmarks=np.zeros((478, 2), np.float32),
    transform=np.eye(4, dtype=np.float32),
    parameters=np.array([3.0, 0.0], np.float32),
    width=1024,
    height=768,
)
FACES = FitFaces(
    (
        FoundFace((40.0, 32.5, 88.0, 96.0), np.full((1, 1, 3), 200, np.uint8)),
        FoundFace(
            (100.0, 30.0, 110.0, 42.0),
            np.full((1, 1, 3), 90, np.uint8),
            "The face is only 12 pixels large",
        ),
    ),
    128,
    96,
)


def _messages() -> dict[str, tuple[Header, Form]]:
    hello = Hello("5e" * 16, "photorig-extension 0.1.0, Blender 4.5.15", ("raw", "png"), "5c" * 32)
    welcome = Welcome(
        version=VERSION,
        nonce="0c" * 16,
        worker="photorig 0.1.0",
        device="cpu",
        backend="openvino bf16",
        model_id="a1" * 16,
        codecs=("raw", "png"),
        schema=SCHEMA,
        limits=MessageLimits(),
        sizes=(256, 512, 1024),
        milliseconds=31.5,
        description={"bundle": "default"},
        fit_photos=1,
        passes=("face", "matte"),
    )
    info = PortraitInfo(
        PORTRAIT,
        "Nobody",
        np.array([3.0, 0.0], np.float32),
        1024,
        1024,
        np.array([[[200, 160, 140]]], np.uint8),
    )
    frame = forms.frame_request_form(REQUEST, "5c" * 32, "raw")
    png = forms.frame_request_form(REQUEST, "5c" * 32, "png")
    reply = forms.frame_reply_form(FrameReply(24, PIXELS, 2, 2, "raw", 31.5))
    preview = Form({**frame.body, "view": "viewport-1"}, frame.payloads)
    shown = Form({**reply.body, "view": "viewport-1"}, reply.payloads)
    unknown = ErrorReport(
        "input",
        "The worker does not have the portrait 7d7d7d7d7d7d",
        "Load the portrait again.",
        "unknown-portrait",
    )
    empty = Form({})
    view = Form({"view": "viewport-1"})
    return {
        "hello": (Header("hello", "c1"), forms.hello_form(hello)),
        "welcome": (Header("welcome", "w1", re="c1"), forms.welcome_form(welcome)),
        "ping": (Header("ping", "c2"), empty),
        "pong": (Header("pong", "w2", re="c2"), forms.heartbeat_form(Heartbeat(0.25, 3, 31.5))),
        "pong_measuring": (
            Header("pong", "w16", re="c2"),
            forms.heartbeat_form(
                Heartbeat(2.5, 1, None, "Measuring this face, once for all: 30 %")
            ),
        ),
        "probe": (Header("probe", "w3"), empty),
        "portrait_query": (
            Header("portrait_query", "c3"),
            portrait_forms.portrait_reference_form(PORTRAIT),
        ),
        "error": (Header("error", "w4", re="c3"), forms.error_form(unknown)),
        "portrait_upload": (
            Header("portrait_upload", "c4"),
            portrait_forms.portrait_upload_form(PORTRAIT, b"file content"),
        ),
        "upload": (
            Header("upload", "c4"),
            upload_forms.upload_form(UploadOffer(PORTRAIT, PORTRAIT_FILE, 12)),
        ),
        "upload_ready": (
            Header("upload_ready", "w5", re="c4"),
            upload_forms.upload_ready_form(UploadReady(PORTRAIT, 0, NOTHING)),
        ),
        "chunk": (
            Header("chunk", "c5"),
            upload_forms.chunk_form(PORTRAIT, 0, b"file content"),
        ),
        "chunk_taken": (
            Header("chunk_taken", "w6", re="c5"),
            upload_forms.chunk_taken_form(PORTRAIT, 12),
        ),
        "end_upload": (Header("end_upload", "c6"), upload_forms.content_form(PORTRAIT)),
        "upload_ended": (
            Header("upload_ended", "w7", re="c6"),
            upload_forms.content_form(PORTRAIT),
        ),
        "abort_upload": (Header("abort_upload", "c7"), upload_forms.content_form(PORTRAIT)),
        "upload_aborted": (
            Header("upload_aborted", "w8", re="c7"),
            upload_forms.content_form(PORTRAIT),
        ),
        "portrait": (Header("portrait", "w5", re="c4"), portrait_forms.portrait_info_form(info)),
        "preview": (Header("preview", "c5", seq=7, frame=24), preview),
        "superseded": (Header("superseded", "w6", re="c5", seq=7, frame=24), view),
        "preview_frame": (Header("frame", "w7", re="c5", seq=7, frame=24), shown),
        "job": (Header("job", "c6", job="job-1"), Form({"window": 4})),
        "job_opened": (Header("job_opened", "w8", re="c6", job="job-1"), Form({"window": 4})),
        "render": (Header("render", "c7", seq=0, job="job-1", frame=24), png),
        "frame": (Header("frame", "w9", re="c7", seq=0, job="job-1", frame=24), reply),
        "render_passes": (
            Header("render", "c14", frame=24),
            forms.frame_request_form(
                replace(REQUEST, passes=("face", "matte")),
                "5c" * 32,
                PictureFormat("raw", 8, "RGBA", transparent=True),
            ),
        ),
        "render_neutral": (
            Header("render", "c15", frame=24),
            forms.frame_request_form(replace(REQUEST, neutral=0.5), "5c" * 32, "raw"),
        ),
        "render_others": (
            Header("render", "c16", frame=24),
            forms.frame_request_form(
                replace(REQUEST, size="full", others=(OTHER,)), "5c" * 32, "raw"
            ),
        ),
        "frame_passes": (
            Header("frame", "w15", re="c14", frame=24),
            forms.frame_reply_form(
                FrameReply(24, bytes(range(8)), 2, 1, "raw", 31.5, 4, "uint8", PASSES)
            ),
        ),
        "ack": (Header("ack", "c8", seq=0, job="job-1"), empty),
        "end_job": (Header("end_job", "c9", job="job-1"), empty),
        "job_ended": (Header("job_ended", "w10", re="c9", job="job-1"), empty),
        "fit": (
            Header("fit", "c11", job="fit-1"),
            portrait_forms.fit_form(FitRequest((b"photo file",), "Anna", 1, quick=True)),
        ),
        "fit_of_uploads": (
            Header("fit", "c11", job="fit-1"),
            portrait_forms.fit_of_uploads_form(FitRequest((b"photo file",), "Anna"), [PORTRAIT]),
        ),
        "fit_progress": (
            Header("fit_progress", "w11", re="c11", job="fit-1"),
            portrait_forms.fit_progress_form(FitProgress("Finding the likeness", 0.25)),
        ),
        "fit_faces": (
            Header("fit_faces", "w12", re="c11", job="fit-1"),
            portrait_forms.fit_faces_form(FACES),
        ),
        "fitted": (
            Header("fitted", "w13", re="c11", job="fit-1"),
            portrait_forms.fitted_portrait_form(
                FittedPortrait(hashlib.sha256(b"portrait file").hexdigest(), b"portrait file")
            ),
        ),
        "end_fit": (Header("end_fit", "c12", job="fit-1"), empty),
        "head_query": (
            Header("head_query", "c13"),
            portrait_forms.portrait_reference_form(PORTRAIT),
        ),
        "head": (Header("head", "w14", re="c13"), portrait_forms.head_form(HEAD)),
        "bye": (Header("bye", "c10"), empty),
        "pair": (Header("pair", "c1"), pairing.pair_form("anna on laptop", "c" * 40)),
        "paired": (
            Header("paired", "w1", re="c1"),
            pairing.paired_form("studio", "w" * 40, 45000, 45001),
        ),
    }


MESSAGES = {
    name: (replace(header, body=form.body), form.payloads)
    for name, (header, form) in _messages().items()
}


def encoded(name: str) -> list[bytes]:
    """The parts of a message as this code writes them."""
    return [bytes(part) for part in encode(*MESSAGES[name])]


def join(parts: list[bytes]) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def split(content: bytes) -> list[bytes]:
    parts = []
    while content:
        end = 4 + struct.unpack(">I", content[:4])[0]
        parts.append(content[4:end])
        content = content[end:]
    return parts


def readable(value: object) -> str:
    """JSON with lists of numbers and texts on one line."""
    text = json.dumps(value, indent=1, sort_keys=True)
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda match: f"[{' '.join(match[1].split())}]", text)


def _shown(part: bytes) -> str:
    rest = len(part) - _MOST_SHOWN
    return part.hex(" ") if rest <= 0 else f"{part[:_MOST_SHOWN].hex(' ')} and {rest} bytes more"


def example(name: str) -> str:
    """The message as the document shows it."""
    parts = split((FOLDER / f"{name}.bin").read_bytes())
    lines = [readable(json.loads(parts[1]))]
    lines += [f"payload {i}: {_shown(part)}" for i, part in enumerate(parts[2:])]
    return "\n".join(lines)


def with_examples(document: str) -> str:
    """The document with the example after each marker as the golden file has it."""
    return re.sub(
        r"(<!-- golden: (\w+) -->\n)```\n.*?\n```\n",
        lambda match: f"{match[1]}```\n{example(match[2])}\n```\n",
        document,
        flags=re.DOTALL,
    )


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in MESSAGES:
        parts = encoded(name)
        (FOLDER / f"{name}.bin").write_bytes(join(parts))
        description = {
            "header": json.loads(parts[1]),
            "payloads": [part.hex() for part in parts[2:]],
        }
        text = readable(description) + "\n"
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8", newline="\n")
    document = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(with_examples(document), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
