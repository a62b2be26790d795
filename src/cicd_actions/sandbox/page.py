"""The page of a scenario: one HTML file that needs no server and no network."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from cicd_actions.sandbox.outcome import Outcome, Stage, WorkflowRun, headline

_LOG_LINES = 2000
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --passed: #2a8a4a; --failed: #c5362f;
  --blocked: #b7791f; --skipped: #7a7f87; --run: #3b6fc4; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; overflow: auto;
  max-height: 26rem; }
.badge { display: inline-block; min-width: 5.2rem; text-align: center; color: #fff; border-radius: 999px;
  padding: .05rem .6rem; font-size: .85rem; }
.passed { background: var(--passed); } .failed { background: var(--failed); } .blocked { background: var(--blocked); }
.skipped { background: var(--skipped); } .run { background: var(--run); }
.lane { display: grid; grid-template-columns: 11rem 1fr 4.5rem; gap: .75rem; align-items: center; padding: .2rem 0; }
.track { position: relative; height: 1.25rem; background: var(--soft); border-radius: 4px; }
.bar { position: absolute; top: 0; bottom: 0; border-radius: 4px; min-width: 3px; }
.seconds { text-align: right; font-variant-numeric: tabular-nums; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; } summary .reason { margin-left: .6rem; opacity: .85; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5rem 0; }
td { border-top: 1px solid var(--line); padding: .2rem .8rem .2rem 0;
  vertical-align: top; overflow-wrap: anywhere; } td:first-child { white-space: nowrap; opacity: .75; }
.add { color: var(--passed); } .del { color: var(--failed); }
"""


def render(outcome: Outcome) -> str:
    """Return the page; every text from the run is escaped, so hostile names and logs stay text."""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(outcome.application)}: {escape(outcome.scenario.name)} {outcome.verdict}</title>\n"
        f"<style>{_STYLE}</style>\n<main>\n{''.join(_parts(outcome))}</main>\n</html>\n"
    )


def _parts(outcome: Outcome) -> Iterable[str]:
    yield f"<h1>{escape(outcome.application)}: scenario {escape(outcome.scenario.name)} "
    yield f'<span class="badge {outcome.verdict}">{outcome.verdict}</span></h1>\n'
    yield f"<p>{escape(outcome.scenario.text)}. It took {outcome.seconds:.0f} s.</p>\n"
    yield from (f"<p><strong>Not as expected:</strong> {escape(text)}</p>\n" for text in outcome.problems)
    yield from (f"<p>{escape(text)}</p>\n" for text in outcome.notes)
    yield "<h2>Timeline</h2>\n"
    yield from _timeline(outcome)
    yield "<h2>Stages and their evidence</h2>\n"
    yield from (_stage(stage) for stage in outcome.stages)
    if outcome.gitops and outcome.gitops.get("diff"):
        yield f"<h2>What changed in the GitOps repository</h2>\n<pre>{_diff(str(outcome.gitops['diff']))}</pre>\n"
    if outcome.notices:
        yield "<h2>What people were told</h2>\n"
        yield from (f"<pre>{escape(notice)}</pre>\n" for notice in outcome.notices)
    yield "<h2>Workflow runs</h2>\n"
    yield from (_run(run) for run in outcome.runs)


def _timeline(outcome: Outcome) -> Iterable[str]:
    rows = [(run.name, "run", run.offset, run.seconds) for run in outcome.runs]
    rows += [(stage.name, stage.status, stage.offset, stage.seconds) for stage in outcome.stages]
    span = max((offset + seconds for _, _, offset, seconds in rows), default=0.0) or 1.0
    for name, kind, offset, seconds in rows:
        left, width = 100 * offset / span, 100 * seconds / span
        bar = f'<div class="bar {kind}" style="left:{left:.2f}%;width:{width:.2f}%"></div>' if seconds else ""
        shown = f"{seconds:.1f} s" if seconds else kind
        yield (
            f'<div class="lane"><span>{escape(name)}</span><div class="track">{bar}</div>'
            f'<span class="seconds">{shown}</span></div>\n'
        )


def _stage(stage: Stage) -> str:
    rows = "".join(f"<tr><td>{escape(key)}</td><td>{_value(value)}</td></tr>" for key, value in stage.evidence.items())
    return (
        f'<details><summary><span class="badge {stage.status}">{stage.status}</span> <strong>{escape(stage.name)}'
        f'</strong><span class="reason">{escape(stage.reason or headline(stage))}</span></summary>'
        f"<table>{rows}</table></details>\n"
    )


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "<br>".join(f"{escape(str(k))}: {_value(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return "<br>".join(_value(item) for item in value)
    text = value if isinstance(value, str) else json.dumps(value)
    return f"<pre>{escape(text)}</pre>" if "\n" in text else f"<code>{escape(text)}</code>"


def _diff(text: str) -> str:
    kinds = {"+": "add", "-": "del"}
    lines = []
    for line in text.splitlines():
        kind = kinds.get(line[:1], "")
        lines.append(f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line))
    return "\n".join(lines)


def _run(run: WorkflowRun) -> str:
    kind = "passed" if run.conclusion == "success" else "failed"
    shown = list(run.log[-_LOG_LINES:])
    if len(run.log) > len(shown):
        shown.insert(0, f"… {len(run.log) - len(shown)} lines before these are left out …")
    summaries = "".join(f"<pre>{escape(summary)}</pre>" for summary in run.summaries)
    return (
        f'<details><summary><span class="badge {kind}">{escape(run.conclusion)}</span> <strong>{escape(run.name)}'
        f'</strong><span class="reason">{escape(run.event)}, {run.seconds:.1f} s</span></summary>{summaries}'
        f"<pre>{escape(chr(10).join(shown))}</pre></details>\n"
    )
