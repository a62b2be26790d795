"""Tell people what happened, once.

Comments on the commit with a mention of its author, and posts to Slack. What could not be delivered is reported as a
warning and never fails the step; wrong configuration does.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from cicd_actions.github.events import tested_commit
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.inputs import Input, Inputs, Output
from cicd_actions.runner.secrets import Secret

EVENTS = ("success", "failure")
CHANNELS = ("github", "slack")
COMING = {"email": "email-url", "pagerduty": "pagerduty-key"}
ONLY_ON = ("failure", "change", "always")

INPUTS = (
    Input("token", "Token that may comment on the commit. The job's own token by default.", secret=True),
    Input("event", "What happened: success or failure.", required=True),
    Input("title", "Title of the notice. Composed from the workflow, the branch and the event by default."),
    Input("body", "Text of the notice (Markdown), such as what failed and where. Mentions and HTML in it are defused."),
    Input(
        "channels",
        "Where to tell it: auto, or a list of github and slack. auto takes github, and slack when slack-webhook is "
        "given. email and pagerduty are not available in this version.",
        default="auto",
    ),
    Input(
        "only-on",
        "When to tell it: failure, change (broke or fixed, compared with the verdict before; needs statuses: write) or "
        "always.",
        default="failure",
    ),
    Input("github-comment", "Whether the channel github comments on the commit.", default="true"),
    Input("slack-webhook", "Address of a Slack incoming webhook.", secret=True),
    Input("email-url", "Address of a mail server. Not available in this version.", secret=True),
    Input("pagerduty-key", "Routing key of PagerDuty. Not available in this version.", secret=True),
)

OUTPUTS = (
    Output("delivered", "Channels that took the notice, separated by commas."),
    Output("failed", "Channels that did not take it, separated by commas."),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to tell, where and when; ``sha`` is the commit that it is about."""

    token: Secret
    event: str
    title: str
    body: str
    channels: tuple[str, ...]
    only_on: str
    slack_webhook: Secret
    sha: str


def load(inputs: Inputs, context: RunContext) -> Settings:
    """Return the settings from the inputs.

    Raises:
        ConfigError: All problems at once.
    """
    webhook = inputs.secret("slack-webhook")
    settings = Settings(
        token=inputs.secret("token"),
        event=inputs.choice("event", EVENTS),
        title=inputs.text("title"),
        body=inputs.text("body"),
        channels=_channels(inputs, has_slack=bool(webhook)),
        only_on=inputs.choice("only-on", ONLY_ON),
        slack_webhook=webhook,
        sha=tested_commit(context) or context.sha,
    )
    if "slack" in settings.channels and not webhook:
        inputs.problem("slack-webhook", "is required for the channel slack", "Give the webhook's address as a secret.")
    if webhook and not _is_webhook(webhook.reveal()):
        inputs.problem("slack-webhook", "is not an https address", "Copy the address as Slack shows it.")
    needs_token = "github" in settings.channels or settings.only_on == "change"
    if needs_token and not settings.token:
        inputs.problem(
            "token", "is required and was not given", "Give a GitHub token, or leave github out of channels."
        )
    inputs.finish()
    return settings


def _channels(inputs: Inputs, *, has_slack: bool) -> tuple[str, ...]:
    for channel, name in COMING.items():
        if inputs.given(name):
            inputs.problem(
                name, f"belongs to the channel {channel}, which is not available in this version", "Remove it."
            )
    wanted = inputs.choices("channels", ("auto", *CHANNELS, *COMING))
    for channel in wanted:
        if channel in COMING:
            inputs.problem(
                "channels", f"{channel} is not available in this version", f"Available: {', '.join(CHANNELS)}."
            )
    if "auto" in wanted:
        wanted = tuple(dict.fromkeys(("github", *(("slack",) if has_slack else ()), *wanted)))
    comment = inputs.flag("github-comment")
    return tuple(c for c in wanted if c in CHANNELS and (comment or c != "github"))


def _is_webhook(address: str) -> bool:
    parts = urlsplit(address)
    loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or loopback) and address.isprintable()
