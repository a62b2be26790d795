"""The program itself: start, logs, gentle stop."""

import http.client
import io
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shortlinks import logs, server
from shortlinks.__main__ import main
from shortlinks.config import Config
from shortlinks.links import LinkStore
from shortlinks.web import App

HERE = Path(__file__).parents[1]


@pytest.fixture
def process():
    env = {**os.environ, "PORT": "0", "DRAIN_SECONDS": "0.5"}
    with subprocess.Popen(
        [sys.executable, "-m", "shortlinks"],
        cwd=HERE,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        yield running
        running.kill()


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def next_entry(process, message):
    for line in process.stdout:
        entry = json.loads(line)
        if entry["message"] == message:
            return entry
    raise AssertionError(f"the service ended without saying {message!r}")


def test_it_starts_answers_drains_and_stops(process):
    port = next_entry(process, "listening")["port"]
    assert status_of(port, "/readyz") == 200
    process.send_signal(signal.SIGTERM)
    assert next_entry(process, "stopping")["signal"] == "SIGTERM"
    assert status_of(port, "/readyz") == 503
    assert status_of(port, "/") == 200
    next_entry(process, "stopped")
    assert process.wait(timeout=10) == 0


def test_a_second_signal_ends_the_wait(process):
    next_entry(process, "listening")
    process.send_signal(signal.SIGINT)
    next_entry(process, "stopping")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0


def test_a_wrong_configuration_stops_the_start(capsys):
    assert main({"PORT": "high"}) == 2
    assert "PORT='high'" in capsys.readouterr().err


@pytest.fixture
def handlers():
    """Put the signal handlers back."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


def test_without_a_drain_the_first_signal_stops(handlers):
    app = App(LinkStore(1))
    server.stop_gently(app, 0)
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    assert not app.ready


def test_with_a_drain_the_alarm_stops(handlers):
    app = App(LinkStore(1))
    server.stop_gently(app, 30)
    signal.raise_signal(signal.SIGTERM)
    assert not app.ready
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGALRM)


def test_main_serves_until_a_signal_comes(handlers, monkeypatch, capfd):
    level, before = logging.getLogger().level, logging.getLogger().handlers[:]
    real = server.make_server

    def make_and_stop_soon(config: Config, app: App):
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
        return real(config, app)

    monkeypatch.setattr(server, "make_server", make_and_stop_soon)
    try:
        assert main({"PORT": "0", "DRAIN_SECONDS": "0"}) == 0
    finally:
        logging.getLogger().handlers[:] = before
        logging.getLogger().setLevel(level)
    messages = [
        json.loads(line)["message"]
        for line in capfd.readouterr().out.split("\n")
        if line
    ]
    assert [text for text in messages if text != "request"] == [
        "listening",
        "stopping",
        "stopped",
    ]


def test_a_log_entry_is_one_line_whatever_it_holds():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    log = logging.Logger("made-up")
    log.addHandler(handler)
    try:
        raise ValueError("broken\nhere")
    except ValueError:
        log.exception("line\nbreak", extra={"fields": {"path": Path("/x")}})
    [line] = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["message"] == "line\nbreak"
    assert (entry["path"], entry["level"]) == ("/x", "error")
    assert "ValueError" in entry["exception"]
