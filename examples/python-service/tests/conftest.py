"""A real server in a thread, on a port of the loopback interface."""

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from shortlinks.config import Config
from shortlinks.links import LinkStore
from shortlinks.server import make_server
from shortlinks.web import App


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back for one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Client:
    """Sends one request at a time to the server, each on its own connection."""

    port: int
    app: App

    def __call__(self, method, path, body=None, headers=None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            data = json.dumps(body) if isinstance(body, dict) else body
            connection.request(method, path, body=data, headers=headers or {})
            answer = connection.getresponse()
            return Answer(
                status=answer.status,
                headers=dict(answer.getheaders()),
                body=answer.read(),
            )
        finally:
            connection.close()


@pytest.fixture
def store() -> LinkStore:
    """A store for three links, with codes that a test can foresee."""
    numbers = count(1)
    return LinkStore(capacity=3, new_code=lambda: f"code{next(numbers)}")


@pytest.fixture
def client(store: LinkStore) -> Iterator[Client]:
    """A client of a running server."""
    app = App(store, public_url="https://go.example")
    server = make_server(Config(port=0, threads=2), app)
    failures = []

    def run() -> None:
        try:
            while server.accepting:
                server.asyncore.loop(timeout=0.05, map=server._map, count=1)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield Client(port=int(server.effective_port), app=app)
    server.accepting = False
    thread.join(timeout=10)
    server.task_dispatcher.shutdown()
    server.close()
    for channel in list(server._map.values()):
        channel.close()
    assert not failures
