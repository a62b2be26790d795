"""From GitHub's refusals to errors that say what, why and what to do.

Sources: GitHub's REST pages "Troubleshooting the REST API" and "Permissions required for ... tokens".
"""

from __future__ import annotations

from cicd_actions.errors import ActionError, ConfigError, Problem, UpstreamError
from cicd_actions.github.answer import Answer

_RULES = ("protected branch", "rule violation", "status check", "pull request", "protection rule")
_RULES_URL = "https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository"
_TOKEN_URL = "https://docs.github.com/actions/security-for-github-actions"  # noqa: S105 # nosec B105


class OutcomeUnknown(UpstreamError):  # noqa: N818 - it is no error until the caller has looked
    """A write was sent and no answer came: it may or may not have happened. Callers look, then decide."""


def is_rule_refusal(answer: Answer) -> bool:
    """True when branch protection or a ruleset refused; GitHub answers 403, 409 or 422 with telling words."""
    text = answer.message.lower()
    return answer.status in (403, 405, 409, 422) and any(words in text for words in _RULES)


def is_workflow_file_refusal(answer: Answer) -> bool:
    """True when the token may not create or change files under .github/workflows."""
    return "create or update workflow" in answer.message.lower()


def refusal(answer: Answer, *, doing: str, repository: str, needs: str = "") -> ActionError:
    """Return the error for an answer that is not a success.

    Args:
        answer: The answer.
        doing: What was tried, to fill "GitHub refused to ...".
        repository: owner/name.
        needs: The ``permissions:`` line that the call needs, such as ``contents: write``.
    """
    said = f" GitHub says: {answer.message}" if answer.message else ""
    if answer.status == 401:
        return ConfigError(
            Problem(
                input="token",
                what=f"GitHub does not accept the token (401 when trying to {doing}).{said}",
                fix="Give a token that exists and has not expired; inside Actions "
                "`${{ github.token }}` is the default and ends with its job.",
            ),
            url=_TOKEN_URL,
        )
    if is_workflow_file_refusal(answer):
        return workflow_file_error(answer, doing)
    if is_rule_refusal(answer):
        return rule_error(answer, doing)
    if answer.limited:
        return UpstreamError(
            f"GitHub's rate limit was reached when trying to {doing}, and waiting did not help.{said}",
            hint="Run again later, or spread the runs; a GitHub App has a larger limit of its own.",
        )
    if answer.status == 403:
        return _missing_right(answer, doing, needs, said)
    if answer.status in (404, 410):
        return _not_there(doing, repository, needs, said)
    if answer.status >= 500:
        return UpstreamError(
            f"GitHub could not {doing}: it answered {answer.status}, also after retries.{said}",
            hint="Run the step again; www.githubstatus.com tells about outages.",
        )
    return ActionError(f"GitHub refused to {doing} ({answer.status}).{said}")


def rule_error(answer: Answer, doing: str) -> ActionError:
    """Return the error for a refusal by branch protection or a ruleset (exit code 1)."""
    return ActionError(
        f"A rule of the branch refuses: could not {doing}. GitHub says: {answer.message}",
        hint="Let the rule be met first (for example let the required check finish in an earlier "
        "job), or sign in as a GitHub App that is on the rule's bypass list (app-id, "
        "app-private-key), or land through a pull request (method: pull-request). "
        "The job's own token cannot be put on a bypass list.",
        url=_RULES_URL,
        title="The branch is protected",
    )


def workflow_file_error(answer: Answer, doing: str) -> ActionError:
    """Return the error for a change under .github/workflows that the token may not make."""
    return ActionError(
        f"Could not {doing}: the change touches a workflow file. GitHub says: {answer.message}",
        hint="No `permissions:` key allows this to the job's own token. Sign in as a GitHub App "
        "with the permission 'Workflows: write' (app-id, app-private-key), or merge this change "
        "by hand once.",
        url=_TOKEN_URL,
        title="A workflow file would be changed",
    )


def unreachable(error: Exception, *, doing: str, host: str) -> UpstreamError:
    """Return the error for a host that did not answer; the text of ``error`` is cut, it may be long."""
    return UpstreamError(
        f"No answer from GitHub at {host} when trying to {doing}: {str(error)[:300]}",
        hint="Check the network of the runner, its proxy and certificates, and GITHUB_API_URL; "
        "then run the step again.",
        title="GitHub could not be reached",
    )


def _missing_right(answer: Answer, doing: str, needs: str, said: str) -> ActionError:
    hint = "Give the token the right that this call needs."
    if needs:
        hint = f"Add `{needs}` under `permissions:` of the job, or give a token that has this right."
    if "saml" in answer.message.lower():
        hint = "Authorise the token for the organisation's single sign-on."
    return ConfigError(
        Problem(input="token", what=f"does not have the right to {doing} (403).{said}", fix=hint),
        url=_TOKEN_URL,
    )


def _not_there(doing: str, repository: str, needs: str, said: str) -> ActionError:
    right = f" with `{needs}`" if needs else ""
    return ConfigError(
        Problem(
            input="repository",
            value=repository,
            what=f"could not {doing} (404): it does not exist, or the token may not see it.{said}",
            fix=f"Check the name, and that the token is meant for this repository{right}.",
        )
    )
