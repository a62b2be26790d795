"""Who is told, whether now, and by which channels; each channel fails alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from cicd_actions.errors import ActionError
from cicd_actions.github.comments import comment_once
from cicd_actions.github.events import is_person, pick, sender
from cicd_actions.github.retry import RetryPolicy
from cicd_actions.github.session import Session, connect, segment
from cicd_actions.github.statuses import get_status, set_status
from cicd_actions.notify.message import Message, for_github, for_slack
from cicd_actions.notify.settings import Settings
from cicd_actions.notify.slack import post
from cicd_actions.runner.context import RunContext

log = logging.getLogger("cicd_actions.notify")

_LOOK_BACK = 10
_ZEROS = "0" * 40


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One channel: the address of what was written, or the problem."""

    channel: str
    url: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """The verdict before this one (empty when unknown) and what reading or keeping it cost."""

    before: str = ""
    problem: str = ""


def author_of(session: Session, context: RunContext, sha: str) -> str:
    """Return the login of the commit's author by GitHub's own record, else of whoever caused the run, or nothing.

    The name and address inside a commit are free text, so they are never used for a mention.
    """
    try:
        answer = session.call(
            "GET",
            f"/commits/{segment(sha)}",
            doing=f"read the commit {sha[:12]}",
            accept=(404, 422),
            needs="contents: read",
        )
    except ActionError as error:
        log.info("The author is not known: %s", error.message)
        answer = None
    found = pick(answer.data, "author", "login") if answer is not None and answer.ok else ""
    return next((login for login in (found, sender(context)) if is_person(login)), "")


def deliver(settings: Settings, message: Message, context: RunContext) -> tuple[Delivery, ...]:
    """Send the notice to every channel; what fails is in the result, nothing is raised for it."""
    channels: dict[str, Callable[[Settings, Message, RunContext], str]] = {"github": _github, "slack": _slack}
    done = []
    for channel in settings.channels:
        try:
            done.append(Delivery(channel=channel, url=channels[channel](settings, message, context)))
        except ActionError as error:
            done.append(Delivery(channel=channel, problem=str(error)))
        log.info("%s: %s", channel, done[-1].problem or "delivered")
    return tuple(done)


def with_author(settings: Settings, message: Message, context: RunContext) -> Message:
    """Return the notice with the author's login, when a token is there to ask for it."""
    if not (settings.token and message.sha):
        return message
    try:
        session = connect(context, settings.token)
    except ActionError:
        return message
    return replace(message, author=author_of(session, context, message.sha))


def is_due(only_on: str, event: str, before: str) -> bool:
    """Return whether people are to be told: a pure rule.

    An unknown verdict before counts as a success, so that the first failure is told and the first success is not.
    """
    if only_on == "change":
        return event != (before or "success")
    return only_on == "always" or event == "failure"


def verdict_before(settings: Settings, context: RunContext) -> Verdicts:
    """Return the verdict kept on this commit by an earlier run, else on the newest of the ten commits before it."""
    try:
        session = connect(context, settings.token)
        name = status_name(context)
        if state := get_status(session, settings.sha, context=name):
            return Verdicts(before=state)
        start = pick(context.event, "before")
        answer = session.call(
            "GET",
            "/commits",
            doing="read the commits before",
            params={"sha": start if start not in ("", _ZEROS) else settings.sha, "per_page": _LOOK_BACK},
            accept=(404, 409, 422),
            needs="contents: read",
        )
        for row in answer.data if answer.ok else []:
            if state := get_status(session, str(row["sha"]), context=name):
                return Verdicts(before=state)
    except ActionError as error:
        return Verdicts(problem=str(error))
    return Verdicts()


def keep_verdict(settings: Settings, context: RunContext) -> str:
    """Keep this verdict on the commit for the next run; return the problem, or an empty string."""
    try:
        set_status(
            connect(context, settings.token),
            settings.sha,
            context=status_name(context),
            state="success" if settings.event == "success" else "failure",
            description="Last verdict that people were told about",
            target_url=context.run_url,
        )
    except ActionError as error:
        return str(error)
    return ""


def status_name(context: RunContext) -> str:
    """Return the name of the status that keeps the verdict: one per workflow."""
    return f"cicd-actions/notify ({context.workflow})"[:200] if context.workflow else "cicd-actions/notify"


def _github(settings: Settings, message: Message, context: RunContext) -> str:
    if not message.sha:
        raise ActionError("There is no commit to comment on; this run has none.")
    session = connect(context, settings.token)
    marker = f"notify/{message.workflow}/{message.event}"
    return comment_once(session, message.sha, for_github(message), marker=marker).url


def _slack(settings: Settings, message: Message, context: RunContext) -> str:
    post(settings.slack_webhook, for_slack(message), policy=RetryPolicy.from_env(context.env))
    return ""
