"""Says inside every picture that its face was made by a trained model, and by which.

The label is IPTC's digital source type in an XMP packet, in the iTXt chunk where image programs
look for XMP (PNG specification, 11.3.3.4; XMP specification part 3, 1.1.5), in a JPEG's APP1
segment (part 3, 1.1.3), a TIFF's tag 700 (part 3, 1.1.7) and a WebP's chunk of that name (WebP
container specification, Metadata). OpenEXR has header fields of its own, see media/exr.py.
Standard library only.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from ..errors import InputError

DIGITAL_SOURCE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8"

_XMP_TAG = 700
_WEBP_HAS_XMP, _WEBP_HAS_ALPHA = 0x04, 0x10
_KEYWORD = b"XML:com.adobe.xmp"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_PHOTORIG = "urn:photorig:xmp:1.0/"


@dataclass(frozen=True)
class Provenance:
    """Where a picture comes from.

    Attributes:
        version: of Photorig, for example "0.1.0".
        model_id: content hash of the weights that made the face.
        digital_source_type: an IPTC NewsCodes address.
    """

    version: str = ""
    model_id: str = ""
    digital_source_type: str = DIGITAL_SOURCE_TYPE


def xmp_packet(provenance: Provenance) -> bytes:
    """The XMP packet (UTF-8) that carries the provenance."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        f' <rdf:RDF xmlns:rdf="{_RDF}">\n'
        f'  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}"'
        f' xmlns:xmp="{_XMP}" xmlns:photorig="{_PHOTORIG}"\n'
        f"   Iptc4xmpExt:DigitalSourceType={quoteattr(provenance.digital_source_type)}\n"
        f"   xmp:CreatorTool={quoteattr(f'Photorig {provenance.version}'.strip())}\n"
        f"   photorig:Version={quoteattr(provenance.version)}\n"
        f"   photorig:ModelId={quoteattr(provenance.model_id)}/>\n"
        " </rdf:RDF>\n"
        "</x:xmpmeta>\n"
        '<?xpacket end="r"?>'
    ).encode()


def insert_into_png(png: bytes, provenance: Provenance | None = None) -> bytes:
    """The same PNG with this provenance; an XMP packet it already had is replaced.

    Without a provenance the packet says only that the picture is a composite with AI media.

    Raises:
        InputError: the bytes are no PNG.
    """
    packet = xmp_packet(provenance or Provenance())
    parts = [PNG_SIGNATURE]
    for kind, data, chunk in _chunks(png):
        if not _is_xmp(kind, data):
            parts.append(chunk)
        if kind == b"IHDR":
            # keyword, no compression, no language, no translated keyword, then the text
            parts.append(_chunk(b"iTXt", _KEYWORD + b"\0\0\0\0\0" + packet))
    return b"".join(parts)


def insert_into_jpeg(jpeg: bytes, provenance: Provenance) -> bytes:
    """The same JPEG with this provenance; an XMP packet it already had is replaced.

    Raises:
        InputError: the bytes are no JPEG.
    """
    if not jpeg.startswith(JPEG_SIGNATURE):
        raise InputError("This is no JPEG file")
    jpeg = _without_xmp(jpeg)
    content = _XMP.encode() + b"\0" + xmp_packet(provenance)
    segment = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    # JFIF's own segment must stay the first one.
    start = 2
    if jpeg[2:4] == b"\xff\xe0":
        start += 2 + struct.unpack(">H", jpeg[4:6])[0]
    return jpeg[:start] + segment + jpeg[start:]


def insert_provenance(content: bytes, provenance: Provenance) -> bytes:
    """The same picture with this provenance; files that hold none stay as they are.

    Raises:
        InputError: the file begins as a picture and is none.
    """
    for begins, insert in _INSERTERS:
        if content.startswith(begins):
            return insert(content, provenance)
    return content


