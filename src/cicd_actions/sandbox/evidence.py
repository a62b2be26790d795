"""From what the runs said and what the repositories and the registry hold to the stages of the outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cicd_actions.sandbox.actlog import ActLog, Step
from cicd_actions.sandbox.outcome import Stage
from cicd_actions.sandbox.scenarios import Status


@dataclass(frozen=True, kw_only=True)
class Played:
    """One executed workflow run; times are seconds since the epoch."""

    workflow: str
    event: str
    conclusion: str
    started: float
    ended: float
    log: ActLog


@dataclass(frozen=True, kw_only=True)
class Published:
    """What the registry answers: the index digest and, per platform, the manifest digest."""

    reference: str
    digest: str
    platforms: Mapping[str, str]
    tags: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class State:
    """What is in the repositories and the registry at the end, read there and not taken from any output."""

    main_before: str
    main_after: str
    tested_in_main: bool
    published: Published | None
    gitops_commits: Sequence[str]
    gitops_files: Sequence[str]
    gitops_diff: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that the stages are told from.

    ``next_started`` tells whether GitHub has a run of the next workflow, ``no_engine`` why images cannot be built here.
    """

    pushed: float
    test: Played | None
    build: Played | None
    next_started: bool
    state: State
    no_engine: str = ""


def stages(facts: Facts) -> list[Stage]:
    """Return the stages in order; each stage is what its outputs *and* the state say."""
    found = [_quality(facts)]
    found.append(_merge(facts, found[0]))
    found += _image_stages(facts, found[1])
    found.append(_gitops(facts, found[-1]))
    return found


def _quality(facts: Facts) -> Stage:
    step = facts.test.log.step_with("verdict", "tested-sha") if facts.test else None
    outputs = step.outputs if step else {}
    verdict = outputs.get("verdict", "")
    evidence = _pick(outputs, "verdict", "tested-sha", "coverage", "findings")
    evidence |= _pick_json(outputs, "tests", "timings")
    offset, seconds = _times(facts, step, "stage-timings", "quality")
    if verdict == "passed":
        return Stage(name="quality", status="passed", offset=offset, seconds=seconds, evidence=evidence)
    reason = _reason(facts.test, "no run was started by the push to dev")
    return Stage(name="quality", status="failed", reason=reason, offset=offset, seconds=seconds, evidence=evidence)


def _merge(facts: Facts, quality: Stage) -> Stage:
    if quality.status != "passed":
        return Stage(name="merge", status="blocked", reason="the quality gate did not pass")
    step = facts.test.log.step_with("merged", "merge-sha") if facts.test else None
    outputs = step.outputs if step else {}
    evidence = _pick(outputs, "method-used", "merge-sha", "reason", "dispatched-run-url")
    evidence["main-before"], evidence["main-after"] = facts.state.main_before, facts.state.main_after
    offset, seconds = _times(facts, step, "stage-timings", "merge", after="quality")
    landed = outputs.get("merged") == "true" and facts.state.tested_in_main
    status: Status = "passed" if landed and facts.next_started else "failed"
    reason = ""
    if not landed:
        reason = _reason(facts.test, "main does not hold the tested commit")
    elif not facts.next_started:
        reason = "merged, but the next workflow did not start"
    return Stage(name="merge", status=status, reason=reason, offset=offset, seconds=seconds, evidence=evidence)


def _image_stages(facts: Facts, merge: Stage) -> list[Stage]:
    names = ("build", "scan", "publish")
    if merge.status != "passed":
        return [Stage(name=name, status="blocked", reason="nothing was merged") for name in names]
    if facts.no_engine:
        return [Stage(name=name, status="skipped", reason=facts.no_engine) for name in names]
    step = facts.build.log.step_with("digest", "scan-report") if facts.build else None
    build = _build(facts, step)
    scan = _scan(facts, step, build)
    return [build, scan, _publish(facts, step, scan)]


