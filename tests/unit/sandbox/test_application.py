"""Which files of a folder are pushed, and what the scenarios change in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cicd_actions.errors import ConfigError
from cicd_actions.sandbox import application


def make(folder: Path, *paths: str) -> Path:
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")
    return folder


def test_a_plain_folder_gives_its_files_without_environments_and_caches(tmp_path: Path) -> None:
    make(tmp_path, "Dockerfile", "app/__init__.py", "tests/unit/test_app.py", ".venv/lib/x.py", "app/__pycache__/a.pyc")
    app = application.read_application(tmp_path)
    assert app.paths == ("Dockerfile", "app/__init__.py", "tests/unit/test_app.py")
    assert app.test_folder == "tests/unit"


def test_a_git_checkout_gives_what_git_does_not_ignore(tmp_path: Path) -> None:
    make(tmp_path, "Dockerfile", "test_app.py", "local.env", "new.py")
    (tmp_path / ".gitignore").write_text("*.env\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", "Dockerfile"], check=True)
    app = application.read_application(tmp_path)
    assert app.paths == (".gitignore", "Dockerfile", "new.py", "test_app.py")
    assert app.test_folder == ""


@pytest.mark.parametrize(
    ("paths", "what"),
    [((), "holds no files"), (("test_a.py",), "has no Dockerfile"), (("Dockerfile", "app.py"), "has no tests")],
)
def test_what_cannot_go_through_is_refused_with_a_remedy(tmp_path: Path, paths: tuple[str, ...], what: str) -> None:
    make(tmp_path, *paths)
    with pytest.raises(ConfigError, match=what) as caught:
        application.read_application(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        application.read_application(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My_App.v2", "my-app-v2"),
        ("--x--", "x"),
        ("日本", "app"),
        ("a" * 80, "a" * 60),
        ("flask-tutorial", "flask-tutorial"),
    ],
)
def test_names_suit_github_and_registries(text: str, name: str) -> None:
    assert application.repository_name(text) == name


def test_links_and_modes_are_kept(tmp_path: Path) -> None:
    source = make(tmp_path / "app", "Dockerfile", "test_a.py", "run.sh")
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("run.sh")
    app = application.read_application(source)
    application.copy_application(app, tmp_path / "copy")
    assert (tmp_path / "copy" / "link").is_symlink()
    assert (tmp_path / "copy" / "run.sh").stat().st_mode & 0o111


def test_the_failing_test_is_put_beside_the_tests_and_fails(tmp_path: Path) -> None:
    app = application.read_application(make(tmp_path, "Dockerfile", "tests/test_a.py"))
    application.add_failing_test(app, tmp_path)
    added = tmp_path / "tests" / "test_scenario_tests_fail.py"
    scope: dict[str, object] = {}
    exec(compile(added.read_text(), str(added), "exec"), scope)  # noqa: S102 - our own text
    with pytest.raises(AssertionError, match="red test"):
        scope["test_that_fails_on_purpose"]()  # type: ignore[operator]


def test_the_vulnerable_package_is_appended_to_the_last_stage(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a AS b\nFROM c\nUSER app")
    application.add_vulnerable_package(tmp_path)
    text = (tmp_path / "Dockerfile").read_text()
    assert text.startswith("FROM a AS b\nFROM c\nUSER app\n")
    assert text.rstrip().endswith("Name: PyYAML\nVersion: 5.3\nEOF")
