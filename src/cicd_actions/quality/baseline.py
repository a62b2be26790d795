"""The coverage that an earlier run of the gate reported."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path


def read_baseline(path: Path) -> Fraction:
    """Return the exact percentage in a report of this gate, or in a JSON report of coverage.py.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no coverage.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if "totals" in report:
            totals = report["totals"]
            covered = totals["covered_lines"] + totals.get("covered_branches", 0)
            total = totals["num_statements"] + totals.get("num_branches", 0)
        else:
            covered, total = report["coverage"]["covered"], report["coverage"]["total"]
        return Fraction(100 * covered, total)
    except (KeyError, TypeError, ZeroDivisionError, json.JSONDecodeError) as error:
        raise ValueError(f"{path.name} holds no coverage") from error
