"""What is asked of the world before a commit: GitHub about commits and rules, the registry about the image."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from cicd_actions.errors import ActionError
from cicd_actions.github.app import sign_in
from cicd_actions.github.compare import compare
from cicd_actions.gitops.guard import Guard, Verdict
from cicd_actions.gitops.published import Published, find_image, verify
from cicd_actions.gitops.settings import Settings
from cicd_actions.gitops.target import ApiTarget
from cicd_actions.runner.context import RunContext

log = logging.getLogger("cicd_actions.gitops")

_VERDICTS: dict[str, Verdict] = {"ahead": "forward", "identical": "forward", "behind": "downgrade"}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """``guard`` knows what is older; ``check_image`` raises when the image is not published, else gives remarks.

    Both ask only when they are called, and each question once, however often the edit is made again.
    """

    guard: Guard
    check_image: Callable[[], tuple[str, ...]]


def gather(settings: Settings, context: RunContext) -> Evidence:
    """Return who can be asked, with the inputs' logins; nothing is sent yet."""
    published = find_image(
        settings.words.image,
        username=settings.registry_username,
        registry_token=settings.registry_token,
        token=settings.token,
        server_url=context.server_url,
        env=context.env,
    )

    def check_image() -> tuple[str, ...]:
        if settings.verify_digest == "false":
            return ()
        return verify(settings.words, published, insist=settings.verify_digest == "true")

    look = published if settings.verify_digest != "false" else None
    guard = Guard(ancestry=_ancestry(settings, context), built=_built(look) if look else None)
    return Evidence(guard=guard, check_image=cache(check_image))


def _ancestry(settings: Settings, context: RunContext) -> Callable[[str, str], Verdict | None] | None:
    """The token is GitHub's only where the GitOps repository is on the same GitHub as the source."""
    if not isinstance(settings.target, ApiTarget) or not context.repository:
        return None

    @cache
    def ask(old: str, new: str) -> Verdict | None:
        try:
            session = sign_in(
                context,
                token=settings.token,
                app_id=settings.app_id,
                private_key=settings.app_private_key,
                permissions={"contents": "read"},
                repository=context.repository,
            )
            found = compare(session, old, new)
        except ActionError as error:
            log.info("The commits could not be compared: %s", error.message.splitlines()[0])
            return None
        return _VERDICTS.get(found.status) if found else None

    return ask


def _built(published: Published) -> Callable[[str], datetime | None]:
    @cache
    def ask(name: str) -> datetime | None:
        try:
            return published.built(name)
        except ActionError as error:
            log.info("The build date of %s is not known: %s", name, error.message.splitlines()[0])
        except (ValueError, KeyError, TypeError, AttributeError):
            log.info("The build date of %s is not known: the registry's answer made no sense.", name)
        return None

    return ask
