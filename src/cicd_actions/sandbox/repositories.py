"""The two repositories of a scenario: the application and its GitOps repository."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cicd_actions.errors import ActionError
from cicd_actions.process import Completed, run
from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox import application
from cicd_actions.sandbox.application import Application
from cicd_actions.sandbox.github.hub import RepositoryView, StandInGitHub
from cicd_actions.sandbox.parts import Substitution, rewrite
from cicd_actions.sandbox.scenarios import Scenario

OWNER = "acme"
AUTHOR = "developer"
COLLEAGUE = "colleague"
VALUES_FILE = "helm-chart/values.yaml"
TEMPLATES = ("test-and-merge.yml", "build-and-deploy.yml")

_VALUES = """\
# Values of the deployment. The pipeline edits image.tag and image.digest, nothing else.
replicaCount: 2

image:
  repository: {image}   # where the pipeline publishes
  pullPolicy: IfNotPresent
  tag: "none"     # set by the pipeline
  digest: ''      # set by the pipeline, together with the tag

service: {{type: ClusterIP, port: 80}}   # flow style stays flow style

resources:
    limits:  {{cpu: 500m, memory: 256Mi}}
"""
_CHART = "apiVersion: v2\nname: {name}\ntype: application\nversion: 0.1.0\n"


def create_app_repository(hub: StandInGitHub, app: Application, templates: Path) -> RepositoryView:
    """Make the application's repository: main holds a README and the two template workflows, unmodified."""
    files = {f".github/workflows/{name}": (templates / name).read_bytes() for name in TEMPLATES}
    hub.account(AUTHOR, name="Developer", emails=(f"{AUTHOR}@example.com",))
    return hub.create_repository(
        f"{OWNER}/{app.name}", {"README.md": f"# {app.name}\n".encode(), **files}, private=True, login=AUTHOR
    )


def create_gitops_repository(hub: StandInGitHub, app: Application, image: str) -> RepositoryView:
    """Make the GitOps repository with a small chart whose values file has comments and mixed styles."""
    files = {"helm-chart/Chart.yaml": _CHART.format(name=app.name), VALUES_FILE: _VALUES.format(image=image)}
    return hub.create_repository(f"{OWNER}/{app.name}-gitops", files, private=True, login=AUTHOR)


def push_application(
    hub: StandInGitHub,
    repository: RepositoryView,
    app: Application,
    scenario: Scenario,
    substitutions: Sequence[Substitution],
) -> tuple[str, list[str]]:
    """Push the application to ``dev`` with git, as its author would.

    Args:
        substitutions: Images that the Dockerfile must not name here, because nothing can answer for them.

    Returns:
        The commit, and notes about what was changed in the application.
    """
    rights = {repository.full_name: {"contents": "write", "workflows": "write"}}
    environment = git_environment(hub.token(AUTHOR, rights))
    with tempfile.TemporaryDirectory(prefix="cicd-actions-push-") as folder:
        checkout = Path(folder) / "checkout"
        _git("clone", "--quiet", repository.clone_url, str(checkout), env=environment)
        _git("-C", str(checkout), "checkout", "--quiet", "-b", "dev", env=environment)
        notes = _write_files(app, scenario, checkout, substitutions)
        _git("-C", str(checkout), "add", "--all", "--force", env=environment)
        _git("-C", str(checkout), "commit", "--quiet", "-m", f"Deliver {app.name}", env=environment)
        sha = _git("-C", str(checkout), "rev-parse", "HEAD", env=environment).stdout.strip()
        _git("-C", str(checkout), "push", "--quiet", "origin", "dev", env=environment)
    return sha, notes


def _write_files(
    app: Application, scenario: Scenario, checkout: Path, substitutions: Sequence[Substitution]
) -> list[str]:
    notes = []
    own = tuple(path for path in app.paths if path.startswith(".github/workflows/"))
    if own:
        notes.append(f"Left out: the application's own workflows ({', '.join(own)}); the templates take their place.")
    kept = tuple(path for path in app.paths if path not in own)
    application.copy_application(Application(name=app.name, root=app.root, paths=kept), checkout)
    if scenario.failing_test:
        application.add_failing_test(app, checkout)
    if scenario.vulnerable_image:
        application.add_vulnerable_package(checkout)
    if any(one.rewrite for one in substitutions):
        dockerfile = checkout / "Dockerfile"
        dockerfile.write_text(rewrite(dockerfile.read_text(encoding="utf-8"), substitutions), encoding="utf-8")
    return notes


def move_main(repository: RepositoryView) -> str:
    """Put another commit on main, as a colleague's push would; return it."""
    return repository.commit_files(
        {"NEWS.md": "Something else was merged meanwhile.\n"}, message="Add news", login=COLLEAGUE, branch="main"
    )


def clone_for_job(repository: RepositoryView, ref_name: str, sha: str, target: Path) -> Path:
    """Make the checkout that a job gets: branch ``ref_name`` at ``sha``, remote ``origin`` at the stand-in."""
    env = git_environment(Secret())
    _git("clone", "--quiet", "--no-checkout", str(repository.path), str(target), env=env)
    _git("-C", str(target), "checkout", "--quiet", "-B", ref_name, sha, env=env)
    _git("-C", str(target), "remote", "set-url", "origin", repository.clone_url, env=env)
    return target


def git_environment(token: Secret) -> dict[str, str]:
    """Return an environment for git with our identity, no configuration of this machine and no prompt."""
    settings = {"user.name": "Developer", "user.email": f"{AUTHOR}@example.com", "init.defaultBranch": "main"}
    if token:
        login = base64.b64encode(f"x-access-token:{token.reveal()}".encode()).decode()
        settings["http.extraHeader"] = f"Authorization: Basic {login}"
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    env |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
    return env | _git_config(settings)


def _git_config(settings: Mapping[str, str]) -> dict[str, str]:
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env


def _git(*words: str, env: Mapping[str, str]) -> Completed:
    done = run(["git", *words], env=env, timeout=300)
    if not done.ok:
        raise ActionError(f"git {' '.join(words[:4])} failed: {done.stderr.strip()[-500:]}")
    return done
