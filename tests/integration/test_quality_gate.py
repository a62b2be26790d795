"""The gate through its public command, on small applications, with the real tools.

Where a test needs an application's environment, pytest is installed from the package index that the machine is
configured for; all other traffic stays on loopback.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.quality_project import GREEN, Application, git, make_application

from cicd_actions.sandbox.osv import OsvServer, serve_osv

ADVISORIES = {
    "advisories": [
        {
            "id": "CVE-2024-22195",
            "title": "jinja2: xmlattr filter lets attacker-chosen keys add HTML attributes",
            "description": "Keys with blanks become attributes of their own.",
            "affects": [
                {
                    "in": "pip",
                    "package": "jinja2",
                    "vulnerable": ["<3.1.3"],
                    "fixed": ["3.1.3"],
                    "vendor_ids": ["GHSA-h5c8-rqwp-cp95"],
                }
            ],
        }
    ]
}
HASH = "sha256:" + "0" * 64
LINTERS = ("--checks", "black,flake8,bandit")
TESTS = ("--checks", "pytest")


@pytest.fixture
def osv(tmp_path: Path) -> Iterator[OsvServer]:
    path = tmp_path / "advisories.json"
    path.write_text(json.dumps(ADVISORIES))
    with serve_osv(path) as server:
        yield server


def green(tmp_path: Path) -> Application:
    return make_application(tmp_path, GREEN)


def test_a_good_application_passes_every_check_and_nothing_is_left_behind(tmp_path: Path, osv: OsvServer) -> None:
    spy = (
        "import os\n\n\ndef test_environment():\n"
        '    names = ("A_TOKEN", "GITHUB_TOKEN", "INPUT_CHECKS", "ACTIONS_X", "GITHUB_OUTPUT")\n'
        "    assert [name for name in names if name in os.environ] == []\n"
        '    assert os.environ["DATABASE_URL"] == "sqlite://"\n'
    )
    application = make_application(
        tmp_path, {**GREEN, "tests/test_environment.py": spy, "requirements.txt": "iniconfig\n"}
    )
    secrets = {"A_TOKEN": "x", "GITHUB_TOKEN": "x", "INPUT_CHECKS": "auto", "ACTIONS_X": "x"}

    gate = application.gate(
        "--audit-url",
        osv.url,
        env={**secrets, "DATABASE_URL": "sqlite://", "GITHUB_SHA": application.sha},
        actions=True,
    )

    assert (gate.code, gate.outputs["verdict"]) == (0, "passed"), gate.stdout
    assert [check["state"] for check in gate.report["checks"]] == ["passed"] * 5
    assert gate.outputs["tested-sha"] == application.sha
    assert gate.outputs["coverage"] == "100.00"
    assert json.loads(gate.outputs["tests"])["passed"] == 2
    assert set(json.loads(gate.outputs["timings"])) == {"black", "flake8", "pytest", "bandit", "pip-audit"}
    assert [name for name, _ in osv.queries] == ["iniconfig"]  # what we added ourselves is not the application's
    assert "Quality gate: passed" in gate.summary
    assert git(application.root, "status", "--porcelain", "--ignored") == ""
    folder = Path(gate.outputs["report"]).parent
    assert {"report.json", "junit.xml", "coverage.json", "coverage.xml"} <= {path.name for path in folder.iterdir()}
    assert [path.name for path in application.temp.iterdir() if path.name.startswith("quality-scratch")] == []


def test_lint_findings_are_all_reported_at_their_lines(tmp_path: Path) -> None:
    bad = "import os\n\n\ndef f( a ):\n    return a == None\n"
    application = make_application(tmp_path, {**GREEN, "shop/bad.py": bad})

    gate = application.gate(*LINTERS, actions=True)

    assert (gate.code, gate.outputs["verdict"]) == (1, "failed")
    assert (gate.state("black"), gate.state("flake8"), gate.state("bandit")) == ("findings", "findings", "passed")
    found = {(finding["rule"], finding["line"]) for finding in gate.check("flake8")["findings"]}
    assert found == {("F401", 1), ("E201", 4), ("E202", 4), ("E711", 5)}
    assert gate.check("black")["findings"][0]["line"] == 4
    assert "::error file=shop/bad.py,line=1,title=flake8 F401::" in gate.stdout
    assert gate.outputs["findings"] == "5"


def test_flake8_follows_black_where_nothing_is_configured(tmp_path: Path) -> None:
    line = 'NAME = "' + "x" * 90 + '"\n'
    short = make_application(tmp_path / "default", {**GREEN, "shop/names.py": line})
    config = "[tool.black]\nline-length = 120\n"
    long = make_application(tmp_path / "long", {**GREEN, "shop/names.py": line, "pyproject.toml": config})
    own = make_application(tmp_path / "own", {**GREEN, "shop/names.py": line, ".flake8": "[flake8]\nignore = E501\n"})

    assert [f["rule"] for f in short.gate(*LINTERS).check("flake8")["findings"]] == ["E501"]
    assert long.gate(*LINTERS).state("flake8") == "passed"
    assert own.gate(*LINTERS).state("flake8") == "passed"


def test_a_syntax_error_is_a_tool_error_of_each_linter(tmp_path: Path) -> None:
    gate = make_application(tmp_path, {**GREEN, "shop/broken.py": "def f(:\n    pass\n"}).gate(*LINTERS)

    assert (gate.code, gate.outputs["verdict"]) == (1, "error")
    assert [gate.state(name) for name in ("black", "flake8", "bandit")] == ["tool-error"] * 3
    for name in ("black", "flake8", "bandit"):
        assert [finding["file"] for finding in gate.check(name)["findings"]] == ["shop/broken.py"]


def test_bandit_blocks_from_medium_and_reports_the_rest(tmp_path: Path) -> None:
    low = "import subprocess\n\nRUN = subprocess.run\n"
    only_low = make_application(tmp_path / "low", {**GREEN, "shop/low.py": low}).gate("--checks", "bandit")
    medium = "def f(text):\n    return eval(text)\n"
    application = make_application(tmp_path / "medium", {**GREEN, "shop/medium.py": medium, "tests/test_m.py": medium})
    gate = application.gate("--checks", "bandit")
    config = '[tool.bandit]\nskips = ["B307"]\n'
    skipped = make_application(tmp_path / "skip", {**GREEN, "shop/medium.py": medium, "pyproject.toml": config})

    assert (only_low.code, [f["blocking"] for f in only_low.check("bandit")["findings"]]) == (0, [False])
    assert gate.code == 1
    assert [(f["rule"], f["file"], f["line"]) for f in gate.check("bandit")["findings"]] == [
        ("B307", "shop/medium.py", 2)
    ]
    assert skipped.gate("--checks", "bandit").code == 0


def test_a_failing_test_is_annotated_at_the_line_that_failed(tmp_path: Path) -> None:
    test = (
        "from shop.prices import total\n\n\ndef check(value):\n    # a helper\n"
        "    assert value == 4, '<b>|@all::error::'\n"
        "\n\ndef test_wrong():\n    check(total([1, 2]))\n\n\ndef test_right():\n    assert total([]) == 0\n"
    )
    gate = make_application(tmp_path, {**GREEN, "tests/test_wrong.py": test}).gate(*TESTS, actions=True)

    assert (gate.code, gate.outputs["verdict"]) == (1, "failed")
    (finding,) = gate.check("pytest")["findings"]
    assert (finding["file"], finding["line"]) == ("tests/test_wrong.py", 6)
    assert "1 of 3 tests failed" in gate.check("pytest")["detail"]
    assert "::error file=tests/test_wrong.py,line=6,title=pytest tests.test_wrong" in gate.stdout
    assert "<b>" not in gate.summary
    assert "@all" not in gate.summary


def test_no_tests_are_no_pass(tmp_path: Path) -> None:
    application = make_application(
        tmp_path, {"app.py": "X = 1\n", "tests/test_skip.py": "import pytest\n\npytest.skip(allow_module_level=True)\n"}
    )
    git(application.root, "rm", "--quiet", "tests/test_skip.py")
    git(application.root, "commit", "--quiet", "--message=No tests")

    gate = application.gate(*TESTS)

    assert (gate.code, gate.state("pytest"), gate.outputs["verdict"]) == (2, "not-run", "error")
    assert "pytest collected no tests" in gate.check("pytest")["detail"]
    assert "input tests" in gate.check("pytest")["remedy"]


def test_only_skipped_tests_are_no_pass(tmp_path: Path) -> None:
    test = "import pytest\n\n\n@pytest.mark.skip\ndef test_nothing():\n    pass\n"
    gate = make_application(tmp_path, {"app.py": "X = 1\n", "test_app.py": test}).gate(*TESTS)

    assert (gate.code, gate.state("pytest")) == (2, "not-run")


def test_a_collection_error_is_a_tool_error_at_its_file(tmp_path: Path) -> None:
    gate = make_application(tmp_path, {**GREEN, "tests/test_lost.py": "import no_such_module_here\n"}).gate(*TESTS)

    assert (gate.code, gate.state("pytest"), gate.outputs["verdict"]) == (1, "tool-error", "error")
    (finding,) = gate.check("pytest")["findings"]
    assert (finding["file"], finding["line"]) == ("tests/test_lost.py", 1)
    assert "no_such_module_here" in finding["message"]


@pytest.mark.parametrize(
    ("body", "words", "said"),
    [
        pytest.param("import os\n    os.abort()", (), "crashed (SIGABRT)", id="crash"),
        pytest.param("import time\n    time.sleep(60)", ("--timeout", "3s"), "was ended after 3 s", id="timeout"),
    ],
)
def test_tests_that_end_without_a_report_are_a_tool_error(
    tmp_path: Path, body: str, words: tuple[str, ...], said: str
) -> None:
    test = f"def test_it():\n    {body}\n"
    gate = make_application(tmp_path, {**GREEN, "tests/test_it.py": test}).gate(*TESTS, *words)

    assert (gate.code, gate.state("pytest")) == (1, "tool-error")
    assert said in gate.check("pytest")["detail"]


def test_coverage_is_compared_on_exact_counts(tmp_path: Path) -> None:
    source = "def f(x):\n    return x\n\n\ndef g(x):\n    return x\n\n\ndef h(x):\n    return x\n"
    test = "from shop.m import f, g\n\n\ndef test_f():\n    assert f(1) == g(1)\n"
    application = make_application(tmp_path, {"shop/__init__.py": "", "shop/m.py": source, "tests/test_m.py": test})
    exact = 100 * 5 / 6  # 83.333...

    below = application.gate(*TESTS, "--coverage-floor", "83.34")
    above = application.gate(*TESTS, "--coverage-floor", f"{exact:.6f}".rstrip("0")[:8])
    fallen = application.gate(*TESTS, "--coverage-ratchet", "1", "--baseline", "90")
    kept = application.gate(*TESTS, "--coverage-ratchet", "0", "--baseline", above.outputs["report"])

    assert (below.code, below.state("coverage"), below.state("pytest")) == (1, "findings", "passed")
    assert below.outputs["coverage"] == "83.33"
    assert "1 more of 6 statements and branches" in below.check("coverage")["findings"][0]["message"]
    assert above.code == 0
    assert (fallen.code, [f["rule"] for f in fallen.check("coverage")["findings"]]) == (1, ["ratchet"])
    assert (kept.code, kept.state("coverage")) == (0, "passed")


def test_a_project_that_measures_coverage_itself_keeps_its_floor(tmp_path: Path) -> None:
    config = '[tool.pytest.ini_options]\naddopts = "--cov=shop --cov-fail-under=100 --cov-report=term"\n'
    extra = {"pyproject.toml": config, "shop/more.py": "def never():\n    return 1\n"}
    application = make_application(tmp_path, {**GREEN, **extra})

    own = application.gate(*TESTS)
    ours = application.gate(*TESTS, "--coverage-floor", "50")

    assert (own.code, own.state("pytest"), own.state("coverage")) == (1, "passed", "findings")
    assert (ours.code, ours.state("coverage")) == (0, "passed")


def test_an_audit_finding_blocks_and_names_the_line(tmp_path: Path, osv: OsvServer) -> None:
    locked = f"# locked\nmarkupsafe==2.1.5 --hash={HASH}\njinja2==3.1.2 --hash={HASH}\n"
    application = make_application(tmp_path, {"app.py": "X = 1\n", "requirements.txt": locked})

    gate = application.gate("--checks", "pip-audit", "--audit-url", osv.url)

    assert (gate.code, gate.state("pip-audit")) == (1, "findings")
    (finding,) = gate.check("pip-audit")["findings"]
    assert (finding["rule"], finding["file"], finding["line"]) == ("CVE-2024-22195", "requirements.txt", 3)
    assert "fixed in 3.1.3" in finding["message"]
    assert "1 known vulnerability in 1 package" in gate.check("pip-audit")["detail"]


def test_an_audit_looks_at_what_is_installed_where_nothing_is_locked(tmp_path: Path, osv: OsvServer) -> None:
    application = make_application(tmp_path, {"app.py": "X = 1\n", "requirements.txt": "jinja2==3.1.2\n"})

    gate = application.gate("--checks", "pip-audit", "--audit-url", osv.url)

    assert (gate.code, gate.state("pip-audit")) == (1, "findings")
    assert sorted(name for name, _ in osv.queries) == ["jinja2", "markupsafe"]


def test_an_unreachable_feed_is_unavailable_and_no_finding(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1/query"
        application = make_application(
            tmp_path, {"app.py": "X = 1\n", "requirements.txt": f"jinja2==3.1.6 --hash={HASH}\n"}
        )
        gate = application.gate("--checks", "pip-audit,flake8", "--audit-url", url)

    assert (gate.code, gate.outputs["verdict"]) == (3, "unavailable")
    assert (gate.state("pip-audit"), gate.state("flake8")) == ("unavailable", "passed")
    assert gate.check("pip-audit")["findings"] == []


def test_a_package_with_a_test_extra_is_installed_and_the_checkout_stays_clean(tmp_path: Path) -> None:
    pyproject = (
        '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "shop"\nversion = "1"\n[project.optional-dependencies]\ntest = ["iniconfig"]\n'
    )
    files = {
        "pyproject.toml": pyproject,
        "src/shop/__init__.py": "VALUE = 1\n",
        "tests/test_shop.py": "import iniconfig  # noqa\nimport shop\n\n\ndef test_it():\n    assert shop.VALUE\n",
    }
    application = make_application(tmp_path, files)

    gate = application.gate(*TESTS)

    assert gate.code == 0, gate.stderr
    assert gate.outputs["coverage"] == "100.00"
    assert any("installed .[test]" in note for note in gate.report["notes"])
    assert git(application.root, "status", "--porcelain", "--ignored") == ""


def test_an_installation_that_fails_says_why_and_the_linters_still_report(tmp_path: Path) -> None:
    application = make_application(tmp_path, {**GREEN, "requirements.txt": "./no-such-folder\n"})

    gate = application.gate("--checks", "pytest,flake8")

    assert (gate.code, gate.state("pytest"), gate.state("flake8")) == (1, "tool-error", "passed")
    assert "no-such-folder" in gate.check("pytest")["detail"]


def test_commands_of_ones_own_install_into_the_environment(tmp_path: Path) -> None:
    test = "from pathlib import Path\n\n\ndef test_it():\n    assert Path('made').read_text() == 'yes'\n"
    script = (
        "import sys\nfrom pathlib import Path\n\nassert sys.prefix != sys.base_prefix\nPath('made').write_text('yes')\n"
    )
    application = make_application(tmp_path, {"install.py": script, "test_it.py": test})

    assert application.gate(*TESTS, "--install", "python install.py").code == 0
    failed = application.gate(*TESTS, "--install", "python no_such_script.py")
    assert (failed.code, failed.state("pytest")) == (1, "tool-error")


def test_every_wrong_input_is_named_at_once(tmp_path: Path) -> None:
    gate = green(tmp_path).gate(
        "--checks", "blakc", "--coverage-floor", "120", "--python-version", "3.1", "--install", "pip install a && b",
        "--paths", "nowhere", "--tests", "../x", "--coverage-ratchet", "1", "--audit-url", "ftp://x", "--timeout", "0",
    )  # fmt: skip

    assert gate.code == 2
    for text in (
        "checks: 'blakc' is not allowed", "Perhaps you meant 'black'", "coverage-floor: is above 100 (given: '120')",
        "quote it: '3.10'", "shell syntax", "'nowhere' does not exist", "leaves the working directory",
        "has nothing to compare with", "audit-url", "timeout",
    ):  # fmt: skip
        assert text in gate.stderr, text


@pytest.mark.parametrize(
    ("files", "words", "said"),
    [
        pytest.param({}, (), "holds no Python file", id="empty repository"),
        pytest.param({"a.txt": ""}, (), "holds no Python file", id="no Python"),
        pytest.param({"app.py": ""}, ("--working-directory", "gone"), "is no folder", id="no folder"),
        pytest.param({"app.py": "", "pyproject.toml": "["}, (), "pyproject.toml", id="broken pyproject"),
        pytest.param({"app.py": ""}, ("--checks", "safety"), "neither a key nor a database", id="safety"),
        pytest.param({"app.py": ""}, ("--python-version", "3.99"), "no Python 3.99 was found", id="no such Python"),
    ],
)
def test_what_cannot_be_tested_is_one_clear_error(
    tmp_path: Path, files: dict[str, str], words: tuple[str, ...], said: str
) -> None:
    gate = make_application(tmp_path, files).gate(*words)

    assert (gate.code, gate.outputs["verdict"], gate.outputs["tested-sha"]) == (2, "error", "")
    assert said in gate.stderr


def test_another_commit_than_the_events_is_refused(tmp_path: Path) -> None:
    gate = green(tmp_path).gate(*LINTERS, env={"GITHUB_SHA": "1" * 40, "GITHUB_EVENT_NAME": "push"}, actions=True)

    assert gate.code == 2
    assert gate.outputs["tested-sha"] == ""


def test_changed_tracked_files_leave_no_tested_commit(tmp_path: Path) -> None:
    application = green(tmp_path)
    (application.root / "shop" / "prices.py").write_text("X = 1\n")

    gate = application.gate(*LINTERS, actions=True)

    assert (gate.code, gate.outputs["tested-sha"]) == (0, "")
    assert gate.report["changed_files"] == ["shop/prices.py"]
    assert "No commit was tested" in gate.stdout


def test_a_folder_without_a_commit_is_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("x = 1\n")
    words = [sys.executable, "-m", "cicd_actions", "quality-gate", "--checks", "black"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "No commit was tested: this folder is no git checkout with a commit." in done.stdout
