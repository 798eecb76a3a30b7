"""Files that somebody might give for a photo and that are none, or none that can be used.

Every function writes one file into a folder and returns its path.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import socket
import struct
import wave
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ASTRONAUT = Path(__file__).parents[1] / "data" / "astronaut.jpg"


def encoded(format: str, size: int = 96, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture = Image.open(ASTRONAUT).convert("RGB").resize((size, size))
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def animation(format: str) -> bytes:
    frames = [Image.new("RGB", (32, 32), (level, 90, 200)) for level in (0, 120, 240)]
    buffer = io.BytesIO()
    frames[0].save(buffer, format, save_all=True, append_images=frames[1:], duration=40)
    return buffer.getvalue()


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of these chunks behind its header, whatever they are worth."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in (header, *chunks, (b"IEND", b"")):
        checksum = zlib.crc32(name + data)
        content += struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)
    return content


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A TIFF file of one directory: (tag, type, count, value) each."""
    content = b"II*\0" + struct.pack("<IH", 8, len(entries))
    content += b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return content + struct.pack("<I", following)


def raw_with_preview() -> bytes:
    """As cameras write DNG: the first page is a small preview."""
    buffer = io.BytesIO()
    picture = Image.open(ASTRONAUT).resize((64, 64))
    picture.save(buffer, "TIFF", tiffinfo={254: 1, 50706: b"\1\4\0\0"})
    return buffer.getvalue()


def floats(*values: float) -> bytes:
    pixels = np.full((16, 16), 0.5, np.float32)
    pixels.flat[: len(values)] = values
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF")
    return buffer.getvalue()


def damaged_png() -> bytes:
    content = bytearray(encoded("PNG"))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def text_bomb() -> bytes:
    """16 megabytes of zeros packed into the comment of a picture."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(16)) + packer.flush()
    text = (b"zTXt", b"Comment\0\0" + packed)
    return png(8, 8, text, (b"IDAT", zlib.compress(bytes(8 * 25))))


def pixel_bomb() -> bytes:
    """120,000 × 120,000 honest pixels in a small file."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(3 * 120_000 + 1)) for _ in range(20))
    return png(120_000, 120_000, (b"IDAT", rows + packer.flush()))


def float_colours() -> bytes:
    pixels = np.full((16, 16, 3), 0.5, np.float32)
    return cv2.imencode(".tiff", pixels)[1].tobytes()


def video() -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for level in (20, 120, 220):
            frame = np.full((64, 64, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def sound() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "none"))
        file.writeframes(bytes(4000))
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("photo.jpg", encoded("JPEG"))
    return buffer.getvalue()


