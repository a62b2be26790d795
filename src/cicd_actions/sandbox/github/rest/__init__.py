"""The REST operations that are served. Wordings are GitHub's; paths are those of its OpenAPI description."""

from __future__ import annotations

from cicd_actions.sandbox.github.rest import (
    actions,
    commits,
    contents,
    gitdata,
    issues,
    meta,
    pulls,
    refs,
)
from cicd_actions.sandbox.github.routing import Route

# `commits/{ref}/status` must be tried before `commits/{ref}`: refs hold slashes.
ROUTES: tuple[Route, ...] = (
    *meta.ROUTES,
    *refs.ROUTES,
    *gitdata.ROUTES,
    *commits.ROUTES,
    *contents.ROUTES,
    *pulls.ROUTES,
    *issues.ROUTES,
    *actions.ROUTES,
)
