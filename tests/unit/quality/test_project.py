"""What the project looks like and what it configures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from cicd_actions.errors import ConfigError
from cicd_actions.quality.config import read_config
from cicd_actions.quality.install import Plan, plan_install
from cicd_actions.quality.project import Project, coverage_omissions, coverage_sources, is_test, read_project
from cicd_actions.quality.revision import Revision


def project(folder: Path, files: dict[str, str]) -> Project:
    """A folder without git, read as the gate reads it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_project(folder, Revision(root=folder, sha=""), {"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tests/helpers.py", True),
        ("app/test/x.py", True),
        ("test_app.py", True),
        ("app_test.py", True),
        ("conftest.py", True),
        ("app/contests/rank.py", False),
        ("app/testing.py", False),
        ("latest.py", False),
    ],
)
def test_what_is_a_test(name: str, expected: bool) -> None:
    assert is_test(name) is expected


@pytest.mark.parametrize(
    ("files", "sources"),
    [
        (["app.py", "test_app.py"], (".",)),
        (["shop/__init__.py", "shop/web/__init__.py", "shop/web/v.py"], ("shop",)),
        (["src/shop/__init__.py", "src/shop/m.py", "tests/test_m.py"], ("src/shop",)),
        (["src/a/m.py", "setup.py", "docs/conf.py"], ("src/a",)),
        (["tests/test_m.py"], ()),
    ],
)
def test_what_coverage_measures(files: list[str], sources: tuple[str, ...]) -> None:
    assert coverage_sources(files) == sources


def test_what_coverage_leaves_out() -> None:
    assert coverage_omissions(["app.py", "docs/conf.py", "setup.py", "test_app.py"]) == (
        "docs/*",
        "setup.py",
        "test_app.py",
    )


def test_virtual_environments_and_build_folders_are_not_the_project(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        {
            "app.py": "", "build/lib/app.py": "", ".venv/x.py": "", "node_modules/a/b.py": "", "mine/pyvenv.cfg": "",
            "mine/lib/y.py": "",
        },
    )  # fmt: skip
    assert found.python_files == ("app.py",)
    assert found.top_level == ("app.py",)


def test_paths_of_tools_become_paths_in_the_repository(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    found = Project(
        root=tmp_path,
        directory=tmp_path / "service",
        python_files=(),
        files=frozenset(),
        config=read_config(tmp_path / "service", tmp_path),
    )
    assert found.in_repository("./app.py") == "service/app.py"
    assert found.in_repository(str(tmp_path / "service/app.py")) == "service/app.py"
    assert found.in_repository("../../elsewhere.py") == ""


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("pyproject.toml", "[tool.black]\nline-length = 100\n", "black_line_length", 100),
        ("pyproject.toml", "[project]\nname = 'x'\n", "black_line_length", 88),
        (".flake8", "[flake8]\n", "flake8", True),
        ("setup.cfg", "[flake8]\nignore = E1\n", "flake8", True),
        ("tox.ini", "[tox]\n", "flake8", False),
        ("pytest.ini", "[pytest]\naddopts = -q --cov=x\n", "measures_itself", True),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = ['--cov']\n", "measures_itself", True),
        ("setup.cfg", "[tool:pytest]\naddopts = --cov-fail-under=91.5\n", "fail_under", Fraction("91.5")),
        (".coveragerc", "[report]\nfail_under = 80\n", "fail_under", Fraction(80)),
        ("pyproject.toml", "[tool.coverage.run]\nsource = ['x']\n", "coverage_source", True),
        ("pyproject.toml", "[tool.coverage.report]\nshow_missing = true\n", "coverage_source", False),
    ],
)
def test_the_projects_own_configuration(tmp_path: Path, name: str, text: str, attribute: str, value: object) -> None:
    (tmp_path / name).write_text(text)
    assert getattr(read_config(tmp_path, tmp_path), attribute) == value


