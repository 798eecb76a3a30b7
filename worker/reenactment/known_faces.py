"""Portraits of an earlier version, and quick ones: what their faces do is measured on first use.

Method ``regional`` needs a portrait's geometry for the matrix that drives it. A portrait that
brings none is measured here as a new one would be, once on each computer: what was found is kept in
a folder of the user's cache. It is always measured on the generator that fits portraits, so that
frames do not depend on what they are rendered with, nor on whether the cache was there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from photorig.shared.errors import InputError
from photorig.shared.files.portrait_layout import read_header
from photorig.shared.files.reading import read_file
from photorig.shared.files.writing import make_private_folder, write_atomically
from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.generators import Generator, load_generator
from photorig.worker.places import cache_folder
from photorig.worker.portraits.portrait import (
    Portrait,
    measured_tensors,
    with_measured,
)
from photorig.worker.portraits.response import FORM as RESPONSE_FORM

from .bundle import ModelBundle
from .calibration import Analyzer
from .measure_geometry import LOOKS, with_geometry
from .regional_controls import RegionalShifts

log = logging.getLogger(__name__)

FORM = 1
"""Of the kept files; one of another form is not read."""

SUFFIX = ".face"
_DIGEST_BYTES = 32
_LARGEST = 64 << 20

OnLook = Callable[[], None]
Measure = Callable[[Portrait, OnLook], Portrait]
"""A portrait to the portrait with its geometry, or as it was where its face is not found; tells of
each picture that was looked at."""


def default_folder() -> Path:
    """Beside the portraits of the server, in the user's cache."""
    return cache_folder() / "faces"


class KnownFaces:
    """Gives portraits what method ``regional`` needs; threads may share it, and then wait for one
    another while a face is measured.

    Args:
        bundle: what drives the faces.
        measure: see `Measure`; `measure_on` gives the real one.
        folder: where what was measured is kept; made when first needed.
        disk_bytes: most bytes of files kept there; the one used last always stays.
    """

    def __init__(
        self, bundle: ModelBundle, measure: Measure, folder: Path, disk_bytes: int = 256 << 20
    ) -> None:
        self._bundle, self._measure = bundle, measure
        self._folder, self._disk_bytes = folder, disk_bytes
        self._made_for = RegionalShifts(bundle).id
        # What is known of a portrait goes when the portrait does, which its owner decides.
        self._known: WeakKeyDictionary[Portrait, Portrait] = WeakKeyDictionary()
        self._faceless: WeakSet[Portrait] = WeakSet()
        self._looks: int | None = None
        self._lock = threading.Lock()

    @property
    def doing(self) -> str:
        """What is being done, for a person, "" where nothing is; may be read from any thread."""
        looks = self._looks
        if looks is None:
            return ""
        return f"Measuring this face, once for all: {min(100 * looks // LOOKS, 99)} %"

    def needs_measuring(self, portrait: Portrait) -> bool:
        """Whether the portrait brings no geometry for this bundle."""
        geometry = portrait.geometry
        return geometry is None or geometry.made_for != self._made_for

    def known(self, portrait: Portrait, on_look: OnLook = lambda: None) -> Portrait:
        """The portrait with its geometry; itself where it has one, or where no face is found.

        Args:
            on_look: called for each of about a hundred pictures, if it has to be measured now.

        Raises:
            ModelError: the models that measure it cannot be had.
        """
        if not self.needs_measuring(portrait):
            return portrait
        with self._lock:
            return self._measured_once(portrait, on_look)

    def _measured_once(self, portrait: Portrait, on_look: OnLook) -> Portrait:
        if portrait in self._faceless:
            return portrait
        known = self._known.get(portrait) or self._read(portrait)
        if known is None:
            known = self._measured(portrait, on_look)
        if known is None:
            self._faceless.add(portrait)
            return portrait
        self._known[portrait] = known
        return known

    def _measured(self, portrait: Portrait, on_look: OnLook) -> Portrait | None:
        log.info("measuring what the face of %r does, once on this computer", portrait.name)
        started = time.monotonic()
        self._looks = 0

        def count() -> None:
            self._looks = (self._looks or 0) + 1
            on_look()

        try:
            measured = self._measure(portrait, count)
        finally:
            self._looks = None
        if self.needs_measuring(measured):
            log.warning(
                "no face is found in what the generator makes of %r: "
                "it is driven by the method 'calibrated', and less far",
                portrait.name,
            )
            return None
        log.info("measured the face of %r in %.1f s", portrait.name, time.monotonic() - started)
        self._keep(portrait, measured)
        return measured

    # --- the folder

    def _path(self, portrait: Portrait) -> Path:
        return self._folder / f"{portrait.id}-{self._made_for[:16]}{SUFFIX}"

    def _digest(self, portrait: Portrait, content: bytes) -> bytes:
        """Of what a file holds and whom it belongs to."""
        whom = f"{FORM} {RESPONSE_FORM} {portrait.id} {self._made_for}"
        return hashlib.sha256(whom.encode() + content).digest()

    def _keep(self, portrait: Portrait, measured: Portrait) -> None:
        """For the next time; a full disk is no reason not to render."""
        metadata, tensors = measured_tensors(measured)
        content = save_tensors(tensors, {"photorig": json.dumps(metadata, sort_keys=True)})
        path = self._path(portrait)
        try:
            make_private_folder(self._folder)
            write_atomically(path, self._digest(portrait, content) + content, private=True)
            self._prune()
        except (OSError, InputError) as error:
            log.warning("cannot keep what was measured in %s: %s", self._folder, error)

    def _read(self, portrait: Portrait) -> Portrait | None:
        path = self._path(portrait)
        try:
            stored = read_file(path, _LARGEST)
        except OSError:
            return None
        digest, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        try:
            if digest != self._digest(portrait, content):
                raise ValueError("other bytes than were written")
            known = with_measured(portrait, read_header(content)[0], load_tensors(content))
        except (SafetensorError, struct.error, KeyError, TypeError, ValueError) as error:
            log.warning("measuring again, as %s is damaged: %s", path, error)
            return None
        with contextlib.suppress(OSError):
            path.touch()  # it was used
        return None if self.needs_measuring(known) else known

    def _prune(self) -> None:
        """Remove what was not used for longest until the folder is within its limit."""
        files = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in files)
        for path in files[:-1]:
            if total <= self._disk_bytes:
                break
            total -= path.stat().st_size
            path.unlink(missing_ok=True)


def measure_on(bundle: ModelBundle, generator: Generator) -> Measure:
    """Measures portraits as fitting does.

    Args:
        generator: that of the renderer; it serves where it is the one that fits portraits, too.
    """
    tools: list[tuple[Generator, Analyzer]] = []

    def measure(portrait: Portrait, on_look: OnLook) -> Portrait:
        from photorig.worker.faces.net3d import Net3D

        if not tools:
            is_common = generator.backend.startswith("openvino")
            tools.append(
                (generator if is_common else load_generator("cpu", name=generator.name), Net3D())
            )
        common, net3d = tools[0]
        return with_geometry(portrait, bundle, common, _Watched(net3d, on_look))

    return measure


class _Watched:
    """Net3D that tells of each look."""

    def __init__(self, net3d: Analyzer, on_look: OnLook) -> None:
        self._net3d, self._on_look = net3d, on_look

    def analyze_one(self, image: np.ndarray) -> FaceMeasurement:
        self._on_look()
        return self._net3d.analyze_one(image)
