"""The errors a person may see: what happened, why, how to mend it, where to read.

The exit codes are a contract (docs/architecture.md): 0 ok, 1 the check failed, 2 wrong configuration,
3 somebody else failed (GitHub, registry, scanner, network, feed), 70 a defect of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_CONFIG = 2
EXIT_UPSTREAM = 3
EXIT_BUG = 70


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong with the configuration.

    ``input`` is the kebab-case name of the input, ``value`` what was given (empty when nothing was, or when it
    is a secret), ``what`` says what is wrong with it, ``fix`` what to do.
    """

    input: str
    what: str
    value: str = ""
    fix: str = ""

    def __str__(self) -> str:
        given = f" (given: {self.value!r})" if self.value else ""
        fix = f" {self.fix}" if self.fix else ""
        return f"{self.input}: {self.what}{given}.{fix}"


class ActionError(Exception):
    """A failure that the user can act on.

    Args:
        message: What happened and why, one or more sentences.
        hint: What to do next.
        url: Where to read more.
        title: A few words for the annotation; empty takes the class's own.
    """

    exit_code = EXIT_FAILED
    default_title = "The check failed"

    def __init__(self, message: str, *, hint: str = "", url: str = "", title: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.url = url
        self.title = title or self.default_title

    def __str__(self) -> str:
        parts = [self.message]
        if self.hint:
            parts.append(f"What to do: {self.hint}")
        if self.url:
            parts.append(f"See: {self.url}")
        return "\n".join(parts)


class ConfigError(ActionError):
    """Wrong configuration; carries *all* the problems that were found (exit code 2)."""

    exit_code = EXIT_CONFIG
    default_title = "Wrong configuration"

    def __init__(self, *problems: Problem | str, hint: str = "", url: str = "") -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint, url=url)


class UpstreamError(ActionError):
    """GitHub, a registry, a scanner, a feed or the network failed, after retries (exit code 3)."""

    exit_code = EXIT_UPSTREAM
    default_title = "A service that this step needs did not answer as it should"
