"""Start the service: ``python -m shortlinks``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from shortlinks import logs
from shortlinks.config import Config, ConfigError
from shortlinks.server import serve


def main(env: Mapping[str, str]) -> int:
    """Serve with the configuration in ``env``; return the exit status."""
    try:
        config = Config.from_env(env)
    except ConfigError as error:
        print(f"shortlinks: wrong configuration: {error}", file=sys.stderr)
        return 2
    logs.set_up(config.log_level, sys.stdout)
    serve(config)
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
