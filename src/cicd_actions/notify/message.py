"""The notice itself: composed from facts, then put in the form of each channel. Pure; foreign text cannot act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cicd_actions.github.comments import LIMIT
from cicd_actions.github.events import is_person, own_branch
from cicd_actions.github.markdown import code, cut, defuse, escape, one_line
from cicd_actions.runner.context import RunContext

ICONS = {"success": "✅", "failure": "❌"}
WORDS = {"success": "passed", "failure": "failed"}
_SLACK_TITLE = 150
_SLACK_SECTION = 2900  # 3,000 are allowed


@dataclass(frozen=True, kw_only=True)
class Message:
    """A notice. ``title`` and ``body`` may hold foreign text; ``author`` is a login that was checked, or empty."""

    event: str
    title: str
    body: str
    repository: str
    sha: str
    branch: str
    workflow: str
    run_url: str
    author: str = ""


def compose(
    context: RunContext, *, event: str, title: str = "", body: str = "", sha: str = "", author: str = ""
) -> Message:
    """Return the notice about a commit.

    Args:
        context: The run, for links and names.
        event: success or failure.
        title: One line; empty composes one.
        body: Markdown: what was found, where, what to do.
        sha: The commit; empty takes the run's own.
        author: The login to mention; ignored when it cannot be a person's.
    """
    branch = own_branch(context)
    workflow = context.workflow or "The pipeline"
    composed = f"{workflow} {WORDS[event]}" + (f" on {branch}" if branch else "")
    return Message(
        event=event,
        title=one_line(title, 140) or composed,
        body=body,
        repository=context.repository,
        sha=sha or context.sha,
        branch=branch,
        workflow=context.workflow,
        run_url=context.run_url,
        author=author if is_person(author) else "",
    )


def for_github(message: Message) -> str:
    """Return the Markdown of a commit comment, within GitHub's limit."""
    parts = [f"### {ICONS[message.event]} {escape(message.title)}"]
    if message.author and message.event == "failure":
        parts.append(f"@{message.author}, this concerns your commit {code(message.sha[:12])}.")
    if message.body:
        parts.append(defuse(message.body))
    footer = f"[Open the run](<{message.run_url}>)" if message.run_url else ""
    text = cut("\n\n".join(parts), LIMIT - 1000)
    return text + _close_fence(text) + (f"\n\n{footer}" if footer else "") + "\n"


def for_slack(message: Message) -> dict[str, Any]:
    """Return the payload for an incoming webhook; ``text`` is what notifications show."""
    title = one_line(f"{ICONS[message.event]} {message.title}", _SLACK_TITLE)
    place = " · ".join(
        slack_text(word) for word in (message.repository, message.branch, message.sha[:12], message.author) if word
    )
    blocks: list[Mapping[str, Any]] = [_section(f"*{slack_text(title)}*")]
    if body := _plain_lines(message.body):
        blocks.append(_section(slack_text(body)))
    if message.run_url:
        blocks.append(_section(f"<{slack_link(message.run_url)}|Open the run>"))
    if place:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": place}]})
    return {"text": slack_text(title), "blocks": blocks}


def slack_text(text: str, limit: int = _SLACK_SECTION) -> str:
    """Return foreign text escaped as Slack asks: then ``<!channel>`` is text, and pings nobody."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if len(escaped) <= limit:
        return escaped
    head = escaped[: limit - 2]
    entity = head.rfind("&", max(0, len(head) - 5))
    return (head[:entity] if entity >= 0 and ";" not in head[entity:] else head) + " …"


def slack_link(url: str) -> str:
    """Return an address for the inside of Slack's ``<address|text>``."""
    return one_line(url, 2000).replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _plain_lines(markdown: str) -> str:
    lines = [one_line(line, 500) for line in markdown.splitlines()]
    return "\n".join(line.lstrip("#").strip() if line.startswith("#") else line for line in lines).strip()


def _close_fence(text: str) -> str:
    """Return what closes a code block that the cut left open, so that the footer is not swallowed by it."""
    opened = ""
    for line in text.splitlines():
        mark = line.lstrip()
        fence = mark[: len(mark) - len(mark.lstrip("`"))]
        if opened and fence == mark.rstrip() and len(fence) >= len(opened):
            opened = ""
        elif not opened and len(fence) >= 3:
            opened = fence
    return f"\n{opened}" if opened else ""
