"""Libraries in C that write to standard error what no person asked for."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def quiet_native_code() -> Iterator[None]:
    """Send what native code writes to stderr into the log: there is no other way to silence it."""
    try:
        stderr = sys.__stderr__.fileno() if sys.__stderr__ else 2
        saved = os.dup(stderr)
    except OSError:  # no stderr at all
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), stderr)
        try:
            yield
        finally:
            os.dup2(saved, stderr)
            os.close(saved)
            caught.seek(0)
            _logger.debug("native code: %s", caught.read().decode(errors="replace").strip())
