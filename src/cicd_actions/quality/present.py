"""The result for people and for machines: job summary, terminal text, annotations, JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cicd_actions.quality.bench import count, first_line
from cicd_actions.quality.document import all_notes
from cicd_actions.quality.markdown import cell, table
from cicd_actions.quality.model import CheckResult, Finding, Severity, State, Verdict
from cicd_actions.quality.result import Result
from cicd_actions.runner.report import Annotation, Level

_SUMMARY_FINDINGS = 100
_TEXT_FINDINGS = 50
_SLOW_SECONDS = 1.0  # nobody needs to know which of the quick tests is the least quick
_MARKS = {
    State.PASSED: "✅ passed",
    State.FINDINGS: "❌ findings",
    State.TOOL_ERROR: "💥 tool error",
    State.UNAVAILABLE: "📡 unavailable",
    State.NOT_RUN: "⚠️ not run",
}
_HEADLINES = {
    Verdict.PASSED: "passed",
    Verdict.FAILED: "failed",
    Verdict.ERROR: "could not look at everything",
    Verdict.UNAVAILABLE: "could not ask a service that it needs",
}


def headline(result: Result) -> str:
    """Return one line: the verdict and why."""
    bad = [check for check in result.checks if check.state is not State.PASSED]
    if not bad:
        return f"quality gate passed: {count(len(result.checks), 'check')}"
    reasons = "; ".join(f"{check.check}: {first_line(check.detail)}" for check in bad)
    return f"quality gate {_HEADLINES[result.verdict]}: {reasons}"


def summary(result: Result) -> str:
    """Return the Markdown for the job summary; every foreign word in it is escaped."""
    parts = [
        f"## Quality gate: {_HEADLINES[result.verdict]}",
        _commit_line(result),
        table(("check", "result", "findings", "seconds", "what"), [_row(check) for check in result.checks]),
        _numbers(result),
        _remedies(result.checks),
        _finding_list(result.findings),
        _notes(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def text(result: Result) -> str:
    """Return plain text for a terminal or a log; findings are listed where no annotations show them."""
    width = max((len(check.check) for check in result.checks), default=0)
    lines = [
        f"{check.check:<{width}}  {check.state.value:<11}  {check.seconds:6.1f} s  {first_line(check.detail)}"
        for check in result.checks
    ]
    if not result.in_actions and result.findings:
        lines += ["", *_finding_lines(result.findings)]
    for check in result.checks:
        if check.state is not State.PASSED:
            rest = check.detail.splitlines()[1:]
            lines += ["", f"{check.check}: {first_line(check.detail)}", *(f"  {line}" for line in rest)]
            lines += [f"  What to do: {check.remedy}"] if check.remedy else []
            lines += ["", *check.log.splitlines()] if check.log else []
    lines += ["", *(f"note: {note}" for note in all_notes(result))]
    if coverage := result.coverage:
        lines += ["", f"coverage: {coverage} % ({coverage.covered} of {coverage.total} statements and branches)"]
    lines += [
        "",
        headline(result),
        _tested(result),
        f"report: {result.report}",
    ]
    return "\n".join(lines) + "\n"


def annotate(result: Result) -> tuple[Annotation, ...]:
    """Return the annotations, worst first: the verdict, checks that could not look, then findings."""
    if not result.in_actions:
        return ()
    found: list[Annotation] = []
    if result.verdict is not Verdict.PASSED:
        found.append(Annotation(level="error", title="quality-gate", message=headline(result)))
    for check in result.checks:
        if check.state not in (State.PASSED, State.FINDINGS):
            message = check.detail + (f"\nWhat to do: {check.remedy}" if check.remedy else "")
            found.append(Annotation(level="error", title=f"{check.check}: {check.state.value}", message=message))
    found += [
        Annotation(level=_level(finding), title=f"{finding.check} {finding.rule}", message=finding.message,
                   file=finding.file, line=finding.line)
        for finding in result.findings
        if not finding.known
    ]  # fmt: skip
    if result.revision.changed:
        found.append(Annotation(level="warning", title="quality-gate", message=_tested(result)))
    return tuple(found)


def _level(finding: Finding) -> Level:
    if not finding.blocking:
        return "notice"
    return "warning" if finding.severity is Severity.LOW else "error"


def _row(check: CheckResult) -> tuple[str, ...]:
    findings = str(check.blocking) + (f" (+{more})" if (more := len(check.findings) - check.blocking) else "")
    return check.check, _MARKS[check.state], findings, f"{check.seconds:.1f}", cell(first_line(check.detail))


def _commit_line(result: Result) -> str:
    if not result.revision.tested_sha:
        return cell(_tested(result))
    return f"Commit `{result.revision.sha}`, {result.seconds:.1f} s."


def _tested(result: Result) -> str:
    """The commit that the verdict is about, or why there is none."""
    if not result.revision.sha:
        return "No commit was tested: this folder is no git checkout with a commit."
    if not result.revision.changed:
        return f"tested commit: {result.revision.sha}"
    names = ", ".join(result.revision.changed[:5])
    number = count(len(result.revision.changed), "tracked file")
    return f"No commit was tested: {number} changed since commit {result.revision.sha[:12]} ({names})."


def _numbers(result: Result) -> str:
    lines = []
    if tests := result.tests:
        lines.append(f"**Tests:** {tests.passed} passed, {tests.failed} failed, {tests.errors} errors, {tests.skipped} "
                     f"skipped in {tests.seconds:.1f} s.")  # fmt: skip
        slow = [f"{cell(name)} ({seconds:.1f} s)" for name, seconds in tests.slowest if seconds >= _SLOW_SECONDS]
        if slow:
            lines.append("Slowest: " + ", ".join(slow) + ".")
    if coverage := result.coverage:
        lines.append(f"**Coverage:** {coverage} % ({coverage.covered} of {coverage.total} statements and branches).")
        worst = sorted((f for f in coverage.files if f.covered < f.total), key=lambda f: f.covered - f.total)[:5]
        if worst:
            lines.append(
                "Most is missing in " + ", ".join(f"{cell(f.file)} ({f.total - f.covered})" for f in worst) + "."
            )
    if patch := result.patch:
        lines.append(f"**Patch coverage:** {patch} % ({patch.covered} of {patch.total} changed statements).")
    if result.flaky:
        lines.append(f"**Flaky:** {count(result.flaky, 'test')} passed only when run again.")
    return "  \n".join(lines)


def _remedies(checks: Sequence[CheckResult]) -> str:
    lines = [f"- **{check.check}**: {cell(check.remedy)}" for check in checks if check.remedy]
    details = [
        f"<details><summary>{check.check}: what it said</summary>\n\n"
        f"<pre>{cell(check.detail, breaks=True)}</pre>\n\n</details>"
        for check in checks
        if "\n" in check.detail
    ]
    return "\n".join(["### What to do", "", *lines, "", *details]).rstrip() if lines or details else ""


def _finding_list(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    shown = findings[:_SUMMARY_FINDINGS]
    head = f"### Findings ({len(findings)})"
    if len(shown) < len(findings):
        head += f"\n\nShowing {len(shown)} of {len(findings)}; report.json has them all."
    rows = [
        (finding.check, cell(finding.rule), _standing(finding),
         cell(_place(finding)), cell(finding.message))
        for finding in shown
    ]  # fmt: skip
    return head + "\n\n" + table(("check", "rule", "severity", "where", "what"), rows)


def _standing(finding: Finding) -> str:
    return "known" if finding.known else finding.severity.value if finding.blocking else "reported only"


def _finding_lines(findings: Sequence[Finding]) -> list[str]:
    lines = [
        f"{_place(finding) or '-'}: {finding.check} {finding.rule}: {first_line(finding.message)}"
        + ("" if finding.blocking else f" (known: {finding.known})" if finding.known else " (reported only)")
        for finding in findings[:_TEXT_FINDINGS]
    ]
    if len(findings) > _TEXT_FINDINGS:
        lines.append(f"showing {_TEXT_FINDINGS} of {len(findings)}; the report has them all")
    return lines


def _place(finding: Finding) -> str:
    return f"{finding.file}:{finding.line}" if finding.line else finding.file


def _notes(result: Result) -> str:
    lines = [f"- {cell(note)}" for note in all_notes(result)]
    tools = ", ".join(f"{name} {version}" for name, version in result.tools.items())
    if tools:
        lines.append(f"- {tools}")
    return "\n".join(["<details><summary>Notes</summary>", "", *lines, "", "</details>"]) if lines else ""
