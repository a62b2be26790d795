"""Write the tables of inputs, outputs and actions in the README files from the action.yml files.

    python scripts/action_docs.py            rewrite the tables
    python scripts/action_docs.py --check    say which files are out of date; exit status 1 when there are any

A table stands between ``<!-- inputs -->`` and ``<!-- /inputs -->`` (or ``outputs``, in ``actions/<slug>/README.md``; or
``actions``, in the README at the root). Everything else in the files is written by hand and stays.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

KINDS = {"composite": "composite", "docker": "Docker-based"}


class DocsError(Exception):
    """A README cannot be brought up to date: it is missing, or a marker is."""


def read_action(path: Path) -> Mapping[str, Any]:
    """Return the content of an action.yml as plain data."""
    content: Mapping[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return content


def cell(text: object) -> str:
    """Return ``text`` for one cell of a Markdown table: one line, no bare bars, nothing that GitHub takes for HTML."""
    line = " ".join(str(text).split())
    return line.replace("|", "\\|").replace("<", "&lt;")


def code(text: object) -> str:
    """Return ``text`` as code in a table cell; blank for empty text. GitHub wants bars escaped there too."""
    line = " ".join(str(text).split())
    if not line:
        return ""
    fence = "``" if "`" in line else "`"
    return f"{fence}{line}{fence}".replace("|", "\\|")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; without rows, the sentence that there are none."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return "None."
    return "\n".join(["| " + " | ".join(header) + " |", "|" + "---|" * len(header), *lines])


def inputs_table(action: Mapping[str, Any]) -> str:
    """Return the table of inputs; a required one says so in place of its default."""
    rows = []
    for name, spec in (action.get("inputs") or {}).items():
        default = "required" if spec.get("required") else code(_scalar(spec.get("default", "")))
        rows.append((code(name), cell(spec["description"]), default))
    return table(("input", "what it is", "default"), rows)


def outputs_table(action: Mapping[str, Any]) -> str:
    """Return the table of outputs."""
    rows = [(code(name), cell(spec["description"])) for name, spec in (action.get("outputs") or {}).items()]
    return table(("output", "what it holds"), rows)


def actions_table(root: Path) -> str:
    """Return the table of all actions, the root action first."""
    rows = [("[set-up](action.yml)", *_about(read_action(root / "action.yml")))]
    for path in action_files(root):
        slug = path.parent.name
        rows.append((f"[{slug}](actions/{slug}/README.md)", *_about(read_action(path))))
    return table(("action", "what it does", "kind"), rows)


def action_files(root: Path) -> list[Path]:
    """Return the action.yml files below ``actions``."""
    return sorted(root.glob("actions/*/action.yml"))


def replace_tables(text: str, tables: Mapping[str, str]) -> str:
    """Return ``text`` with each table that is named put between its markers.

    Raises:
        DocsError: A marker is missing or there is more than one.
    """
    for name, body in tables.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
            raise DocsError(
                f"needs exactly one pair of <!-- {name} --> and <!-- /{name} -->, each on a line of its own"
            )
        before, rest = text.split(start)
        text = f"{before}{start}{body}\n{end}{rest.split(end)[1]}"
    return text


def updates(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield each README with its text now and its text as it should be.

    Raises:
        DocsError: A README is missing or lacks its markers.
    """
    for path in action_files(root):
        action = read_action(path)
        tables = {"inputs": inputs_table(action), "outputs": outputs_table(action)}
        yield _update(path.with_name("README.md"), tables)
    yield _update(root / "README.md", {"actions": actions_table(root)})


def main(argv: Sequence[str], root: Path) -> int:
    """Bring the files below ``root`` up to date, or check them; return the exit status."""
    parser = argparse.ArgumentParser(description="Tables in README files from action.yml.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is out of date")
    check = parser.parse_args(argv).check
    try:
        stale = [(path, new) for path, old, new in updates(root) if old != new]
    except DocsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path, new in stale:
        if check:
            print(f"out of date: {path.relative_to(root)} (run: python scripts/action_docs.py)", file=sys.stderr)
        else:
            path.write_text(new, encoding="utf-8")
            print(f"updated: {path.relative_to(root)}")
    return 1 if check and stale else 0


def _about(action: Mapping[str, Any]) -> tuple[str, str]:
    return cell(action["description"]), KINDS[action["runs"]["using"]]


def _scalar(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _update(path: Path, tables: Mapping[str, str]) -> tuple[Path, str, str]:
    if not path.is_file():
        raise DocsError(f"{path} is missing")
    old = path.read_text(encoding="utf-8")
    try:
        return path, old, replace_tables(old, tables)
    except DocsError as error:
        raise DocsError(f"{path} {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parents[1]))
