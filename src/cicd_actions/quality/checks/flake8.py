"""flake8: lint. E902 and E999 mean that it could not read a file, which is no finding but a tool error."""

from __future__ import annotations

from pathlib import Path

from cicd_actions.process import Completed
from cicd_actions.quality.bench import Bench, count, tool_error
from cicd_actions.quality.model import CheckResult, Finding, Severity, State
from cicd_actions.quality.project import IGNORED_FOLDERS, Project

_FORMAT = "%(path)s\t%(row)d\t%(code)s\t%(text)s"
_UNREADABLE = ("E902", "E999")
# the formatter decides about these: blanks around slices, several statements in a line, operators at line breaks
_LEFT_TO_BLACK = "E203,E701,W503"
_REMEDY = "Mend them, or configure flake8 in .flake8, setup.cfg or tox.ini if the project sees them differently."


def check_flake8(bench: Bench) -> CheckResult:
    """Run flake8 over the paths with the project's configuration, or with black's style where there is none."""
    if not bench.lint_paths():
        return bench.unchanged("flake8")
    out = bench.reports / "flake8.txt"
    out.unlink(missing_ok=True)
    options, note = _defaults(bench.project)
    words = (
        *options,
        f"--format={_FORMAT}",
        "--exit-zero",
        "--no-show-source",
        f"--output-file={out}",
        "--color=never",
    )
    completed = bench.run_tool("flake8", *words, *bench.lint_paths())
    return judge_flake8(completed, out, bench.project, note)


def judge_flake8(completed: Completed, out: Path, project: Project, note: str = "") -> CheckResult:
    """Return what flake8's report says; with ``--exit-zero`` another exit code means that it could not work."""
    if completed.timed_out or completed.returncode != 0:
        remedy = "If the project asks for flake8 plugins: the gate has none; set them aside for this run."
        return tool_error("flake8", completed, f"ended with exit code {completed.returncode}", remedy)
    text = out.read_text(encoding="utf-8", errors="replace") if out.is_file() else ""
    findings = tuple(_finding(line, project) for line in text.splitlines() if line.count("\t") >= 3)
    unreadable = [finding for finding in findings if finding.rule in _UNREADABLE]
    if unreadable:
        state, detail = State.TOOL_ERROR, f"{count(len(unreadable), 'file')} could not be read or parsed"
    elif findings:
        state, detail = State.FINDINGS, count(len(findings), "finding")
    else:
        state, detail = State.PASSED, "no findings"
    remedy = {State.FINDINGS: _REMEDY, State.TOOL_ERROR: "Mend the syntax of these files."}.get(state, "")
    return CheckResult(check="flake8", state=state, detail=detail, remedy=remedy, findings=findings,
                       notes=(note,) if note else (), seconds=completed.seconds)  # fmt: skip


def _defaults(project: Project) -> tuple[tuple[str, ...], str]:
    if project.config.flake8:
        return (), ""
    length = project.config.black_line_length
    options = (
        "--isolated",  # it would look for configuration in every parent folder, beyond the checkout
        f"--max-line-length={length}",
        f"--extend-ignore={_LEFT_TO_BLACK}",
        f"--extend-exclude={','.join(sorted(IGNORED_FOLDERS))}",
    )
    note = (
        f"flake8 is not configured: black's line length ({length}) and style apply ({_LEFT_TO_BLACK} are left to black)"
    )
    return options, note


def _finding(line: str, project: Project) -> Finding:
    path, row, code, text = line.split("\t", 3)
    return Finding(check="flake8", rule=code, message=text, severity=_severity(code),
                   file=project.in_repository(path), line=int(row) if row.isdigit() else 0)  # fmt: skip


def _severity(code: str) -> Severity:
    if code in _UNREADABLE or code.startswith("F82"):  # undefined names fail when they are reached
        return Severity.HIGH
    return Severity.LOW if code[:1] in ("E", "W") else Severity.MEDIUM
