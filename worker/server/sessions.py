"""Who is connected: ties a client's sockets on the two endpoints together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from photorig.shared.errors import ProtocolError
from photorig.shared.wire.messages import Hello

MAX_SESSIONS = 256
_REMEMBERED_JOBS = 1000


@dataclass
class Session:
    """One client.

    Attributes:
        id: random, chosen by the client.
        client: its program, for the log.
        routes: routing id by endpoint name.
        heard: when its last message came, on the monotonic clock, in seconds.
        probed: when it was last checked whether it is still there.
        closed_jobs: jobs that ended; what still comes for them is no error.
    """

    id: str
    client: str
    routes: dict[str, bytes] = field(default_factory=dict)
    heard: float = 0.0
    probed: float = 0.0
    closed_jobs: dict[str, None] = field(default_factory=dict)

    def remember_closed(self, job: str) -> None:
        self.closed_jobs[job] = None
        while len(self.closed_jobs) > _REMEMBERED_JOBS:
            del self.closed_jobs[next(iter(self.closed_jobs))]


class Sessions:
    """All clients that have said hello."""

    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}
        self._by_route: dict[tuple[str, bytes], Session] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_id.values()))

    def find(self, endpoint: str, routing_id: bytes) -> Session | None:
        return self._by_route.get((endpoint, routing_id))

    def get(self, session_id: str) -> Session | None:
        return self._by_id.get(session_id)

    def greet(self, endpoint: str, routing_id: bytes, hello: Hello) -> Session:
        """The session of a hello, made if it is new. Raises ProtocolError if there are too many."""
        present = self._by_route.get((endpoint, routing_id))
        if present is not None and present.id != hello.session:
            raise ProtocolError("A socket cannot change its session")
        session = self._by_id.get(hello.session)
        if session is None:
            if len(self._by_id) >= MAX_SESSIONS:
                raise ProtocolError("Too many clients are connected", "Close some of them.")
            session = self._by_id[hello.session] = Session(hello.session, hello.client)
        # A socket that reconnected has a new routing id; the old one leads nowhere.
        self._by_route.pop((endpoint, session.routes.get(endpoint, b"")), None)
        session.routes[endpoint] = routing_id
        self._by_route[endpoint, routing_id] = session
        return session

    def remove(self, session: Session) -> None:
        self._by_id.pop(session.id, None)
        for endpoint, routing_id in session.routes.items():
            self._by_route.pop((endpoint, routing_id), None)
