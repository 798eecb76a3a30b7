"""What crosses between the extension and the worker, as small frozen dataclasses.

This file says what the things are; message_forms.py says how each becomes a header and payloads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from ..errors import InputError
from ..parameters.schema import ParameterSchema
from .picture_format import DEPTHS

MODES = ("relative", "absolute")
CODECS = tuple(DEPTHS)
"""How a frame's pixels may travel: rgb8 rows from the top, or a file; see picture_format.py."""
PASSES = ("face", "matte")
"""What a frame can bring with it for compositing, of the frame's size and in uint8: the driven face
before it is put back (sRGB), and how much of each pixel is the person."""
MAX_SIZE = 4096
"""Largest edge of a face crop that may be asked for, in pixels."""

MAX_OTHERS = 7
"""Most further faces of a photo that one frame may drive."""

MAX_FIT_PHOTOS = 8
"""Most photos of one person that one fit may take."""
MAX_FACES = 16
"""Most faces of a photo that are offered to choose from."""

_PORTRAIT_ID = re.compile(r"[0-9a-f]{64}")
_METHOD = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, eq=False)
class FrameRequest:
    """One frame to render; the frame is a pure function of this and the worker's model bundle.

    Attributes:
        portrait: SHA-256 (64 hex digits) of the portrait file.
        parameters: (n,) float32 in the order and the units of the schema. In relative mode the
            drive is what differs from the schema's rest vector; in absolute mode this is the whole
            pose and expression wanted in the picture.
        size: edge of the aligned face crop in pixels, or "full" for the whole photo.
        mode: "relative" or "absolute".
        method: the way from portrait and drive to a latent code.
        frame: frame number; it names the answer and does not change the picture.
        extra: values by id of parameters that the schema lacks and a newer worker may know.
        passes: names of PASSES that shall come with the frame; they do not change it.
        neutral: how much of the photo's own expression is taken away, 0 to 1, in relative mode: at
            1 the coefficients begin from a face at rest. Without effect in absolute mode.
        others: further faces of the same photo, each with a portrait of its own, in the order in
            which they are laid over the first one's frame. Of them portrait, parameters, extra,
            mode, method and neutral count.

    Raises:
        InputError: a value out of its range, parameters that are not a finite vector.
    """

    portrait: str
    parameters: np.ndarray
    size: int | Literal["full"] = "full"
    mode: str = "relative"
    method: str = "regional"
    frame: int = 0
    extra: Mapping[str, float] = field(default_factory=dict)
    passes: tuple[str, ...] = ()
    neutral: float = 0.0
    others: tuple[FrameRequest, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.portrait, str) or not _PORTRAIT_ID.fullmatch(self.portrait):
            raise InputError("A portrait is named by 64 hexadecimal digits", "Load the portrait.")
        object.__setattr__(self, "parameters", _parameter_vector(self.parameters))
        if self.size != "full" and not _is_integer(self.size, 1, MAX_SIZE):
            raise InputError(
                f"Size {self.size!r} is not possible", f"Give 1 to {MAX_SIZE} pixels, or 'full'."
            )
        if self.mode not in MODES:
            raise InputError(f"Mode {self.mode!r} is unknown", f"Choose from {', '.join(MODES)}.")
        if not isinstance(self.method, str) or not _METHOD.fullmatch(self.method):
            raise InputError(f"Method {self.method!r} is unknown", "Use 'regional'.")
        if not _is_integer(self.frame, -(2**31), 2**31 - 1):
            raise InputError(f"Frame {self.frame!r} is no frame number", "Give a whole number.")
        if not set(self.passes) <= set(PASSES):
            raise InputError("There is no such pass", f"Use {' and '.join(PASSES)}.")
        if not isinstance(self.neutral, (int, float)) or not 0 <= self.neutral <= 1:
            raise InputError(f"Neutral is {self.neutral!r}", "Give a number from 0 to 1.")
        self._check_others()

    def _check_others(self) -> None:
        if len(self.others) > MAX_OTHERS:
            raise InputError(
                f"A frame drives at most {MAX_OTHERS + 1} faces", "Leave some of them out."
            )
        if any(other.others for other in self.others):
            raise InputError("A further face has further faces", "Name them all at the first one.")
        if len(set(self.portraits)) < len(self.portraits):
            raise InputError(
                "One face is driven twice in a frame", "Give each face a portrait of its own."
            )

    @property
    def portraits(self) -> tuple[str, ...]:
        """Ids of all portraits that the frame needs, the first face's first."""
        return (self.portrait, *(other.portrait for other in self.others))

    @property
    def picture(self) -> tuple[str, bytes, int | str, str, str]:
        """Hashable key of the picture: two requests with the same key give the same pixels."""
        numbers = self.parameters.tobytes()
        if self.extra:
            numbers += json.dumps(dict(self.extra), sort_keys=True).encode()
        if self.neutral and self.mode == "relative":
            numbers += f"neutral {float(self.neutral)!r}".encode()
        for other in self.others:
            portrait, driven, _, mode, method = other.picture
            numbers += f"with {portrait} {mode} {method} {len(driven)} ".encode() + driven
        return (self.portrait, numbers, self.size, self.mode, self.method)

    def in_schema(self, own: ParameterSchema, schema: ParameterSchema) -> FrameRequest:
        """The same request for a worker that knows other parameters.

        Args:
            own: the schema of ``parameters``.
            schema: the worker's. What it has beyond ``own`` and ``extra`` is at rest; what it
                lacks is left out.
        """
        if schema.hash == own.hash:
            return self
        values = {**own.named(self.parameters), **self.extra}
        known = {name: value for name, value in values.items() if name in schema.index}
        others = tuple(other.in_schema(own, schema) for other in self.others)
        return replace(self, parameters=schema.vector(known), extra={}, others=others)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrameRequest):
            return NotImplemented
        mine, its = (self.frame, self.passes), (other.frame, other.passes)
        return self.picture == other.picture and mine == its

    def __hash__(self) -> int:
        return hash((self.picture, self.frame))


