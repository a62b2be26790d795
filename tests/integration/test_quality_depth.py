"""Known findings, the change under test, flaky tests, checks of one's own: the gate through its public command."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML
from tests.support.github import stand_in
from tests.support.quality_project import GREEN, Application, Gate, git, make_application

EVAL = "def run(text):\n    return eval(text)\n"
TESTS = ("--checks", "pytest")
BANDIT = ("--checks", "bandit")


def commit(application: Application, files: dict[str, str], message: str = "Change") -> None:
    for name, text in files.items():
        path = application.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(application.root, "add", "--all")
    git(application.root, "commit", "--quiet", "--allow-empty", f"--message={message}")


def on_a_branch(folder: Path, files: dict[str, str]) -> Application:
    """A checkout of ``dev``, one commit after ``main``."""
    application = make_application(folder, GREEN)
    git(application.root, "branch", "main")
    commit(application, files)
    return application


def sarif(gate: Gate) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(Path(gate.outputs["sarif"]).read_text())
    return data


def entry(**more: Any) -> dict[str, Any]:
    return {
        "check": "bandit", "rule": "B307", "file": "shop/rules.py", "fingerprint": "0", "count": 1, "owner": "ada",
        "reason": "goes with the new parser", "expires": "2999-01-01", **more,
    }  # fmt: skip


def write_list(application: Application, *entries: dict[str, Any]) -> None:
    with (application.root / "known.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump({"version": 1, "findings": list(entries)}, file)


# --- reports


def test_findings_have_fingerprints_and_go_into_sarif_and_junit(tmp_path: Path) -> None:
    twins = EVAL + "\n\ndef again(text):\n    return   eval(text)\n"
    application = make_application(tmp_path, {**GREEN, "shop/my rules.py": twins, "shop/odd.py": "import os\n"})
    first = application.gate("--checks", "bandit,flake8")
    commit(application, {"shop/my rules.py": "# a new first line\n\n" + twins})
    second = application.gate("--checks", "bandit,flake8")

    prints = [[f["fingerprint"] for f in gate.check("bandit")["findings"]] for gate in (first, second)]
    assert prints[0] == prints[1]
    assert len(prints[0]) == 2
    assert len(set(prints[0])) == 1  # equal but for blanks
    runs = {run["tool"]["driver"]["name"]: run for run in sarif(second)["runs"]}
    results = runs["bandit"]["results"]
    assert [r["partialFingerprints"]["primaryLocationLineHash"] for r in results] == [
        f"{prints[0][0]}:1", f"{prints[0][0]}:2",
    ]  # fmt: skip
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "shop/my%20rules.py"
    assert place["region"] == {"startLine": 4}
    assert runs["flake8"]["invocations"][0]["executionSuccessful"] is True
    root = ElementTree.parse(Path(second.outputs["report"]).with_name("checks.xml")).getroot()  # noqa: S314
    suites = {suite.get("name"): suite for suite in root}
    assert (suites["bandit"].get("failures"), suites["flake8"].get("tests")) == ("2", "2")


# --- known findings


def test_known_findings_do_not_block_and_new_twins_do(tmp_path: Path) -> None:
    application = make_application(tmp_path, {**GREEN, "shop/rules.py": EVAL})
    wrote = application.gate(*BANDIT, "--write-baseline", "known.yaml", env={"USER": "ada"})
    known = application.gate(*BANDIT, "--findings-baseline", "known.yaml")
    commit(application, {"shop/rules.py": "import abc  # noqa\n\n\n" + EVAL + "\n\n" + EVAL.replace("run", "two")})
    twin = application.gate(*BANDIT, "--findings-baseline", "known.yaml")

    assert wrote.code == 1  # writing the list does not change the verdict
    (row,) = YAML(typ="safe").load(application.root / "known.yaml")["findings"]
    assert (row["rule"], row["file"], row["count"], row["owner"]) == ("B307", "shop/rules.py", 1, "ada")
    assert datetime.date.fromisoformat(row["expires"]) > datetime.datetime.now(datetime.UTC).date()
    assert (known.code, known.state("bandit"), known.state("known-findings")) == (0, "passed", "passed")
    assert [f["blocking"] for f in known.check("bandit")["findings"]] == [False]
    (suppressed,) = sarif(known)["runs"][0]["results"]
    assert suppressed["suppressions"][0]["justification"].startswith("ada: ")
    assert (twin.code, twin.outputs["findings"]) == (1, "1")
    assert "1 of them known, 1 new" in twin.check("bandit")["detail"]


def test_an_expired_entry_fails_with_its_reason_and_an_unused_one_is_listed(tmp_path: Path) -> None:
    application = make_application(tmp_path, {**GREEN, "shop/rules.py": EVAL})
    application.gate(*BANDIT, "--write-baseline", "known.json")
    (row,) = json.loads((application.root / "known.json").read_text())["findings"]
    expired = row | {"expires": "2020-01-31", "reason": "goes with the old parser"}
    write_list(application, expired, entry(rule="B101", owner="grace", count=2))

    gate = application.gate(*BANDIT, "--findings-baseline", "known.yaml")

    assert (gate.code, gate.state("bandit"), gate.state("known-findings")) == (1, "findings", "findings")
    (finding,) = gate.check("known-findings")["findings"]
    assert "until 2020-01-31: goes with the old parser" in finding["message"]
    assert any("2 of 2 bandit B101" in note and "grace" in note for note in gate.report["notes"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param({"expires": "soon"}, "needs a day (YYYY-MM-DD) in expires", id="day"),
        pytest.param({"count": 0}, "needs a whole number above 0 in count", id="count"),
        pytest.param({"owner": " "}, "needs a text in owner", id="owner"),
        pytest.param({"until": "x"}, "has unknown keys: until", id="unknown key"),
        pytest.param({"check": "pytest"}, "never accepted by a list", id="tests"),
    ],
)
def test_a_list_that_is_not_exactly_as_it_must_be_is_refused(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    application = make_application(tmp_path, GREEN)
    write_list(application, entry(), entry(rule="B101", **wrong))

    gate = application.gate(*BANDIT, "--findings-baseline", "known.yaml")

    assert gate.code == 2
    assert f"entry 2 {said}" in gate.stderr or said in gate.stderr


@pytest.mark.parametrize("text", ["", "[]", "version: 2\nfindings: []\n", "a: b: c", "version: 1\nfindings: {}\n"])
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, text: str) -> None:
    application = make_application(tmp_path, GREEN)
    (application.root / "known.yaml").write_text(text)

    assert application.gate(*BANDIT, "--findings-baseline", "known.yaml").code == 2
    assert application.gate(*BANDIT, "--findings-baseline", "gone.yaml").code == 2


# --- the change


def test_patch_coverage_counts_the_lines_of_the_change_only(tmp_path: Path) -> None:
    application = make_application(tmp_path, {**GREEN, "shop/old.py": "def never():\n    return 1\n"})
    git(application.root, "branch", "main")
    prices = GREEN["shop/prices.py"] + "\n\ndef half(price):\n    if price:\n        return price / 2\n    return 0\n"
    commit(application, {"shop/prices.py": prices})

    below = application.gate(*TESTS, "--patch-coverage-floor", "50", "--base", "main", actions=True)
    above = application.gate(*TESTS, "--patch-coverage-floor", "25")

    assert (below.code, below.outputs["patch-coverage"]) == (1, "25.00")  # def, if, two returns: one is executed
    (finding,) = below.check("patch-coverage")["findings"]
    assert (finding["file"], finding["line"]) == ("shop/prices.py", 7)
    assert "lines 7-9" in finding["message"]
    assert "Patch coverage:" in below.summary
    assert (above.code, above.state("patch-coverage")) == (0, "passed")
    assert above.report["change"]["files"] == ["shop/prices.py"]


def test_the_base_comes_from_the_event(tmp_path: Path) -> None:
    application = on_a_branch(tmp_path, {"shop/more.py": "ONE = 1\n"})
    main = git(application.root, "rev-parse", "main")
    git(application.root, "branch", "-D", "main")
    event = tmp_path / "event.json"
    runner = {"GITHUB_EVENT_PATH": str(event), "GITHUB_EVENT_NAME": "push", "GITHUB_REF_NAME": "dev"}
    words = ("--checks", "flake8", "--only-changed")

    event.write_text(json.dumps({"repository": {"default_branch": "main"}, "before": main}))
    by_push = application.gate(*words, env=runner, actions=True)
    event.write_text(json.dumps({"repository": {"default_branch": "main"}, "before": "0" * 40}))
    new_branch = application.gate(*words, env=runner, actions=True)

    assert by_push.report["change"] == {"base": main, "named": main, "files": ["shop/more.py"]}
    assert new_branch.code == 2
    assert "found no common commit with origin/main, main" in new_branch.stdout
    assert "fetch-depth: 0" in new_branch.stdout


def test_a_shallow_checkout_without_the_base_is_told_and_never_read_as_no_change(tmp_path: Path) -> None:
    origin = on_a_branch(tmp_path / "origin", {"shop/more.py": "ONE = 1\n"})
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=dev", f"file://{origin.root}", str(clone))
    (tmp_path / "temp").mkdir()

    gate = Application(root=clone, temp=tmp_path / "temp").gate(
        "--checks", "flake8", "--only-changed", "--base", "main"
    )

    assert gate.code == 2
    assert "the checkout is shallow" in gate.stderr


def test_only_changed_files_are_linted(tmp_path: Path) -> None:
    bad = "import os\ndef f( a ):\n    return eval(a)\n"
    application = make_application(tmp_path, {**GREEN, "shop/old.py": bad})
    git(application.root, "branch", "main")
    words = ("--checks", "black,flake8,bandit", "--only-changed", "--base", "main")
    commit(application, {"README.md": "Words.\n"})
    nothing = application.gate(*words)
    commit(application, {"shop/new.py": bad})
    new = application.gate(*words)
    commit(application, {"pyproject.toml": "[tool.black]\nline-length = 100\n"})
    configured = application.gate(*words)

    assert (nothing.code, [check["state"] for check in nothing.report["checks"]]) == (0, ["passed"] * 3)
    assert "no Python file changed" in nothing.check("black")["detail"]
    assert new.code == 1
    assert {f["file"] for check in new.report["checks"] for f in check["findings"]} == {"shop/new.py"}
    assert {f["file"] for check in configured.report["checks"] for f in check["findings"]} == {
        "shop/new.py", "shop/old.py",
    }  # fmt: skip


def test_the_slowest_tests_are_named(tmp_path: Path) -> None:
    slow = "import time\n\n\ndef test_slow():\n    time.sleep(1.1)\n"
    application = make_application(tmp_path, {**GREEN, "tests/test_slow.py": slow})

    gate = application.gate(*TESTS, actions=True)

    assert gate.report["tests"]["slowest"][0]["test"] == "tests.test_slow::test_slow"
    (line,) = [line for line in gate.summary.splitlines() if line.startswith("Slowest: ")]
    assert "slow (1." in line
    assert "prices" not in line


# --- flaky tests

FLAKY = (
    "from pathlib import Path\n\n\ndef test_second_time():\n    mark = Path(__file__).with_name('mark')\n"
    "    seen = mark.exists()\n    mark.write_text('x')\n    assert seen\n"
)


def test_a_flaky_test_is_called_so_and_fails_unless_allowed(tmp_path: Path) -> None:
    application = make_application(tmp_path, {**GREEN, "tests/test_flaky.py": FLAKY})
    mark = application.root / "tests" / "mark"
    plain = application.gate(*TESTS)
    mark.unlink()
    again = application.gate(*TESTS, "--rerun-failed", "1")
    mark.unlink()
    allowed = application.gate(*TESTS, "--rerun-failed", "1", "--allow-flaky")

    assert (plain.code, plain.outputs["flaky"]) == (1, "0")
    assert (again.code, again.outputs["flaky"], again.outputs["verdict"]) == (1, "1", "failed")
    assert "1 of 2 tests failed; 1 of them flaky" in again.check("pytest")["detail"]
    assert again.outputs["coverage"] == "100.00"  # of the whole run
    assert (allowed.code, allowed.outputs["flaky"], allowed.state("pytest")) == (0, "1", "passed")
    assert any("flaky test: tests.test_flaky::test_second_time" in note for note in allowed.report["notes"])


def test_a_test_that_fails_again_is_no_flaky_one(tmp_path: Path) -> None:
    wrong = "def test_wrong():\n    assert False\n"
    application = make_application(tmp_path, {**GREEN, "tests/test_flaky.py": FLAKY, "tests/test_wrong.py": wrong})

    gate = application.gate(*TESTS, "--rerun-failed", "1", "--allow-flaky")

    assert (gate.code, gate.outputs["flaky"], gate.outputs["findings"]) == (1, "1", "1")
    assert "2 of 3 tests failed; 1 of them flaky" in gate.check("pytest")["detail"]


# --- more checks


def test_mypy_and_ruff_run_where_the_project_configures_them(tmp_path: Path) -> None:
    config = '[tool.mypy]\nstrict = true\n[tool.ruff.lint]\nselect = ["F", "B"]\n'
    wrong = "def f(a=[]):\n    return a\n"
    application = make_application(
        tmp_path, {**GREEN, "pyproject.toml": config, "shop/wrong.py": wrong, "requirements.txt": ""}
    )
    paths = ("--paths", "shop")

    gate = application.gate("--checks", "mypy,ruff", *paths)

    assert (gate.code, gate.state("mypy"), gate.state("ruff")) == (1, "findings", "findings"), gate.stderr
    assert ("no-untyped-def", "shop/wrong.py", 1) in {
        (f["rule"], f["file"], f["line"]) for f in gate.check("mypy")["findings"]
    }
    assert [(f["rule"], f["line"]) for f in gate.check("ruff")["findings"]] == [("B006", 1)]


CHECKS = {
    "list.py": (
        "import json\nprint(json.dumps([{'message': 'odd', 'rule': 'X1', 'file': 'shop/prices.py', 'line': 2}]))\n"
    ),
    "sarif.py": (
        "import json\nplace = {'physicalLocation': {'artifactLocation': {'uri': 'shop/prices.py'}, 'region': "
        "{'startLine': 3}}}\nprint(json.dumps({'runs': [{'results': [{'ruleId': 'S1', 'level': 'error', 'message': "
        "{'text': 'bad'}, 'locations': [place]}, {'level': 'note', 'message': {'text': 'by the way'}}]}]}))\n"
    ),
    "junit.py": (
        'print(\'<testsuite><testcase classname="a" name="b"><failure message="no"/></testcase></testsuite>\')\n'
    ),
    "plain.py": "import sys\nprint('not today')\nsys.exit(1)\n",
}


def test_checks_of_ones_own_tell_findings_in_four_ways(tmp_path: Path) -> None:
    files = {f"tools/{name}": text for name, text in CHECKS.items()}
    application = make_application(tmp_path, {**GREEN, **files})
    lines = ("a json python tools/list.py", "b sarif python tools/sarif.py", "c junit python tools/junit.py",
             "d plain python tools/plain.py", "e plain python -c pass", "f json python -c print('x')",
             "g plain no-such-command", "h json python tools/junit.py")  # fmt: skip

    gate = application.gate("--checks", "black", "--paths", "shop", "--custom-checks", "\n".join(lines))

    found = {check["check"]: check for check in gate.report["checks"]}
    assert [found[name]["state"] for name in "abcdefgh"] == [
        *["findings"] * 4, "passed", *["tool-error"] * 3,
    ]  # fmt: skip
    assert [(f["rule"], f["file"], f["line"]) for f in found["a"]["findings"]] == [("X1", "shop/prices.py", 2)]
    assert [(f["rule"], f["line"], f["blocking"]) for f in found["b"]["findings"]] == [
        ("S1", 3, True), ("finding", 0, False),
    ]  # fmt: skip
    assert found["c"]["findings"][0]["rule"] == "a::b"
    assert "not today" in found["d"]["findings"][0]["message"]
    assert (gate.code, gate.outputs["findings"]) == (1, "4")


def test_wrong_inputs_of_these_kinds_are_named(tmp_path: Path) -> None:
    gate = make_application(tmp_path, GREEN).gate(
        "--custom-checks", "black plain x\nA plain x\nb xml x\nc plain", "--rerun-failed", "2", "--base=-x",
        "--write-baseline", "../../../x", "--patch-coverage-floor", "101", "--checks", "flake8",
    )  # fmt: skip

    assert gate.code == 2
    for text in ("takes the name black", "small letters", "has the format 'xml'", "is not NAME FORMAT COMMAND",
                 "rerun-failed", "looks like an option", "leaves the workspace", "patch-coverage-floor: is above 100",
                 "needs the check pytest"):  # fmt: skip
        assert text in gate.stderr, text


# --- the end


def test_sigterm_ends_the_tests_and_leaves_nothing_behind(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    test = (
        "import os, signal, time\nfrom pathlib import Path\n\n\ndef test_it():\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"    Path({str(pid)!r}).write_text(str(os.getpid()))\n    time.sleep(300)\n"
    )
    application = make_application(tmp_path, {**GREEN, "tests/test_long.py": test})
    env = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "INPUT_"))}
    gate = subprocess.Popen(
        [sys.executable, "-m", "cicd_actions", "quality-gate", *TESTS],
        cwd=application.root, env={**env, "RUNNER_TEMP": str(application.temp)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 90
    while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    gate.send_signal(signal.SIGTERM)

    assert gate.wait(timeout=30) == 143
    assert not Path(f"/proc/{pid.read_text()}").exists()
    assert [path.name for path in application.temp.iterdir() if path.name.startswith("quality-scratch")] == []


# --- the ratchet against what main had


def test_the_ratchet_compares_with_the_status_on_main(tmp_path: Path) -> None:
    more = "def never(flag):\n    return 1 if flag else 2\n"
    with stand_in(tmp_path / "hub") as hub:
        hub.account("alice", name="Alice", emails=("alice@example.com",))
        repo = hub.create_repository("acme/shop", dict(GREEN), login="alice")
        first = repo.head("main")
        token = hub.token("github-actions[bot]", {"acme/shop": {"contents": "write", "statuses": "write"}}, kind="job")
        event = tmp_path / "event.json"
        event.write_text(json.dumps({"repository": {"default_branch": "main"}}))

        def gate(sha: str, branch: str, ratchet_token: str = token.reveal()) -> Gate:
            root, temp = tmp_path / f"checkout-{sha[:8]}-{branch}", tmp_path / "temp"
            temp.mkdir(exist_ok=True)
            for file in temp.glob("*"):
                if file.is_file():
                    file.unlink()
            git(tmp_path, "clone", "--quiet", str(repo.path), str(root))
            git(root, "checkout", "--quiet", sha)
            env = {
                "GITHUB_API_URL": hub.api_url, "GITHUB_SERVER_URL": hub.url, "GITHUB_REPOSITORY": "acme/shop",
                "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(event), "GITHUB_SHA": sha,
                "GITHUB_REF_NAME": branch, "INPUT_RATCHET_TOKEN": ratchet_token, "CICD_ACTIONS_RETRY_SECONDS": "1",
            }  # fmt: skip
            words = (*TESTS, "--coverage-ratchet", "0", "--baseline", "status")
            return Application(root=root, temp=temp).gate(*words, env=env, actions=True)

        seeding = gate(first, "main")
        second = repo.commit_files({"shop/more.py": more}, message="More", login="alice", branch="dev")
        fallen = gate(second, "dev")
        hub.faults.add("GET", "/commits", status=503, times=None)
        silent = gate(second, "dev-again")

    assert (seeding.code, seeding.state("coverage")) == (0, "passed"), seeding.stdout
    assert any("nothing to fall below" in note for note in seeding.report["notes"])
    assert any("kept for the next run" in note for note in seeding.report["notes"])
    assert fallen.code == 1
    assert "coverage fell from 100.00 %" in fallen.check("coverage")["findings"][0]["message"]
    assert any(f"main had 100.00 % at {first[:12]}" in note for note in fallen.report["notes"])
    assert not any("kept" in note for note in fallen.report["notes"])
    assert (silent.code, silent.state("coverage")) == (3, "unavailable")
