"""Signing in as a GitHub App: a token for one repository, with the least rights, for at most an hour.

Source: GitHub's REST pages "Apps" (repository installation, installation access token).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from cicd_actions.errors import ConfigError, Problem
from cicd_actions.github.session import Session, connect
from cicd_actions.runner import workflow
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.secrets import Secret


def sign_in(
    context: RunContext,
    *,
    token: Secret,
    app_id: str,
    private_key: Secret,
    permissions: Mapping[str, str],
    optional: Mapping[str, str] | None = None,
    repository: str = "",
) -> Session:
    """Return a session, signed in as the App when ``app_id`` is given, else with ``token``.

    Args:
        context: The run.
        token: The token for a session without an App.
        app_id: The App's id or client id; empty for none.
        private_key: The App's private key (PEM).
        permissions: What the minted token must be able to do, such as ``{"contents": "write"}``.
        optional: What it may do beside that when the App has been given it.
        repository: owner/name; empty takes the run's own.

    Raises:
        ConfigError: Half of the App's inputs is missing, the key is no key, or the App is not installed there.
        UpstreamError: GitHub cannot be reached.
    """
    if not app_id and not private_key:
        return connect(context, token, repository=repository)
    minted = mint_token(
        context,
        app_id=app_id,
        private_key=private_key,
        permissions=permissions,
        optional=optional or {},
        repository=repository,
    )
    if context.in_actions:  # the runner reads commands from both streams; stdout may be kept for --json
        workflow.mask(sys.stderr, minted.reveal())
    return connect(context, minted, repository=repository)


def mint_token(
    context: RunContext,
    *,
    app_id: str,
    private_key: Secret,
    permissions: Mapping[str, str],
    optional: Mapping[str, str] | None = None,
    repository: str = "",
) -> Secret:
    """Return an installation token of the App for this one repository; errors as for `sign_in`."""
    from github import Auth
    from jwt.exceptions import PyJWTError

    problems = [
        Problem(input=name, what="is required when the other one is given", fix="Give both.")
        for name, value in (("app-id", app_id), ("app-private-key", private_key))
        if not value
    ]
    if problems:
        raise ConfigError(*problems)
    auth = Auth.AppAuth(app_id, _pem(private_key))
    try:
        auth.create_jwt()
    except (PyJWTError, ValueError, TypeError) as error:
        raise _bad_key() from error
    session = connect(context, Secret(), repository=repository, auth=auth)
    found = session.call("GET", "/installation", doing="find the App's installation", accept=(404,))
    if not found.ok:
        raise _not_installed(app_id, session.repository)
    path = f"/app/installations/{int(found.data['id'])}/access_tokens"
    # asking for a right that the App lacks is refused as a whole, so the optional ones get a try of their own
    wishes = [{**permissions, **optional}, permissions] if optional else [permissions]
    for wish in wishes:
        body = {"repositories": [session.repository.split("/")[1]], "permissions": dict(wish)}
        answer = session.call("POST", path, root=True, doing="get a token for the App", body=body, accept=(422,))
        if answer.ok:
            return Secret(str(answer.data["token"]))
    raise _too_few_rights(app_id, permissions, answer.message)


def _pem(private_key: Secret) -> str:
    """Undo what often happens to a key in a variable: its line ends became the two characters ``\\n``."""
    return private_key.reveal().replace("\\n", "\n").strip() + "\n"


def _bad_key() -> ConfigError:
    return ConfigError(
        Problem(
            input="app-private-key",
            what="is not a private key in PEM form",
            fix="Paste the whole .pem file that GitHub gave, from BEGIN to END, into the secret.",
        )
    )


def _not_installed(app_id: str, repository: str) -> ConfigError:
    return ConfigError(
        Problem(
            input="app-id",
            value=app_id,
            what=f"is an App that is not installed on {repository}",
            fix="Install the App on this repository, or correct app-id.",
        )
    )


def _too_few_rights(app_id: str, permissions: Mapping[str, str], said: str) -> ConfigError:
    wanted = ", ".join(f"{name}: {level}" for name, level in permissions.items())
    return ConfigError(
        Problem(
            input="app-id",
            value=app_id,
            what=f"is an App without the rights {wanted}. GitHub says: {said}",
            fix="Add them on the App's settings page and accept them on the installation.",
        )
    )
