"""build-and-push: plan, build, scan, publish, verify."""

from __future__ import annotations

import json
import logging
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from cicd_actions.errors import EXIT_FAILED, EXIT_OK, ConfigError, Problem
from cicd_actions.image import render
from cicd_actions.image.build import Built, build, build_environment
from cicd_actions.image.builder import open_builder
from cicd_actions.image.commit import commit_date, head_commit, make_labels
from cicd_actions.image.publish import Copier, Published, find_copier, publish
from cicd_actions.image.settings import Settings
from cicd_actions.image.tags import Tag, find_facts, make_tags
from cicd_actions.oci.credentials import Credentials, choose_credentials
from cicd_actions.oci.registry import Registry
from cicd_actions.runner.context import RunContext
from cicd_actions.runner.report import Report
from cicd_actions.scan import action as scan_action

_log = logging.getLogger("cicd_actions.image")

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is decided before anything is done."""

    tags: tuple[Tag, ...]
    labels: Mapping[str, str]
    committed: datetime | None


@dataclass(frozen=True, kw_only=True)
class Target:
    """How to publish: the login for the registry and the program that copies."""

    credentials: Credentials
    copier: Copier


@dataclass(frozen=True, kw_only=True)
class Result:
    """The facts; ``built``, ``scan`` and ``published`` are None for what did not happen."""

    settings: Settings
    plan: Plan
    built: Built | None = None
    scan: scan_action.Result | None = None
    scan_seconds: float = 0.0
    published: Published | None = None
    kept: bool = False

    @property
    def verdict(self) -> str:
        """The gate's verdict, or ``skipped`` when there was no scan."""
        return self.scan.verdict if self.scan else "skipped"


def run(settings: Settings, context: RunContext, *, now: Clock = lambda: datetime.now(UTC)) -> Result:
    """Build, scan, publish; nothing reaches the registry before every platform has passed.

    Raises:
        ConfigError: The tags, the login, the builder or the engine is not right.
        ActionError: The build fails, or a version that exists would change.
        UpstreamError: The scanner, the registry or the network failed.
    """
    plan = make_plan(settings, context)
    if settings.dry_run:
        return Result(settings=settings, plan=plan)
    # what cannot be published is better known before a long build than after it
    target = _open_target(settings, context) if settings.push else None
    folder = Path(mkdtemp(prefix="cicd-actions-build-", dir=context.temp))
    try:
        result = _build_and_scan(settings, plan, context, folder, now)
        if target is None:
            return replace(result, kept=True)
        if result.verdict != "findings":
            result = _publish(result, target, context)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # the metadata stays for later steps, the large layout only when nobody else has the image
    shutil.rmtree(folder / "layout", ignore_errors=True)
    return result


def make_plan(settings: Settings, context: RunContext) -> Plan:
    """Decide tags and labels from the facts of the run.

    Raises:
        ConfigError: No rule gives a tag, two give the same, or one gives no legal tag.
    """
    folder = settings.build.context
    sha = context.sha or head_commit(folder, context.env)
    facts = find_facts(ref=context.ref, sha=sha, event=context.event)
    committed = commit_date(folder, facts.sha, context.env) or commit_date(folder, "", context.env)
    facts = find_facts(ref=context.ref, sha=sha, event=context.event, committed=committed)
    tags = make_tags(settings.rules, facts)
    if not tags:
        rules = ", ".join(str(rule) for rule in settings.rules)
        what = f"no rule gives a tag for the ref {context.ref!r}"
        raise ConfigError(Problem(input="tag-rules", value=rules, what=what, fix="Add `sha` or raw=TEXT."))
    source = f"{context.server_url}/{context.repository}" if context.repository else ""
    labels = make_labels(source=source, revision=facts.sha, created=committed, version=tags[0].name)
    return Plan(tags=tags, labels={**labels, **settings.build.labels}, committed=committed)


def report(result: Result) -> Report:
    """Return outputs, summary, annotations and exit code for a result."""
    built, scan = result.built, result.scan
    children = built.layout.children if built else ()
    blocked = result.verdict == "findings"
    return Report(
        outputs={
            "digest": built.layout.digest if built else "",
            "image": result.settings.image.name,
            "tag": result.plan.tags[0].name,
            "tags": "\n".join(tag.name for tag in result.plan.tags),
            "platforms": json.dumps({child.platform: child.digest for child in children}),
            "metadata": str(built.metadata) if built else "",
            "layout": str(built.layout.path) if built and result.kept else "",
            "published": "true" if result.published else "false",
            "verdict": result.verdict,
            "counts": json.dumps(scan.counts) if scan else "",
            "blocking": str(len(scan.judgement.blocking)) if scan else "",
            "scan-report": str(scan.report) if scan else "",
            "timings": json.dumps(_timings(result)),
        },
        exit_code=EXIT_FAILED if blocked else EXIT_OK,
        summary=render.summary(result),
        text=render.text(result),
        annotations=render.make_annotations(result),
    )


def _build_and_scan(settings: Settings, plan: Plan, context: RunContext, folder: Path, now: Clock) -> Result:
    env = build_environment(context.env, epoch=plan.committed)
    with open_builder(
        settings.build.builder, settings.build.platforms, env=env, suffix=secrets.token_hex(4)
    ) as builder:
        _log.info("Building %s with the builder %s.", ", ".join(settings.build.platforms), builder.name)
        built = build(
            settings.build,
            builder=builder,
            labels=plan.labels,
            folder=folder,
            temp=context.temp,
            env=env,
            write_cache=not context.event_name.startswith("pull_request"),
            verbose=context.in_actions,
        )
    _log.info("Built %s in %.1f s.", built.layout.digest, built.seconds)
    if settings.scan is None:
        return Result(settings=settings, plan=plan, built=built)
    started = now()
    scan = scan_action.gate(built.layout, settings.build.platforms, settings.scan, context, now=now)
    seconds = (now() - started).total_seconds()
    return Result(settings=settings, plan=plan, built=built, scan=scan, scan_seconds=seconds)


def _open_target(settings: Settings, context: RunContext) -> Target:
    """Choose the login and the copier, and ask the registry whether it answers and accepts us."""
    credentials = choose_credentials(
        settings.image.registry,
        username=settings.username,
        token=settings.token,
        server_url=context.server_url,
        env=context.env,
    )
    copier = find_copier(context.env)
    with Registry(settings.image, credentials, actions="pull,push") as registry:
        registry.check_access()
    return Target(credentials=credentials, copier=copier)


def _publish(result: Result, target: Target, context: RunContext) -> Result:
    if result.built is None:
        return result
    image = result.settings.image
    with Registry(image, target.credentials, actions="pull,push") as registry:
        published = publish(
            result.built.layout,
            image,
            result.plan.tags,
            copier=target.copier,
            registry=registry,
            credentials=target.credentials,
            temp=context.temp,
            env=context.env,
        )
    return replace(result, published=published)


def _timings(result: Result) -> dict[str, float]:
    return {
        "build": round(result.built.seconds, 1) if result.built else 0.0,
        "scan": round(result.scan_seconds, 1),
        "publish": round(result.published.seconds, 1) if result.published else 0.0,
    }
