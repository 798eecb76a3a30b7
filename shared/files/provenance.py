"""Says inside every PNG and JPEG that its face was made by a trained model.

The label is IPTC's digital source type in an XMP packet, in the iTXt chunk where image programs
look for XMP (PNG specification, 11.3.3.4; XMP specification part 3, 1.1.5), and in a JPEG's APP1
segment (part 3, 1.1.3). Standard library only.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from ..errors import InputError

DIGITAL_SOURCE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8"

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
    """The same JPEG with this provenance.

    Raises:
        InputError: the bytes are no JPEG.
    """
    if not jpeg.startswith(JPEG_SIGNATURE):
        raise InputError("This is no JPEG file")
    content = _XMP.encode() + b"\0" + xmp_packet(provenance)
    segment = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    # JFIF's own segment must stay the first one.
    start = 2
    if jpeg[2:4] == b"\xff\xe0":
        start += 2 + struct.unpack(">H", jpeg[4:6])[0]
    return jpeg[:start] + segment + jpeg[start:]


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