@dataclass(frozen=True, eq=False)
class FramePass:
    """A pass of a frame.

    Attributes:
        name: one of PASSES.
        pixels: (height, width, 3) uint8 sRGB of a face, (height, width) uint8 of a matte.
    """

    name: str
    pixels: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class FrameReply:
    """One rendered frame.

    Attributes:
        frame: the request's frame number.
        image: the pixels in the given codec.
        width, height: in pixels.
        codec: "raw" (8 bits, rows from the top, no padding) or that of a file.
        milliseconds: time on the device, without waiting and encoding.
        channels: 1 (grey), 3 (RGB) or 4 (RGB and the person's matte, not premultiplied).
        dtype: of the decoded pixels.
        passes: those that were asked for.
    """

    frame: int
    image: bytes = field(repr=False)
    width: int
    height: int
    codec: str
    milliseconds: float
    channels: int = 3
    dtype: str = "uint8"
    passes: tuple[FramePass, ...] = ()

    @property
    def n_bytes(self) -> int:
        """How much memory the frame and its passes take."""
        return len(self.image) + sum(layer.pixels.nbytes for layer in self.passes)

    def pixels(self) -> np.ndarray:
        """(height, width, channels) uint8 of a raw frame, read-only, sharing the reply's memory."""
        if self.codec != "raw":
            raise InputError(f"A frame in codec {self.codec!r} has no pixels before it is decoded")
        return np.frombuffer(self.image, np.uint8).reshape(self.height, self.width, self.channels)


@dataclass(frozen=True)
class MessageLimits:
    """The largest messages the worker reads, in bytes for one part; and how many frames may wait.

    Attributes:
        control_bytes: on the control endpoint (previews, heartbeats).
        bulk_bytes: on the bulk endpoint (uploads, render requests).
        window: most frames of a job that may be rendered and not yet acknowledged.
        queued_frames: most frames of one client that may wait.
    """

    control_bytes: int = 1 << 20
    bulk_bytes: int = 256 << 20
    window: int = 16
    queued_frames: int = 100_000


@dataclass(frozen=True)
class Hello:
    """First message of a client on each endpoint.

    Attributes:
        session: 32 random hex digits that tie a client's control and bulk sockets together.
        client: program and version, for the log ("photorig-extension 0.1.0, Blender 4.5.15").
        codecs: frame codecs the client can read, the preferred one first.
        schema_hash: hash of the parameter schema the client knows.
    """

    session: str
    client: str
    codecs: tuple[str, ...]
    schema_hash: str


@dataclass(frozen=True)
class Welcome:
    """The worker's answer to Hello.

    Attributes:
        version: (major, minor) of the protocol to speak from now on.
        nonce: the one in the connection file; another one means that the file is stale.
        worker: program and version.
        device, backend: what renders, for a person ("cpu", "openvino bf16").
        model_id: content hash of the weights; frames of one model_id are comparable.
        codecs: frame codecs that both sides know.
        schema: the worker's parameter schema.
        limits: what the worker accepts.
        sizes: edges of the face crop the model renders at natively, in pixels.
        milliseconds: device time of the last frame, None before the first.
        description: what the renderer says about itself, JSON values by name.
        fit_photos: most photos of one person that a fit takes; 0 where this worker makes no
            portraits. A worker of protocol 1.0 does not say it.
        passes: names of PASSES that this worker gives. One of protocol 1.1 does not say it.
    """

    version: tuple[int, int]
    nonce: str
    worker: str
    device: str
    backend: str
    model_id: str
    codecs: tuple[str, ...]
    schema: ParameterSchema
    limits: MessageLimits
    sizes: tuple[int, ...] = ()
    milliseconds: float | None = None
    description: dict[str, Any] = field(default_factory=dict)
    fit_photos: int = 0
    passes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PortraitInfo:
    """What the extension shows of a portrait the worker holds.

    Attributes:
        id: SHA-256 (hex) of the portrait file.
        name: for a person.
        parameters: (n,) float32, pose and expression in the photo.
        width, height: of the photo in pixels.
        thumbnail: (128, 128, 3) uint8 RGB.
    """

    id: str
    name: str
    parameters: np.ndarray
    width: int
    height: int
    thumbnail: np.ndarray


