"""Bills of materials (CycloneDX 1.6, JSON): what is in the extension's zip, and in the worker.

The same input gives the same bytes: no time, and a serial number made from the content.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable

from lock_file import Pin

Json = dict[str, object]


def component(pin: Pin, licence: str, *parts: Json) -> Json:
    """A package of the Python index.

    Args:
        parts: components that lie inside it.
    """
    found: Json = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{pin.name}@{pin.version}",
        "name": pin.name,
        "version": pin.version,
        "purl": f"pkg:pypi/{pin.name}@{pin.version}",
        "licenses": _licence(licence),
    }
    if len(pin.hashes) == 1:  # else there is a wheel for each system: see the lock file
        found["hashes"] = [{"alg": "SHA-256", "content": one} for one in pin.hashes]
    if pin.marker:
        found["properties"] = [{"name": "photorig:where", "value": pin.marker}]
    if parts:
        found["components"] = list(parts)
    return found


def inside(name: str, version: str, licence: str) -> Json:
    """A library of another language that a wheel brings along, built in."""
    return {"type": "library", "name": name, "version": version, "licenses": _licence(licence)}


def _licence(expression: str) -> list[Json]:
    return [{"expression": expression}]


def bill_of_materials(name: str, version: str, licence: str, components: Iterable[Json]) -> str:
    """The document, as text that ends with a line break."""
    listed = sorted(components, key=lambda one: str(one.get("bom-ref", one["name"])))
    own: Json = {
        "type": "application",
        "bom-ref": name,
        "name": name,
        "version": version,
        "licenses": _licence(licence),
    }
    needs = [{"ref": name, "dependsOn": [one["bom-ref"] for one in listed if "bom-ref" in one]}]
    content = {"metadata": {"component": own}, "components": listed, "dependencies": needs}
    text = json.dumps(content, sort_keys=True)
    head = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}",
        "version": 1,
    }
    return json.dumps(head | content, indent=1, ensure_ascii=False) + "\n"
