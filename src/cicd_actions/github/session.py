"""One signed-in connection to the API of one repository."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from cicd_actions import __version__
from cicd_actions.errors import ConfigError, Problem
from cicd_actions.github.answer import Answer
from cicd_actions.github.problems import OutcomeUnknown, refusal, unreachable
from cicd_actions.github.retry import RetryPolicy
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.secrets import Secret

if TYPE_CHECKING:
    from github.Auth import Auth
    from github.Requester import Requester

log = logging.getLogger("cicd_actions.github")

TIMEOUT_SECONDS = 30
USER_AGENT = f"cicd-actions/{__version__}"


class Session:
    """Calls to one repository, with retries and with refusals as errors.

    Args:
        requester: PyGithub's signed-in transport, without retries of its own.
        repository: owner/name.
        graphql_url: The address of the GraphQL API.
        server_url: The address of the web pages, for links.
        policy: How long to keep trying.
    """

    def __init__(
        self,
        requester: Requester,
        *,
        repository: str,
        graphql_url: str,
        server_url: str,
        policy: RetryPolicy,
    ) -> None:
        self.repository = repository
        self.server_url = server_url
        self.policy = policy
        self._requester = requester
        self._graphql_url = graphql_url

    def call(
        self,
        verb: str,
        path: str,
        *,
        doing: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
        accept: tuple[int, ...] = (),
        repeatable: bool = True,
        needs: str = "",
        root: bool = False,
    ) -> Answer:
        """Send one request about the repository and return the answer.

        Args:
            verb: GET, POST, PATCH, PUT or DELETE.
            path: Below ``/repos/owner/name``; foreign parts quoted with `segment`.
            doing: What this tries, to fill "could not ..." in errors.
            body: Sent as JSON.
            params: The query.
            accept: Statuses of 400 and above that the caller deals with.
            repeatable: False when a second request would do the thing twice.
            needs: The ``permissions:`` line that the call needs.
            root: ``path`` is below the root of the API instead.

        Raises:
            OutcomeUnknown: Not repeatable, sent, and no answer.
            UpstreamError: GitHub cannot be reached, or keeps failing.
            ConfigError, ActionError: GitHub refused.
        """

        place = path if root else f"/repos/{self.repository}{path}"
        answer = self._attempt(lambda: self._send(verb, place, body, params), doing=doing, repeatable=repeatable)
        if answer.ok or answer.status in accept:
            return answer
        raise refusal(answer, doing=doing, repository=self.repository, needs=needs)

    def graphql(
        self,
        query: str,
        variables: Mapping[str, Any],
        *,
        doing: str,
        repeatable: bool = True,
        needs: str = "",
    ) -> Answer:
        """Send a GraphQL document; the answer's data is the whole body, and its ``errors`` are the caller's to read.

        Raises:
            OutcomeUnknown, UpstreamError, ConfigError, ActionError: As for `call`.
        """
        body = {"query": query, "variables": dict(variables)}
        answer = self._attempt(
            lambda: self._send("POST", self._graphql_url, body, None),
            doing=doing,
            repeatable=repeatable,
        )
        if answer.ok:
            return answer
        raise refusal(answer, doing=doing, repository=self.repository, needs=needs)

    def _attempt(self, send: Callable[[], Answer], *, doing: str, repeatable: bool) -> Answer:
        """Send until there is a lasting answer, the tries are used up, or the next wait would pass the budget."""
        from requests.exceptions import RequestException

        policy, waited, attempt = self.policy, 0.0, 0
        while True:
            attempt += 1
            answer: Answer | None = None
            failure: RequestException | None = None
            try:
                answer = send()
            except RequestException as error:
                failure = error
            if answer is not None and not answer.transient:
                return answer
            sent = answer.carried_out if answer is not None else _was_sent(failure)
            if sent and not repeatable:
                raise OutcomeUnknown(f"No clear answer from GitHub when trying to {doing}; it may have happened.")
            wait = policy.wait(attempt, answer.wait(policy.now()) if answer is not None else 0.0)
            if attempt >= policy.attempts or waited + wait > policy.budget:
                if answer is not None:
                    return answer
                raise unreachable(failure or OSError(), doing=doing, host=self._requester.hostname_and_port)
            waited += wait
            why = f"it answered {answer.status}" if answer is not None else "no answer"
            log.info("GitHub: %s when trying to %s; trying again in %.1f s.", why, doing, wait)
            policy.sleep(wait)

    def _send(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | None,
        params: Mapping[str, str | int] | None,
    ) -> Answer:
        try:
            status, headers, text = self._requester.requestJson(
                verb,
                path,
                parameters=dict(params or {}),
                headers={"Accept": "application/vnd.github+json"},
                input=None if body is None else dict(body),
            )
        except RuntimeError as error:  # PyGithub's word for a redirect to another host or scheme
            raise ConfigError(
                Problem(input="GITHUB_API_URL", what=f"is not the address of this API: {error}")
            ) from error
        return Answer(status=status, headers=headers, data=_decode(text))


def connect(
    context: RunContext,
    token: Secret,
    *,
    repository: str = "",
    auth: Auth | None = None,
    policy: RetryPolicy | None = None,
) -> Session:
    """Return a session for a repository; nothing is sent yet.

    Args:
        context: The run: addresses of the API and of the web pages, and the default repository.
        token: A job's token, a personal token or an App's installation token; not used when ``auth`` is given.
        repository: owner/name; empty takes the run's own.
        auth: Another way to sign in.
        policy: How long to keep trying; from the environment of the run by default.

    Raises:
        ConfigError: No token, or a repository that is not owner/name.
    """
    from github import Auth, Github

    name = repository or context.repository
    _check(context, name, signed=auth is not None or bool(token))
    client = Github(
        base_url=context.api_url,
        auth=auth or Auth.Token(token.reveal()),
        timeout=TIMEOUT_SECONDS,
        user_agent=USER_AGENT,
        retry=0,  # the tries are ours: each write has its own answer to "did it happen?"
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    return Session(
        client.requester,
        repository=name,
        graphql_url=context.graphql_url,
        server_url=context.server_url,
        policy=policy or RetryPolicy.from_env(context.env),
    )


def _check(context: RunContext, name: str, *, signed: bool) -> None:
    problems = []
    if not signed:
        problems.append(Problem(input="token", what="is required and was not given", fix="Give a GitHub token."))
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/(?!\.{1,2}$)[A-Za-z0-9_.-]+", name):
        fix = "In a job the runner sets GITHUB_REPOSITORY; elsewhere set it to owner/name."
        problems.append(Problem(input="repository", value=name, what="is not of the form owner/name", fix=fix))
    if urlsplit(context.api_url).scheme not in ("http", "https"):
        problems.append(Problem(input="GITHUB_API_URL", value=context.api_url, what="is not a web address"))
    if problems:
        raise ConfigError(*problems)


def segment(text: str, *, slashes: bool = False) -> str:
    """Quote foreign text for one segment of a path (``slashes``: several, as in a branch name).

    Raises:
        ConfigError: Empty, ``.`` and ``..`` parts would lead to another address.
    """
    for part in text.split("/") if slashes else [text]:
        if part in ("", ".", ".."):
            raise ConfigError(f"{text!r} cannot be a name or path in a repository.")
    return quote(text, safe="/" if slashes else "")


def _decode(text: str) -> Any:
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return {"message": " ".join(text.split())[:200]}


def _was_sent(error: Exception | None) -> bool:
    """False when the connection was never made, so that nothing can have happened."""
    from requests.exceptions import ConnectTimeout
    from urllib3.exceptions import NewConnectionError

    reason = getattr(error.args[0] if error and error.args else None, "reason", None)
    return not isinstance(error, ConnectTimeout) and not isinstance(reason, NewConnectionError)