class Bomb:
    """Would leave a mark if anything unpickled it."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("unpickled",)


def box(brand: bytes) -> bytes:
    """The beginning of an ISO base media file."""
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + brand + b"mif1" + bytes(200)


CONTENTS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "nothing at all": ("a.jpg", bytes, "is empty"),
    "text": ("a.jpg", lambda: b"Dear diary, no photo today.", "is not a picture"),
    "noise": ("a.png", lambda: np.random.default_rng(3).bytes(5000), "is not a picture"),
    "a program": ("a.jpg", lambda: b"\x7fELF\2\1\1" + bytes(3000), "is not a picture"),
    "pickled code": ("a.png", lambda: pickle.dumps(Bomb()), "is not a picture"),
    "a web page": ("a.jpg", lambda: b"\n<!DOCTYPE html><html><img></html>", "is a web page"),
    "a drawing": ("a.svg", lambda: b'<?xml version="1.0"?><svg/>', "is a drawing"),
    "a document": ("a.pdf", lambda: b"%PDF-1.7\n%...", "is a PDF"),
    "a program in PostScript": ("a.jpg", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    "an archive": ("a.jpg", archive, "is an archive"),
    "a packed photo": ("a.jpg.gz", lambda: gzip.compress(encoded("JPEG")), "is an archive"),
    "a film": ("a.mp4", video, "is not a picture"),
    "a sound": ("a.wav", sound, "is not a picture"),
    "a HEIC photo": ("a.jpg", lambda: box(b"heic"), "is a HEIC picture"),
    "a raw photo of Canon's": ("a.cr3", lambda: box(b"crx "), "is a camera's raw file"),
    "an older one": (
        "a.cr2",
        lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(300),
        "is a camera's raw file",
    ),
    "a raw photo with a preview": ("a.tif", raw_with_preview, "is a camera's raw file"),
    "JPEG XL": ("a.jxl", lambda: b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(90), "is a JPEG XL picture"),
    "a Photoshop file": ("a.psd", lambda: b"8BPS\0\1" + bytes(90), "is a Photoshop file"),
    "OpenEXR": ("a.exr", lambda: b"v/1\x01\2\0\0\0" + bytes(90), "is an OpenEXR picture"),
    "Radiance": ("a.hdr", lambda: b"#?RADIANCE\n\n-Y 1 +X 1\n", "is a Radiance picture"),
    "half a JPEG": ("a.jpg", lambda: encoded("JPEG")[:1500], "is damaged"),
    "the first bytes of a JPEG": ("a.jpg", lambda: encoded("JPEG")[:20], "is damaged"),
    "half a PNG": ("a.png", lambda: encoded("PNG")[:5000], "is damaged"),
    "a PNG with a wrong byte": ("a.png", damaged_png, "is damaged"),
    "a PNG without pixels": ("a.png", lambda: png(8, 8), "is damaged"),
    "a PNG of no size": ("a.png", lambda: png(0, 0), "is damaged"),
    "half a WebP": ("a.webp", lambda: encoded("WEBP")[:900], "is damaged"),
    "half an AVIF": ("a.avif", lambda: encoded("AVIF")[:700], "is damaged"),
    "half a TIFF": ("a.tif", lambda: encoded("TIFF")[:9000], "is damaged"),
    "half a packed TIFF": (
        "a.tif",
        lambda: encoded("TIFF", compression="tiff_lzw")[::-1][9000:][::-1],
        "is damaged",
    ),
    "a TIFF whose directory is elsewhere": (
        "a.tif",
        lambda: b"II*\0\xf0\xff\xff\x7f",
        "is damaged",
    ),
    "a TIFF that goes round in circles": (
        "a.tif",
        lambda: tiff((256, 4, 1, 8), (257, 4, 1, 8), following=8),
        "is damaged",
    ),
    "a TIFF with a thousand channels": (
        "a.tif",
        lambda: tiff((256, 4, 1, 8), (257, 4, 1, 8), (277, 3, 1, 1000)),
        "is damaged",
    ),
    "a TIFF of floats in colour": ("a.tif", float_colours, "not read here"),
    "a TIFF with NaN": ("a.tif", lambda: floats(float("nan")), "are no numbers"),
    "a TIFF with infinity": ("a.tif", lambda: floats(float("inf")), "are no numbers"),
    "a picture that unpacks to 43 gigabytes": ("a.png", pixel_bomb, "pixels"),
    "a comment that unpacks to 16 megabytes": ("a.png", text_bomb, "is damaged"),
    "a picture as long as a street": ("a.png", lambda: png(60_000, 100), "is too large"),
    "an animated GIF": ("a.gif", lambda: animation("GIF"), "is an animation"),
    "an animated WebP": ("a.webp", lambda: animation("WEBP"), "is an animation"),
    "an animated PNG": ("a.png", lambda: animation("PNG"), "is an animation"),
}
"""What it is: file name, content, and what the sentence about it has to say."""


def missing(folder: Path) -> Path:
    return folder / "nothing.jpg"


def inside_a_file(folder: Path) -> Path:
    (folder / "a.jpg").write_bytes(encoded("JPEG"))
    return folder / "a.jpg" / "b.jpg"


def a_folder(folder: Path) -> Path:
    (folder / "photos.jpg").mkdir()
    return folder / "photos.jpg"


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.jpg")
    return folder / "pipe.jpg"


def a_device(_: Path) -> Path:
    return Path("/dev/zero")


def a_socket(folder: Path) -> Path:
    before = Path.cwd()
    os.chdir(folder)  # the whole path would be too long for a socket's name
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
    os.chdir(before)
    return folder / "socket.jpg"


def links_in_a_circle(folder: Path) -> Path:
    (folder / "a.jpg").symlink_to(folder / "b.jpg")
    (folder / "b.jpg").symlink_to(folder / "a.jpg")
    return folder / "a.jpg"


def a_link_to_nothing(folder: Path) -> Path:
    (folder / "a.jpg").symlink_to(folder / "gone.jpg")
    return folder / "a.jpg"


def a_name_that_is_too_long(folder: Path) -> Path:
    return folder / ("x" * 5000 + ".jpg")


def a_name_with_a_zero(folder: Path) -> Path:
    return folder / "a\0b.jpg"


PLACES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no such file": (missing, "There is no file"),
    "a file in a file": (inside_a_file, "cannot be opened"),
    "a folder": (a_folder, "is a folder"),
    "a pipe": (a_pipe, "is a device or a pipe"),
    "a device": (a_device, "is a device or a pipe"),
    "a socket": (a_socket, "is a device or a pipe"),
    "links in a circle": (links_in_a_circle, "cannot be opened"),
    "a link to nothing": (a_link_to_nothing, "There is no file"),
    "a name that is too long": (a_name_that_is_too_long, "cannot be opened"),
    "a name with a zero in it": (a_name_with_a_zero, "cannot be opened"),
}
"""What it is: what makes it, and what the sentence about it has to say."""
