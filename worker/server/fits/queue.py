"""Fits of all clients: who asked for which, and where the answers go.

A fit takes about a minute. It is somebody else's work (``Fitter``), so that frames and heartbeats
are answered meanwhile; what is here only keeps the books and never waits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from photorig.shared.errors import InputError, PhotorigError, ProtocolError
from photorig.shared.wire.messages import FitFaces, FitProgress, FitRequest, FittedPortrait

from ..budget import TooMuch

MAX_FITS = 16
"""Most fits that may wait or run, of all clients; each keeps its photos in memory."""
MAX_FITS_OF_A_CLIENT = 4

Address = TypeVar("Address")
FitOutcome = FitProgress | FitFaces | FittedPortrait | PhotorigError


@dataclass(frozen=True)
class FitEvent:
    """News of one fit. All but FitProgress end it."""

    fit_id: int
    outcome: FitOutcome


class Fitter(Protocol):
    """Makes portraits from photos. No method waits.

    Attributes:
        wake: may be set; called from any thread when there are events.
        photos: most photos of one person that a fit takes.
    """

    wake: Callable[[], None]
    photos: int

    def start(self, fit_id: int, request: FitRequest) -> None:
        """Begin a fit, at once or when those before it have ended."""

    def cancel(self, fit_id: int) -> None:
        """Nobody wants it any more: it ends within a second, with Cancelled as its last event."""

    def events(self) -> list[FitEvent]:
        """What has happened since the last call."""

    def close(self) -> None:
        """End everything at once."""


@dataclass(frozen=True)
class _Fit(Generic[Address]):
    address: Address
    client: str
    job: str
    release: Callable[[], None]


class Fits(Generic[Address]):
    """The fits that wait or run.

    Args:
        fitter: None where this worker makes no portraits.
    """

    def __init__(self, fitter: Fitter | None) -> None:
        self._fitter = fitter
        self._forgotten: dict[int, _Fit[Address]] = {}
        self._fits: dict[int, _Fit[Address]] = {}
        self._ids = itertools.count(1)

    @property
    def photos(self) -> int:
        """Most photos of one person that a fit takes, 0 where there are no fits."""
        return 0 if self._fitter is None else self._fitter.photos

    @property
    def is_idle(self) -> bool:
        return not self._fits

    def start(
        self,
        address: Address,
        client: str,
        job: str,
        request: FitRequest,
        release: Callable[[], None],
    ) -> None:
        """Begin a fit.

        Args:
            address: comes back with each of its answers.
            release: called when it has ended, and its photos are not needed any more.

        Raises:
            InputError: this worker cannot do it.
            ProtocolError: the name is taken, or there are too many fits.
        """
        if self._fitter is None:
            raise InputError(
                "This worker makes no portraits", "Make one with 'photorig fit PHOTO' instead."
            )
        if len(request.photos) > self._fitter.photos:
            raise InputError(
                f"This worker makes a portrait from {self._fitter.photos} photo at most",
                "Choose the best one.",
            )
        if any((fit.client, fit.job) == (client, job) for fit in self._fits.values()):
            raise ProtocolError(f"There already is a fit {job!r}")
        of_client = sum(fit.client == client for fit in self._fits.values())
        if len(self._fits) >= MAX_FITS or of_client >= MAX_FITS_OF_A_CLIENT:
            raise TooMuch("Too many photos wait", "Wait for one to be done.")
        fit_id = next(self._ids)
        self._fits[fit_id] = _Fit(address, client, job, release)
        self._fitter.start(fit_id, request)

    def end(self, client: str, job: str) -> None:
        """Cancel a fit; it is answered with Cancelled. One that has ended already is no error."""
        for fit_id, fit in self._fits.items():
            if (fit.client, fit.job) == (client, job) and self._fitter is not None:
                self._fitter.cancel(fit_id)

    def forget(self, client: str) -> None:
        """Cancel all fits of a client that has gone."""
        for fit_id in [number for number, fit in self._fits.items() if fit.client == client]:
            # Its photos are there until the fitter says that it has ended.
            self._forgotten[fit_id] = self._fits.pop(fit_id)
            if self._fitter is not None:
                self._fitter.cancel(fit_id)

    def new_events(self) -> Iterator[tuple[Address, FitOutcome]]:
        """What has happened since the last call, without what nobody wants any more."""
        for event in [] if self._fitter is None else self._fitter.events():
            fit = self._fits.get(event.fit_id)
            if not isinstance(event.outcome, FitProgress):
                self._ended(event.fit_id)
            if fit is not None:
                yield fit.address, event.outcome

    def _ended(self, fit_id: int) -> None:
        fit = self._fits.pop(fit_id, None) or self._forgotten.pop(fit_id, None)
        if fit is not None:
            fit.release()
