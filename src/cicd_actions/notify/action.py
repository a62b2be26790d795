"""The action notify: decide whether people are to be told, tell them, report."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from cicd_actions.github.markdown import code, escape
from cicd_actions.notify.delivery import Delivery, Verdicts, deliver, is_due, keep_verdict, verdict_before, with_author
from cicd_actions.notify.message import Message, compose
from cicd_actions.notify.settings import Settings
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.report import Annotation, Report

log = logging.getLogger("cicd_actions.notify")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was told to whom; ``due`` is False when there was nothing to tell."""

    message: Message
    due: bool
    deliveries: tuple[Delivery, ...] = ()
    problems: tuple[str, ...] = ()


def run(settings: Settings, context: RunContext) -> Result:
    """Tell people what ``settings`` says; a channel that fails is a fact of the result, not an error."""
    message = compose(context, event=settings.event, title=settings.title, body=settings.body, sha=settings.sha)
    change = settings.only_on == "change"
    verdicts = verdict_before(settings, context) if change else Verdicts()
    due = is_due(settings.only_on, settings.event, verdicts.before)
    deliveries: tuple[Delivery, ...] = ()
    if due:
        message = with_author(settings, message, context)
        deliveries = deliver(settings, message, context)
    else:
        log.info("Nothing to tell: only-on is %s and the event is %s.", settings.only_on, settings.event)
    # kept last: a run that is killed before it told people tells them when it is run again
    kept = keep_verdict(settings, context) if change else ""
    problems = tuple(text for text in (verdicts.problem, kept) if text)
    return Result(message=message, due=due, deliveries=deliveries, problems=problems)


def report(result: Result) -> Report:
    """Return outputs, summary and a warning for each channel that failed; the exit code is always 0."""
    delivered = [d.channel for d in result.deliveries if not d.problem]
    failed = [d for d in result.deliveries if d.problem]
    warnings = [
        Annotation(level="warning", title=f"notify: {d.channel} did not take the notice", message=d.problem)
        for d in failed
    ]
    warnings += [
        Annotation(level="warning", title="notify: the verdict before could not be used", message=text)
        for text in result.problems
    ]
    return Report(
        outputs={"delivered": ",".join(delivered), "failed": ",".join(d.channel for d in failed)},
        summary=_summary(result),
        text=_text(result),
        annotations=tuple(warnings),
    )


def _text(result: Result) -> str:
    if not result.due:
        return "Nothing to tell."
    lines = [f"{result.message.title}"]
    lines += [f"  {d.channel}: {d.problem or d.url or 'delivered'}" for d in result.deliveries]
    return "\n".join(lines)


def _summary(result: Result) -> str:
    if not result.deliveries:
        return ""
    lines = ["## 🔔 Notice", "", escape(result.message.title), ""]
    for delivery in result.deliveries:
        link = f" ([open](<{delivery.url}>))" if delivery.url else ""
        said = f"failed: {escape(delivery.problem, 400)}" if delivery.problem else "delivered"
        lines.append(f"- {code(delivery.channel)} {said}{link}")
    return "\n".join(lines) + "\n"