def _build(facts: Facts, step: Step | None) -> Stage:
    outputs = step.outputs if step else {}
    offset, seconds = _times(facts, step, "timings", "build")
    evidence = _pick(outputs, "digest", "image") | _pick_json(outputs, "platforms")
    built = bool(outputs.get("digest"))
    return Stage(
        name="build",
        status="passed" if built else "failed",
        reason="" if built else _reason(facts.build, "no image was built"),
        offset=offset,
        seconds=seconds,
        evidence=evidence,
    )


def _scan(facts: Facts, step: Step | None, build: Stage) -> Stage:
    if build.status != "passed" or step is None:
        return Stage(name="scan", status="blocked", reason="there is no image")
    verdict = step.outputs.get("verdict", "")
    offset, seconds = _times(facts, step, "timings", "scan", after="build")
    evidence = _pick(step.outputs, "verdict", "blocking") | _pick_json(step.outputs, "counts")
    passed = verdict == "passed"
    reason = "" if passed else _reason(facts.build, f"the gate says {verdict or 'nothing'}")
    status: Status = "passed" if passed else "failed"
    return Stage(name="scan", status=status, reason=reason, offset=offset, seconds=seconds, evidence=evidence)


def _publish(facts: Facts, step: Step | None, scan: Stage) -> Stage:
    published = facts.state.published
    if scan.status != "passed" and published is None:
        return Stage(name="publish", status="blocked", reason="the image did not pass the scan")
    offset, seconds = _times(facts, step, "timings", "publish", after="build scan")
    if published is None:
        reason = _reason(facts.build, "the registry does not have the image")
        return Stage(name="publish", status="failed", reason=reason, offset=offset, seconds=seconds)
    evidence = {"reference": published.reference, "digest": published.digest}
    evidence |= {"platforms": dict(published.platforms), "tags": list(published.tags)}  # type: ignore[dict-item]
    same = scan.status == "passed" and step is not None and step.outputs.get("digest") == published.digest
    reason = "" if same else "the registry holds an image that is not the one that was scanned"
    status: Status = "passed" if same else "failed"
    return Stage(name="publish", status=status, reason=reason, offset=offset, seconds=seconds, evidence=evidence)


def _gitops(facts: Facts, publish: Stage) -> Stage:
    commits = facts.state.gitops_commits
    if publish.status in ("failed", "blocked") and not commits:
        return Stage(name="gitops", status="blocked", reason="nothing was published")
    step = facts.build.log.step_with("commit-sha", "changed") if facts.build else None
    outputs = step.outputs if step else {}
    evidence = _pick(outputs, "commit-sha", "previous")
    evidence["commits"] = list(commits)
    evidence["files"] = list(facts.state.gitops_files)
    offset, seconds = _times(facts, step, "", "")
    right = len(commits) == 1 and publish.status in ("passed", "skipped")
    reason = "" if right else _reason(facts.build, f"{len(commits)} commits in the GitOps repository, expected 1")
    status: Status = "passed" if right else "failed"
    return Stage(name="gitops", status=status, reason=reason, offset=offset, seconds=seconds, evidence=evidence)


def _reason(played: Played | None, otherwise: str) -> str:
    if played is None:
        return otherwise
    error = played.log.first_error().strip()
    return error.splitlines()[0][:300] if error else otherwise


def _times(facts: Facts, step: Step | None, output: str, key: str, *, after: str = "") -> tuple[float, float]:
    """Offset and duration of a part of a step, from the seconds that the step itself reports."""
    if step is None:
        return 0.0, 0.0
    timings = _json(step.outputs.get(output, "")) if output else None
    if not isinstance(timings, dict):
        return step.started - facts.pushed, step.ended - step.started
    known = {name: float(value) for name, value in timings.items() if isinstance(value, (int, float))}
    # the parts end when the step ends, so what the step needs to start up comes before them
    begin = step.ended - sum(known.values()) + sum(known.get(name, 0.0) for name in after.split())
    return max(begin, step.started) - facts.pushed, known.get(key, 0.0)


def _pick(outputs: Mapping[str, str], *names: str) -> dict[str, Any]:
    return {name: outputs[name] for name in names if outputs.get(name)}


def _pick_json(outputs: Mapping[str, str], *names: str) -> dict[str, Any]:
    found = {name: _json(outputs.get(name, "")) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
