"""All checks at once: each a subprocess, each with one result, whatever happens to the others."""

from __future__ import annotations

import logging
import signal
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial

from cicd_actions.errors import ActionError, UpstreamError
from cicd_actions.process import end_all
from cicd_actions.quality.appenv import AppEnvironment, make_environment
from cicd_actions.quality.bench import Bench, first_line
from cicd_actions.quality.checks.bandit import check_bandit
from cicd_actions.quality.checks.black import check_black
from cicd_actions.quality.checks.flake8 import check_flake8
from cicd_actions.quality.checks.mypy import check_mypy
from cicd_actions.quality.checks.own import check_own
from cicd_actions.quality.checks.pip_audit import audit_files, audit_packages
from cicd_actions.quality.checks.pytest import check_pytest
from cicd_actions.quality.checks.ruff import check_ruff
from cicd_actions.quality.checks.safety import check_safety
from cicd_actions.quality.custom import CustomCheck
from cicd_actions.quality.install import Plan
from cicd_actions.quality.interpreter import Interpreter
from cicd_actions.quality.model import CheckResult, State, TestCounts

log = logging.getLogger("cicd_actions.quality")
_NEED_NO_ENVIRONMENT = ("black", "flake8", "bandit", "pip-audit")
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the checks left."""

    results: tuple[CheckResult, ...]
    tests: TestCounts | None
    notes: tuple[str, ...]


def needs_environment(checks: tuple[str, ...], plan: Plan, install: tuple[str, ...]) -> bool:
    """True when a check looks into the application's own environment."""
    if set(checks) - set(_NEED_NO_ENVIRONMENT):
        return True
    return "pip-audit" in checks and not (install == ("auto",) and plan.is_locked)


def run_checks(bench: Bench, interpreter: Interpreter | None, plan: Plan) -> Outcome:
    """Run every check that was asked for; ``interpreter`` is None when no environment is needed."""
    pool = ThreadPoolExecutor(max_workers=len(bench.settings.expected) + 1, thread_name_prefix="check")
    futures: dict[str, Future[CheckResult]] = {}
    try:
        environment = pool.submit(_timed_environment, bench, interpreter, plan) if interpreter else None
        tests: list[TestCounts] = []
        bodies = _bodies(bench, environment, plan, tests)
        futures = {check: pool.submit(_guard, check, bodies[check]) for check in bench.settings.expected}
        results = tuple(future.result() for future in futures.values())
    except BaseException:  # an interrupt or SIGTERM: nothing may go on behind the user's back
        pool.shutdown(wait=False, cancel_futures=True)
        end_all()
        wait(futures.values(), timeout=_GRACE_SECONDS)
        end_all(signal.SIGKILL)  # what did not listen, or was started in between
        raise
    finally:
        pool.shutdown()
    notes = [environment.result()[1]] if environment and environment.exception() is None else []
    return Outcome(results=results, tests=tests[0] if tests else None, notes=tuple(notes))


Environment = Future[tuple[AppEnvironment, str]]


def _bodies(
    bench: Bench, environment: Environment | None, plan: Plan, tests: list[TestCounts]
) -> dict[str, Callable[[], CheckResult]]:
    def app() -> AppEnvironment:
        if environment is None:
            raise RuntimeError("a check asked for an environment that was not made")
        return environment.result()[0]

    def body_pytest() -> CheckResult:
        result, counts = check_pytest(bench, app())
        if counts:
            tests.append(counts)
        return result

    def body_audit() -> CheckResult:
        if bench.settings.install == ("auto",) and plan.is_locked:
            return audit_files(bench, plan.locked)
        return audit_packages(bench, app().packages, (*plan.locked, *plan.files))

    return {
        "black": lambda: check_black(bench),
        "flake8": lambda: check_flake8(bench),
        "bandit": lambda: check_bandit(bench),
        "pytest": body_pytest,
        "pip-audit": body_audit,
        "safety": lambda: check_safety(bench, app().packages),
        "mypy": lambda: check_mypy(bench, app()),
        "ruff": lambda: check_ruff(bench, app()),
        **{check.name: partial(_own, bench, app, check) for check in bench.settings.custom},
    }


def _own(bench: Bench, app: Callable[[], AppEnvironment], check: CustomCheck) -> CheckResult:
    return check_own(bench, app(), check)


def _timed_environment(bench: Bench, interpreter: Interpreter, plan: Plan) -> tuple[AppEnvironment, str]:
    started = time.monotonic()
    environment = make_environment(bench, interpreter, plan)
    seconds = time.monotonic() - started
    note = f"Python {environment.version} ({interpreter.source}), {environment.installed} in {seconds:.1f} s"
    log.info(note)
    return environment, note


def _guard(check: str, body: Callable[[], CheckResult]) -> CheckResult:
    """One result for every check: a failure of ours is a tool error of this check, and the others go on."""
    try:
        result = body()
    except UpstreamError as error:
        result = _stopped(check, State.UNAVAILABLE, error)
    except ActionError as error:
        result = _stopped(check, State.TOOL_ERROR, error)
    except Exception as error:  # noqa: BLE001 - the other checks' results must not be lost
        log.debug("%s", traceback.format_exc())
        detail = f"{check} could not be judged: {type(error).__name__}: {error}"
        result = CheckResult(check=check, state=State.TOOL_ERROR, detail=detail, remedy="Please report this defect.")
    log.info("%s: %s (%s) in %.1f s", check, result.state.value, first_line(result.detail), result.seconds)
    return replace(result, detail=result.detail.strip())


def _stopped(check: str, state: State, error: ActionError) -> CheckResult:
    return CheckResult(check=check, state=state, detail=error.message, remedy=error.hint)
