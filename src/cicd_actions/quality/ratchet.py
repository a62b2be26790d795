"""Main's coverage, kept as a commit status: no file that a pull request could edit, and no commit by a robot.

The gate leaves the exact counts on the commit that it tested, on a push only. A later run looks for the newest of them
in the history of the target branch. The first run finds none, and its own becomes one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from cicd_actions.errors import ActionError, UpstreamError
from cicd_actions.quality.model import CheckResult, Coverage, State, Verdict, format_percent
from cicd_actions.quality.revision import Revision, look_up
from cicd_actions.quality.settings import Settings
from cicd_actions.runner.context import RunContext

STATUS = "cicd-actions/coverage"
_COUNTS = re.compile(r"(?P<covered>\d{1,12}) of (?P<total>\d{1,12}) covered")
_LOOK_BACK = 20


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What the ratchet compares with: a percentage, or none yet; ``problem`` when it could not be read."""

    percent: Fraction | None = None
    note: str = ""
    problem: CheckResult | None = None


def read_recorded(settings: Settings, context: RunContext, revision: Revision) -> Recorded:
    """Return the baseline: that of the settings, or the newest one on the target branch where they say ``status``."""
    if not settings.baseline_in_status or settings.coverage_ratchet is None:
        return Recorded(percent=settings.baseline)
    branch = _target(settings, context)
    try:
        return _newest(settings, context, revision, branch)
    except ActionError as error:
        state = State.UNAVAILABLE if isinstance(error, UpstreamError) else State.TOOL_ERROR
        detail = f"the coverage of {branch} could not be read: {error.message}"
        return Recorded(problem=CheckResult(check="coverage", state=state, detail=detail, remedy=error.hint))


def keep(
    settings: Settings, context: RunContext, revision: Revision, coverage: Coverage | None, verdict: Verdict
) -> tuple[str, ...]:
    """Leave the counts on the tested commit; return what there is to say about it.

    Only on a push, and when the gate passed or this is the target branch itself: what it has now is what counts next,
    so that a fall which is already there does not block everything after it. A failure is told and changes nothing.
    """
    on_target = context.ref_name == _target(settings, context)
    wanted = settings.baseline_in_status and context.event_name == "push" and revision.tested_sha
    if not wanted or coverage is None or not (verdict is Verdict.PASSED or on_target):
        return ()
    from cicd_actions.github.session import connect
    from cicd_actions.github.statuses import set_status

    text = f"{coverage.covered} of {coverage.total} covered ({coverage} %)"
    try:
        session = connect(context, settings.ratchet_token)
        set_status(session, revision.sha, context=_name(settings, context), state="success", description=text,
                   target_url=context.run_url)  # fmt: skip
    except ActionError as error:
        return (f"the coverage could not be kept for the next run: {error.message}",)
    return (f"kept for the next run, on {revision.sha[:12]}: {text}",)


def _newest(settings: Settings, context: RunContext, revision: Revision, branch: str) -> Recorded:
    from cicd_actions.github.session import connect
    from cicd_actions.github.statuses import get_description

    session = connect(context, settings.ratchet_token)
    answer = session.call(
        "GET", "/commits", doing=f"read the commits of {branch}", params={"sha": branch, "per_page": _LOOK_BACK},
        accept=(404, 409), needs="contents: read",
    )  # fmt: skip
    for row in answer.data if answer.ok else []:
        sha = str(row["sha"])
        if sha == revision.sha:  # a commit is never compared with itself
            continue
        found = _COUNTS.search(get_description(session, sha, context=_name(settings, context)))
        if found and int(found["total"]):
            percent = Fraction(100 * int(found["covered"]), int(found["total"]))
            return Recorded(percent=percent, note=f"{branch} had {format_percent(percent)} % at {sha[:12]}")
    return Recorded(note=f"no coverage is kept on the last {_LOOK_BACK} commits of {branch} yet: nothing to fall below")


def _target(settings: Settings, context: RunContext) -> str:
    event = context.event
    return (
        settings.base
        or look_up(event, ("pull_request", "base", "ref"))
        or look_up(event, ("repository", "default_branch"))
        or "main"
    )


def _name(settings: Settings, context: RunContext) -> str:
    """One status for each application of a repository."""
    root = context.workspace.resolve()
    folder = settings.directory.relative_to(root).as_posix() if settings.directory.is_relative_to(root) else "."
    return STATUS if folder == "." else f"{STATUS} ({folder})"[:200]
