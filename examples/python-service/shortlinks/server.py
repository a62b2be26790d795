"""Run the application on a socket until the process is told to stop."""

from __future__ import annotations

import logging
import signal
from typing import Any

from waitress.server import create_server

from shortlinks.config import Config
from shortlinks.links import LinkStore
from shortlinks.web import MAX_BODY, App

log = logging.getLogger("shortlinks.server")


def make_server(config: Config, app: App) -> Any:
    """Return a listening waitress server for ``app``."""
    return create_server(
        app,
        host=config.host,
        port=config.port,
        threads=config.threads,
        # Above our own bound, which answers in JSON; this one keeps memory small.
        max_request_body_size=MAX_BODY * 8,
        ident=None,
    )


def stop_gently(app: App, drain_seconds: float) -> None:
    """On SIGTERM or SIGINT: turn not ready, go on answering for a while, then stop.

    The pause gives load balancers time to notice. All of it happens in the main
    thread: SystemExit makes waitress wait for the requests that are being answered.
    """

    def leave(*_: object) -> None:
        raise SystemExit(0)

    def begin(number: int, _: object) -> None:
        # A second signal does not wait for the timer.
        for another in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(another, leave)
        app.ready = False
        fields = {"signal": signal.Signals(number).name, "drain_seconds": drain_seconds}
        log.info("stopping", extra={"fields": fields})
        if not drain_seconds:
            leave()
        signal.setitimer(signal.ITIMER_REAL, drain_seconds)

    signal.signal(signal.SIGTERM, begin)
    signal.signal(signal.SIGINT, begin)


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT; returns when the last request was answered."""
    app = App(LinkStore(config.max_links), config.public_url)
    server = make_server(config, app)
    stop_gently(app, config.drain_seconds)
    fields = {"host": config.host, "port": int(server.effective_port)}
    log.info("listening", extra={"fields": fields})
    try:
        server.run()
    finally:
        server.close()
    log.info("stopped")
