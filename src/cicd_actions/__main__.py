"""``python -m cicd_actions`` and the ``cicd-actions`` command."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line with the arguments and the environment of this process."""
    from cicd_actions.cli import main as run

    return run(sys.argv[1:], os.environ)


if __name__ == "__main__":
    sys.exit(main())
