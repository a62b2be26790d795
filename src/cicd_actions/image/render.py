"""The result of a build as Markdown, as text and as annotations; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cicd_actions.runner.report import Annotation
from cicd_actions.scan import render as scan_render

if TYPE_CHECKING:
    from cicd_actions.image.action import Result


def summary(result: Result) -> str:
    """Return the job summary: what became of the image, then the scan's own."""
    image = result.settings.image
    lines = [f"## {headline(result)}", ""]
    lines += ["| Tag | |", "|---|---|"]
    for tag in result.plan.tags:
        lines.append(f"| `{image.name}:{tag.name}` | {_fate(result, tag.name)} |")
    if result.built:
        lines += ["", f"Digest: `{result.built.layout.digest}`", "", "| Platform | Manifest |", "|---|---|"]
        lines += [f"| {child.platform} | `{child.digest}` |" for child in result.built.layout.children]
    if result.published and result.built:
        lines += ["", f"```sh\ndocker pull {image.name}@{result.built.layout.digest}\n```"]
    if result.scan:
        scan = result.scan
        lines += ["", scan_render.summary(scan.scans, scan.judgement, scan.settings.policy, database=scan.database)]
    return "\n".join([*lines, ""])


def text(result: Result) -> str:
    """Return the same for a terminal."""
    lines = [headline(result)]
    if result.settings.dry_run:
        build = result.settings.build
        lines.append(f"  would build {build.file} for {', '.join(build.platforms)}")
        lines.append("  would scan every platform" if result.settings.scan else "  would not scan")
    name = result.settings.image.name
    lines += [f"  {name}:{tag.name} {_fate(result, tag.name)}" for tag in result.plan.tags]
    if result.built:
        lines.append(f"  {result.built.layout.digest}")
        lines += [f"    {child.platform} {child.digest}" for child in result.built.layout.children]
    if result.scan:
        scan = result.scan
        lines.append(
            "scan: " + scan_render.text(scan.scans, scan.judgement, scan.settings.policy, database=scan.database)
        )
    return "\n".join(lines)


def headline(result: Result) -> str:
    """Return what became of the image in a line."""
    if result.settings.dry_run:
        return "Dry run: nothing was built or published"
    if result.verdict == "findings":
        return "Not published: the scan found what blocks"
    if result.published:
        return "Published what was scanned" if result.scan else "Published without a scan"
    return "Built, not published"


def make_annotations(result: Result) -> tuple[Annotation, ...]:
    """Return the gate's annotations, and a warning when nobody looked."""
    notes: list[Annotation] = []
    if result.scan:
        notes += scan_render.make_annotations(result.scan.judgement, result.scan.settings.policy)
    elif result.published:
        message = "`scan: false` was given, so nobody looked at what was published."
        notes.append(Annotation(level="warning", title="Published without a scan", message=message))
    return tuple(notes)


def _fate(result: Result, tag: str) -> str:
    if result.published is None:
        return "would be set" if result.settings.dry_run else "not set"
    old = result.published.moved.get(tag)
    return f"moved from {old[:19]}" if old else "set"
