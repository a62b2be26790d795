"""The inputs and outputs of quality-gate, as action.yml and the command line have them."""

from __future__ import annotations

from cicd_actions.runner.inputs import Input, Output

DEFAULT_CHECKS = ("black", "flake8", "pytest", "bandit", "pip-audit")
WHEN_CONFIGURED = ("mypy", "ruff")
ALL_CHECKS = (*DEFAULT_CHECKS, *WHEN_CONFIGURED, "safety")

INPUTS = (
    Input("working-directory", "Folder of the application, relative to the workspace.", "."),
    Input("python-version", "Python that the application is tested with, for example 3.11.", "3.11"),
    Input(
        "install",
        "How the application is installed for its tests: auto (requirements files, pyproject.toml, setup.py), none "
        "(use what the chosen Python already has), or commands of your own, one a line, without shell syntax.",
        "auto",
    ),
    Input(
        "checks",
        "Checks to run: black, flake8, pytest, bandit, pip-audit, mypy, ruff, safety. auto takes the first five, mypy "
        "and ruff where the project configures them, and safety with a key or a database.",
        "auto",
    ),
    Input(
        "paths",
        "Files and folders to lint, separated by blanks; empty takes all Python files that git tracks.",
    ),
    Input("tests", "What pytest is given, separated by blanks; empty lets the project decide."),
    Input(
        "coverage-floor",
        "Percentage that must be covered, compared on exact counts; empty takes the project's own fail_under, if any.",
    ),
    Input(
        "coverage-ratchet",
        "Percentage points that coverage may fall below the baseline, or off.",
        "off",
    ),
    Input(
        "baseline",
        "What the ratchet compares with: a percentage, the path of an earlier report of this gate, or status: what "
        "the gate kept as a commit status on the target branch.",
    ),
    Input(
        "ratchet-token",
        "Token for a baseline that is kept as a status; needs contents: read and statuses: write.",
        secret=True,
    ),
    Input(
        "custom-checks",
        "Checks of your own, one a line: NAME FORMAT COMMAND, where FORMAT says what the command prints: json, sarif, "
        "junit or plain. No shell runs them; they find the application's environment.",
    ),
    Input(
        "findings-baseline",
        "File (YAML or JSON) with known findings that do not block, each with a count, an owner, a reason and a last "
        "day.",
    ),
    Input(
        "write-baseline",
        "File to write the findings of this run to, in the form of findings-baseline; it never changes the verdict.",
    ),
    Input(
        "base",
        "Branch or commit that the change is counted from; empty takes the pull request's base, else the default "
        "branch, else the commit before the push.",
    ),
    Input(
        "patch-coverage-floor",
        "Percentage of the statements that the change added or altered which tests must execute; empty demands "
        "nothing.",
    ),
    Input(
        "only-changed",
        "Whether black, flake8, ruff and bandit look only at files that the change touches.",
        "false",
    ),
    Input(
        "rerun-failed",
        "How often failed tests are run again, 0 or 1. A test that then passes is called flaky, and still fails the "
        "gate.",
        "0",
    ),
    Input("allow-flaky", "Whether the gate passes when no test fails but flaky ones.", "false"),
    Input(
        "report-directory",
        "Folder for report.json, findings.sarif, checks.xml, junit.xml, coverage.json and coverage.xml; empty makes "
        "one below RUNNER_TEMP.",
    ),
    Input("audit-url", "Query URL of an OSV server for pip-audit; empty uses its default feed."),
    Input("safety-key", "API key of Safety; with a key the check safety runs too.", secret=True),
    Input(
        "safety-database",
        "Folder with a local Safety database (insecure.json, insecure_full.json); with one the check safety runs too.",
    ),
    Input("timeout", "Longest time for one check, for example 90s or 15m.", "15m"),
)

OUTPUTS = (
    Output("verdict", "passed, failed (findings), error (a check could not look) or unavailable (no answer)."),
    Output("tested-sha", "The commit that was tested; empty when tracked files differ from it."),
    Output("coverage", "Percentage covered, two decimals, rounded down; empty when nothing was measured."),
    Output("report", "Path of the JSON report."),
    Output("tests", "JSON object: total, passed, failed, errors, skipped; empty when no test ran."),
    Output("findings", "Number of findings that block."),
    Output("sarif", "Path of the findings as SARIF 2.1.0, for code scanning."),
    Output("patch-coverage", "Percentage of the changed statements that tests execute; empty when not asked for."),
    Output("flaky", "Number of tests that failed and passed when they were run again."),
    Output("timings", "JSON object: check name to seconds."),
)  # fmt: skip