def insert_into_tiff(tiff: bytes, provenance: Provenance) -> bytes:
    """The same TIFF with this provenance; its first directory is written anew behind the pixels.

    Raises:
        InputError: the bytes are no TIFF.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        raise InputError("This is no TIFF file")
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        entries = [tiff[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
        rest = tiff[start + 2 + 12 * count : start + 6 + 12 * count]
        tags = [struct.unpack_from(f"{order}H", entry)[0] for entry in entries]
    except struct.error:
        raise InputError("This TIFF file ends in the middle") from None
    if len(rest) < 4:
        raise InputError("This TIFF file ends in the middle")
    packet = xmp_packet(provenance)
    even = tiff + b"\0" * (len(tiff) % 2)
    told = struct.pack(f"{order}HHII", _XMP_TAG, 1, len(packet), len(even))
    kept = [entry for tag, entry in zip(tags, entries, strict=True) if tag != _XMP_TAG]
    place = sum(tag < _XMP_TAG for tag in tags)
    kept.insert(place, told)
    even += packet + b"\0" * (len(packet) % 2)
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + rest
    return even[:4] + struct.pack(f"{order}I", len(even)) + even[8:] + directory


def insert_into_webp(webp: bytes, provenance: Provenance) -> bytes:
    """The same WebP with this provenance, in the extended form that has room for it.

    Raises:
        InputError: the bytes are no WebP.
    """
    if webp[:4] != b"RIFF" or webp[8:12] != b"WEBP" or len(webp) < 30:
        raise InputError("This is no WebP file")
    chunks = [each for each in _riff_chunks(webp) if each[0] != b"XMP "]
    try:
        kind, data = chunks[0]
        if kind == b"VP8X":
            chunks[0] = kind, bytes([data[0] | _WEBP_HAS_XMP]) + data[1:]
        else:
            chunks.insert(0, (b"VP8X", _webp_header(kind, data)))
    except (IndexError, struct.error):
        raise InputError("This WebP file ends in the middle") from None
    chunks.append((b"XMP ", xmp_packet(provenance)))
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _webp_header(kind: bytes, data: bytes) -> bytes:
    """Of the extended form, for the one chunk of a simple file. Raises InputError."""
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 1)
        width, height, has_alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    elif kind == b"VP8 ":
        width, height = (size - 1 & 0x3FFF for size in struct.unpack_from("<HH", data, 6))
        has_alpha = 0
    else:
        raise InputError("This WebP file begins with something else than a picture")
    flags = _WEBP_HAS_XMP | _WEBP_HAS_ALPHA * has_alpha
    return struct.pack("<I", flags) + width.to_bytes(3, "little") + height.to_bytes(3, "little")


def _riff_chunks(webp: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(webp):
        (length,) = struct.unpack_from("<I", webp, position + 4)
        end = position + 8 + length
        if end > len(webp):
            raise InputError("This WebP file ends in the middle")
        yield webp[position : position + 4], webp[position + 8 : end]
        position = end + length % 2


def _without_xmp(jpeg: bytes) -> bytes:
    """A JPEG without the APP1 segments that hold XMP; what follows the tables stays as it is."""
    kept, position = [jpeg[:2]], 2
    while jpeg[position : position + 1] == b"\xff" and jpeg[position + 1 : position + 2] != b"\xda":
        end = position + 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
        segment = jpeg[position:end]
        if end <= position + 3:  # no segment with a length
            break
        if not (segment[:2] == b"\xff\xe1" and segment[4:].startswith(_XMP.encode() + b"\0")):
            kept.append(segment)
        position = end
    return b"".join([*kept, jpeg[position:]])


def read_provenance(png: bytes) -> Provenance | None:
    """The provenance a PNG carries, None where it has none.

    Raises:
        InputError: the bytes are no PNG.
    """
    for kind, data, _ in _chunks(png):
        if _is_xmp(kind, data):
            return _parse_packet(data[len(_KEYWORD) + 1 :])
    return None


def _parse_packet(text: bytes) -> Provenance | None:
    """From the iTXt fields after the keyword's terminator."""
    compressed, packet = text[:1] != b"\0", text.split(b"\0", 4)[-1]
    # An entity declaration can blow up a parser; no XMP packet needs one.
    if compressed or b"<!" in packet:
        return None
    try:
        root = ElementTree.fromstring(packet.strip())
    except ElementTree.ParseError:
        return None
    for description in root.iter(f"{{{_RDF}}}Description"):
        source = description.get(f"{{{_IPTC}}}DigitalSourceType")
        if source is not None:
            version = description.get(f"{{{_PHOTORIG}}}Version", "")
            model_id = description.get(f"{{{_PHOTORIG}}}ModelId", "")
            return Provenance(version, model_id, source)
    return None


def _is_xmp(kind: bytes, data: bytes) -> bool:
    return kind == b"iTXt" and data.startswith(_KEYWORD + b"\0")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(kind, data, whole chunk) of each chunk in order."""
    if not png.startswith(PNG_SIGNATURE):
        raise InputError("This is no PNG file")
    position = len(PNG_SIGNATURE)
    while position < len(png):
        header = png[position : position + 8]
        end = position + 12 + (struct.unpack(">I", header[:4])[0] if len(header) == 8 else 0)
        if len(header) < 8 or end > len(png):
            raise InputError("This PNG file ends in the middle")
        yield header[4:], png[position + 8 : end - 4], png[position:end]
        position = end


_INSERTERS: tuple[tuple[bytes, Callable[[bytes, Provenance], bytes]], ...] = (
    (PNG_SIGNATURE, insert_into_png),
    (JPEG_SIGNATURE, insert_into_jpeg),
    (b"II*\0", insert_into_tiff),
    (b"MM\0*", insert_into_tiff),
    (b"RIFF", insert_into_webp),
)
"""By how files begin."""