def test_configuration_is_found_above_the_application_but_not_above_the_repository(tmp_path: Path) -> None:
    service = tmp_path / "repository" / "service"
    service.mkdir(parents=True)
    (tmp_path / ".flake8").write_text("[flake8]\n")
    (tmp_path / "repository" / "pyproject.toml").write_text(
        "[tool.black]\nline-length = 99\n[tool.bandit]\nskips = []\n"
    )

    config = read_config(service, tmp_path / "repository")

    assert (config.black_line_length, config.flake8) == (99, False)
    assert config.bandit == ("-c", str(tmp_path / "repository" / "pyproject.toml"))


@pytest.mark.parametrize(("name", "text"), [("pyproject.toml", "= broken"), ("setup.cfg", "no section")])
def test_a_broken_configuration_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        read_config(tmp_path, tmp_path)


_BUILD = "[build-system]\nrequires = ['hatchling']\n[project]\nname = 'x'\nversion = '1'\n"
_HASHED = "a==1 --hash=sha256:00\n"


@pytest.mark.parametrize(
    ("files", "plan"),
    [
        pytest.param({}, Plan(), id="nothing"),
        pytest.param({"requirements.txt": "a\n"}, Plan(files=("requirements.txt",)), id="requirements"),
        pytest.param(
            {"requirements.txt": _HASHED, "requirements-dev.txt": "b\n"},
            Plan(locked=("requirements.txt",), files=("requirements-dev.txt",)),
            id="locked and open",
        ),
        pytest.param(
            {"requirements.txt": "a\n", "requirements/test.txt": "b\n", "requirements/dev.txt": "c\n"},
            Plan(files=("requirements.txt", "requirements/test.txt")),
            id="tests before development",
        ),
        pytest.param({"pyproject.toml": _BUILD}, Plan(editable="."), id="package"),
        pytest.param(
            {"pyproject.toml": _BUILD + "[project.optional-dependencies]\ntests = ['b']\ndev = ['c']\n"},
            Plan(editable=".[tests]"),
            id="extra for tests",
        ),
        pytest.param(
            {"pyproject.toml": _BUILD + "[project.optional-dependencies]\ndev = ['c']\n"},
            Plan(editable=".[dev]"),
            id="extra for development",
        ),
        pytest.param(
            {
                "pyproject.toml": _BUILD
                + "[dependency-groups]\ntests = ['b', {include-group = 'Web.App'}]\nweb-app = ['c']\ndev = ['d']\n"
            },
            Plan(editable=".", lines=("b", "c")),
            id="dependency groups",
        ),
        pytest.param(
            {"pyproject.toml": "[dependency-groups]\ndev = [{include-group = 'dev'}, 'x']\n"},
            Plan(lines=("x",)),
            id="a circle of groups",
        ),
        pytest.param(
            {"pyproject.toml": "[project]\nname = 'x'\ndependencies = ['a']\n[dependency-groups]\ndev = ['b']\n"},
            Plan(lines=("a", "b")),
            id="a project that cannot be built",
        ),
        pytest.param({"setup.py": "", "setup.cfg": "[flake8]\n"}, Plan(editable="."), id="setup.py"),
        pytest.param({"setup.cfg": "[flake8]\n"}, Plan(), id="setup.cfg for tools only"),
        pytest.param(
            {"setup.cfg": "[metadata]\nname = x\n[options.extras_require]\ntest = b\n"},
            Plan(editable=".[test]"),
            id="setup.cfg",
        ),
        pytest.param({"pyproject.toml": "[tool.black]\n"}, Plan(), id="pyproject for tools only"),
    ],
)
def test_what_is_installed(tmp_path: Path, files: dict[str, str], plan: Plan) -> None:
    assert plan_install(project(tmp_path, {"app.py": "", **files})) == plan


def test_only_hashes_everywhere_make_a_plan_locked() -> None:
    assert Plan(locked=("requirements.txt",)).is_locked
    assert not Plan(locked=("requirements.txt",), editable=".").is_locked
    assert not Plan().is_locked
