"""What git's words mean. Git is run with LC_ALL=C, servers speak English.

Sources: git's builtin/push.c, transport.c and remote-curl.c; GitHub's messages GH003, GH006 and GH013; Kargo's list of
rejections that a second try can overcome.
"""

from __future__ import annotations

import re
from typing import Literal

Meaning = Literal["race", "protected", "no-branch", "no-repository", "no-right", "network", "other"]

_RULES: tuple[tuple[Meaning, str], ...] = (
    ("other", r"cannot run \S+|unable to find remote helper|transport .* not allowed"),
    ("protected", r"protected branch|GH003|GH006|GH013|rule violations?|not allowed to push|pre-receive hook declined"),
    ("race", r"non-fast-forward|fetch first|stale info|cannot lock ref|failed to update ref|incorrect old value"),
    ("race", r"reference already exists|failed to lock|remote ref (is )?updated|but expected [0-9a-f]{7}"),
    ("no-branch", r"couldn't find remote ref|remote branch \S+ not found|no such ref was fetched"),
    ("no-right", r"authentication failed|could not read (username|password)|permission denied|access denied"),
    ("no-right", r"403 forbidden|error: 40[13]\b|invalid credentials|permission to \S+ denied|not authorized"),
    ("no-right", r"write access|read[- ]only|host key verification failed|unauthorized"),
    ("no-repository", r"repository not found|repository '[^']*' not found|does not appear to be a git repository"),
    ("no-repository", r"error: 404\b|no such file or directory|project you were looking for"),
    ("network", r"could not resolve|connection|timed out|timeout|early eof|hung up|error: 5\d\d\b|error: 429\b"),
    ("network", r"rpc failed|unable to access|network is unreachable|failed to connect|empty reply|transfer closed"),
    ("network", r"unexpected disconnect"),
)


def meaning(output: str) -> Meaning:
    """Classify what git printed after a failure; a rule of the branch counts before everything else."""
    return next((kind for kind, pattern in _RULES if re.search(pattern, output, re.IGNORECASE)), "other")
