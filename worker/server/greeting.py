"""What a client hears first: what this worker is, and what it takes."""

from __future__ import annotations

from dataclasses import dataclass

from photorig.shared.errors import ProtocolError
from photorig.shared.wire.messages import CODECS, Hello, MessageLimits, Welcome
from photorig.shared.wire.protocol import VERSION

from .executors.interface import Executor


def check_codecs(hello: Hello) -> tuple[str, ...]:
    """The frame codecs that both sides know. Raises ProtocolError where there are none."""
    codecs = tuple(codec for codec in hello.codecs if codec in CODECS)
    if not codecs:
        raise ProtocolError(
            "The extension and the worker know no common frame codec",
            "Install the extension and the worker of the same Photorig version.",
        )
    return codecs


@dataclass(frozen=True)
class Greeting:
    """What is the same in each welcome.

    Attributes:
        worker: program and version.
        nonce: of the connection file.
        limits: what is taken.
        fit_photos: most photos of one person that a fit takes, 0 for a worker without fits.
    """

    worker: str
    nonce: str
    limits: MessageLimits
    fit_photos: int

    def welcome(self, hello: Hello, version: tuple[int, int], executor: Executor) -> Welcome:
        """The answer to a hello of this version. Raises ProtocolError."""
        facts = executor.facts
        return Welcome(
            version=(VERSION[0], min(VERSION[1], version[1])),
            nonce=self.nonce,
            worker=self.worker,
            device=facts.device,
            backend=facts.backend,
            model_id=facts.model_id,
            codecs=check_codecs(hello),
            schema=facts.schema,
            limits=self.limits,
            sizes=facts.sizes,
            milliseconds=executor.status().milliseconds,
            description=facts.description,
            fit_photos=self.fit_photos,
            passes=facts.passes,
        )
