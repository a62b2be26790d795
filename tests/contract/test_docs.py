"""The documentation says what is true: tables, links, commands, exit codes and scenarios are compared with the code."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from cicd_actions import __version__, errors
from cicd_actions.cli import COMMANDS, STAGES
from cicd_actions.sandbox.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "action_docs.py"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("actions/*/README.md"),
        *ROOT.glob("examples/*/README.md"),
        *ROOT.glob("tests/**/*.md"),
    ]
)
# Hosts that a page may name: well-known documents, the tools' own pages, names that are nobody's.
HOSTS = {"keepachangelog.com", "semver.org", "github.com", "docs.github.com", "127.0.0.1"}
OURS = (*STAGES, *COMMANDS)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("action_docs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docs = load_script()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes from the headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def prose(page: Path) -> str:
    """A page without its generated tables."""
    return re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", page.read_text(), flags=re.DOTALL)


def test_the_generated_tables_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for text, target in re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"[{text}]({target})"
        assert file.is_relative_to(ROOT), f"[{text}]({target})"
        if anchor:
            assert anchor in anchors(file), f"[{text}]({target})"


@every_page
def test_hosts_are_known_ones_or_nobodys(page: Path) -> None:
    for host in re.findall(r"https?://([^/\s:)`\"'>]+)", prose(page)):
        known = host in HOSTS or re.search(r"(^|\.)example(\.com|\.org|\.net)?$", host)
        assert known, f"{host} is named in {page.name}"


@every_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets, named - targets


@every_page
def test_commands_exist(page: Path) -> None:
    for command in re.findall(r"(?:^ {4}|^|`)cicd-actions ([a-z][a-z-]+)", page.read_text(), re.MULTILINE):
        assert command in OURS, f"cicd-actions {command}"


@every_page
def test_actions_that_are_named_exist(page: Path) -> None:
    for slug in re.findall(r"OWNER/cicd-actions/actions/([a-z-]+)@", page.read_text()):
        assert (ROOT / "actions" / slug / "action.yml").is_file(), slug


@every_page
def test_examples_use_pins(page: Path) -> None:
    for used in re.findall(r"uses: ([^\s`]+@[^\s`]+)", page.read_text()):
        assert re.search(r"^OWNER/cicd-actions(/actions/([a-z-]+|<slug>))?@REF$|@[0-9a-f]{40}$", used), used


def test_pages_that_the_code_names_exist() -> None:
    places = [*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").iterdir(), *ROOT.glob("actions/*/action.yml")]
    named = {name for place in places if place.is_file() for name in re.findall(r"\bdocs/\w+\.md", place.read_text())}
    assert named
    for name in named:
        assert (ROOT / name).is_file(), name


def test_the_readme_lists_the_exit_codes() -> None:
    listed = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    codes = [errors.EXIT_OK, errors.EXIT_FAILED, errors.EXIT_CONFIG, errors.EXIT_UPSTREAM, errors.EXIT_BUG]
    assert [int(code) for code in listed] == codes


def test_the_readme_lists_the_scenarios() -> None:
    section = (ROOT / "README.md").read_text().partition("## The sandbox")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(SCENARIOS)


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "docs" / "architecture.md").read_text().partition("## Dependencies")[2].partition("\n## ")[0]
    for dependency in project["dependencies"]:
        name = re.split(r"[\[<>=!~ ]", dependency)[0]
        assert re.search(rf"(^\| |\b){re.escape(name)}\b", text), name


def test_version_and_licence_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert __version__ in (ROOT / "CHANGELOG.md").read_text()
    assert project["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()


# the script itself


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small checkout with one action."""
    write(tmp_path / "action.yml", "description: Set up\nruns: {using: composite}\n")
    write(
        tmp_path / "actions" / "one" / "action.yml",
        "description: Do one | thing\n"
        "inputs:\n"
        "  a-b: {description: 'First <b>\n\n    and more', required: true}\n"
        "  flag: {description: Second, default: false}\n"
        "  either: {description: Third, default: a|b}\n"
        "  none: {description: Fourth}\n"
        "runs: {using: docker}\n",
    )
    markers = "<!-- inputs -->\nold\n<!-- /inputs -->\nkept\n<!-- outputs -->\n<!-- /outputs -->\n"
    write(tmp_path / "actions" / "one" / "README.md", f"# one\n{markers}end\n")
    write(tmp_path / "README.md", "<!-- actions -->\n<!-- /actions -->\n")
    return tmp_path


def test_tables_are_written_and_the_rest_is_kept(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main(["--check"], tree) == 1
    assert "out of date: actions/one/README.md" in capsys.readouterr().err
    assert docs.main([], tree) == 0
    assert docs.main(["--check"], tree) == 0
    assert (tree / "actions" / "one" / "README.md").read_text() == (
        "# one\n<!-- inputs -->\n"
        "| input | what it is | default |\n|---|---|---|\n"
        "| `a-b` | First &lt;b> and more | required |\n"
        "| `flag` | Second | `false` |\n"
        "| `either` | Third | `a\\|b` |\n"
        "| `none` | Fourth |  |\n"
        "<!-- /inputs -->\nkept\n<!-- outputs -->\nNone.\n<!-- /outputs -->\nend\n"
    )
    assert "| [one](actions/one/README.md) | Do one \\| thing | Docker-based |" in (tree / "README.md").read_text()


@pytest.mark.parametrize(
    "text",
    ["", "<!-- actions -->\n", "<!-- /actions -->\n<!-- actions -->\n", "<!-- actions -->\n<!-- /actions -->\n" * 2],
)
def test_a_missing_or_doubled_marker_is_named(tree: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(tree / "README.md", text)
    assert docs.main([], tree) == 1
    assert "README.md needs exactly one pair of <!-- actions -->" in capsys.readouterr().err


def test_a_missing_readme_is_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "actions" / "one" / "README.md").unlink()
    assert docs.main([], tree) == 1
    assert "README.md is missing" in capsys.readouterr().err


def test_code_that_holds_a_backtick_is_fenced_by_two() -> None:
    assert docs.code("a`b") == "``a`b``"