class SentFile(Protocol):
    """A file that has come before the message that needs it."""

    def copy(self, path: Path) -> None:
        """Write it. Raises PhotorigError."""


@dataclass(frozen=True)
class FitRequest:
    """Photos of a person to be made a portrait.

    Attributes:
        photos: the photos' files as they are, the best one first; 1 to MAX_FIT_PHOTOS.
        name: what the portrait shall be called.
        face: which face of the first photo, counted from 0, the largest first; None to be asked
            where there are several.
        quick: a likeness in seconds, to see whether the photo will do.

    Raises:
        InputError: no photo, or too many.
    """

    photos: tuple[bytes | SentFile, ...] = field(repr=False)
    name: str
    face: int | None = None
    quick: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.photos) <= MAX_FIT_PHOTOS:
            raise InputError(
                f"A portrait is made from 1 to {MAX_FIT_PHOTOS} photos, not {len(self.photos)}",
                "Choose the best ones.",
            )


@dataclass(frozen=True)
class FitProgress:
    """How far a fit is.

    Attributes:
        stage: what is being done, in a few words for a person ("Finding the likeness").
        fraction: done of the whole, 0 to 1.
        note: a figure for those who know, "" where there is none; it does not cross the wire.
    """

    stage: str
    fraction: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class FoundFace:
    """One face of a photo that has several.

    Attributes:
        box: left, top, right and bottom in pixels of the upright photo.
        thumbnail: (n, n, 3) uint8 RGB, the face with some space around it.
        problem: one sentence why it cannot be used, "" where it can.
    """

    box: tuple[float, float, float, float]
    thumbnail: np.ndarray
    problem: str = ""


@dataclass(frozen=True)
class FitFaces:
    """Several faces were found; ask again with the number of one of them.

    Attributes:
        faces: the largest first, at most MAX_FACES.
        width, height: of the upright photo in pixels.
    """

    faces: tuple[FoundFace, ...]
    width: int
    height: int


@dataclass(frozen=True)
class FittedPortrait:
    """What a fit has made.

    Attributes:
        id: SHA-256 (hex) of the portrait file.
        content: the file.
        note: one sentence about the photo that a person should know, "" where there is none.
    """

    id: str
    content: bytes = field(repr=False)
    note: str = ""


@dataclass(frozen=True, eq=False)
class HeadMeasurement:
    """The face of a portrait as a mesh in space, in the axes and units of MediaPipe's face.

    Attributes:
        vertices: (468, 3) float32 cm, the face in the pose and scale of the canonical face: x to
            image right, y up, z out of the face. It has the expression of the photo.
        landmarks: (478, 2) float32 pixels of the photo; the first 468 belong to the vertices, then
            come five for the iris of the right eye and five for the left.
        transform: (4, 4) float32, from there to the space of a camera that looks along -z with a
            vertical field of view of 63 degrees: where the face is in the photo.
        parameters: (n,) float32, pose and expression as they were measured with it.
        width, height: of the photo in pixels.
    """

    vertices: np.ndarray
    landmarks: np.ndarray
    transform: np.ndarray
    parameters: np.ndarray
    width: int
    height: int


@dataclass(frozen=True)
class Heartbeat:
    """The worker's answer to a ping; it comes while the device is busy, too.

    Attributes:
        busy_seconds: how long the device has been at its present frame, None when it is idle.
        queue_length: frames that wait, of all clients.
        milliseconds: device time of the last frame, None before the first.
        doing: what keeps the device busy beyond frames, for a person, "" where nothing does.
    """

    busy_seconds: float | None
    queue_length: int
    milliseconds: float | None
    doing: str = ""


def _is_integer(value: object, lowest: int, highest: int) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and lowest <= int(value) <= highest  # type: ignore[call-overload]


def _parameter_vector(values: object) -> np.ndarray:
    """A private, read-only float32 copy of a finite vector."""
    try:
        vector = np.array(values, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError("The parameters are no numbers", "Give a vector of numbers.") from error
    if vector.ndim != 1:
        raise InputError(f"The parameters have the shape {vector.shape}", "Give one vector.")
    if not np.isfinite(vector).all():
        position = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise InputError(f"Parameter number {position} is not finite", "Give finite numbers.")
    vector.flags.writeable = False
    return vector
