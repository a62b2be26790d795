"""One scenario from the push to its outcome."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from cicd_actions.process import run as run_program
from cicd_actions.runner.secrets import Secret
from cicd_actions.sandbox import parts, registry_view, repositories
from cicd_actions.sandbox.act import Act, Job, find_tree
from cicd_actions.sandbox.application import Application
from cicd_actions.sandbox.evidence import Facts, Played, Published, State, stages
from cicd_actions.sandbox.github.hub import RepositoryView, StandInGitHub
from cicd_actions.sandbox.github.runs import Run, RunOutcome
from cicd_actions.sandbox.machine import Machine
from cicd_actions.sandbox.osv import serve_osv
from cicd_actions.sandbox.outcome import Outcome, WorkflowRun, compare
from cicd_actions.sandbox.scenarios import Scenario

Say = Callable[[str], None]
_RUN_SECONDS = 1800.0
ADVISORIES = Path(parts.__file__).with_name("advisories.json")


@dataclass
class Course:
    """A scenario while it is played; ``played`` grows with every workflow run."""

    app: Application
    scenario: Scenario
    machine: Machine
    actions: Path
    work: Path
    say: Say
    registry_password: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(18)))
    played: list[Played] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self) -> Outcome:
        """Set everything up, push to dev, wait until nothing runs any more, look at what came of it."""
        began = time.time()
        with ExitStack() as stack:
            registry = ""
            if self.machine.start_registry:
                registry = stack.enter_context(
                    self.machine.start_registry(self.work / "registry", repositories.AUTHOR, self.registry_password)
                )
            osv = stack.enter_context(serve_osv(ADVISORIES))
            hub = stack.enter_context(StandInGitHub(self.work / "github", start_run=lambda run: self._start(run)))
            image = f"{registry or 'registry.invalid'}/{repositories.OWNER}/{self.app.name}"
            app_repository = repositories.create_app_repository(hub, self.app, find_tree() / "workflows-templates")
            gitops = repositories.create_gitops_repository(hub, self.app, image)
            self._prepare(hub, gitops, image, osv.url)
            before = (app_repository.head("main"), gitops.head("main"))
            pushed, notes, tested = self._push(hub, app_repository)
            hub.wait_idle(2 * _RUN_SECONDS)
            if self.machine.no_engine:
                self._update_gitops_without_image(hub, app_repository, gitops)
            state = self._state(app_repository, gitops, before, tested, registry)
            facts = Facts(
                pushed=pushed,
                test=self._last("test-and-merge.yml"),
                build=self._last("build-and-deploy.yml"),
                next_started=self._next_started(app_repository),
                state=state,
                no_engine=self.machine.no_engine,
            )
            comments = [f"commit comment by {c.login}:\n{c.body}" for c in app_repository.comments()]
        return self._outcome(facts, comments, [*self.machine.notes, *notes], time.time() - began)

    def _prepare(self, hub: StandInGitHub, gitops: RepositoryView, image: str, audit_url: str) -> None:
        self._hub = hub
        self._act = Act(
            program=self.machine.act,
            image=self.machine.runner_image,
            actions=self.actions,
            environment=self.machine.environment,
            variables={
                "IMAGE": image,
                "REGISTRY_USER": repositories.AUTHOR,
                "GITOPS_REPOSITORY": gitops.full_name,
                "AUDIT_URL": audit_url,
                "TRIVY_DB_REPOSITORY": self.machine.trivy_db,
                "TRIVY_DB_MAX_AGE": "3650d",
            },
            secrets={
                "GITOPS_TOKEN": hub.token("gitops-bot", {gitops.full_name: {"contents": "write"}}, kind="app"),
                "REGISTRY_TOKEN": self.registry_password,
            },
        )

    def _push(self, hub: StandInGitHub, repository: RepositoryView) -> tuple[float, list[str], str]:
        moved = threading.Event()

        def move(_: Run) -> None:
            if not moved.is_set():
                moved.set()
                self.say(f"a colleague's commit lands on main: {repositories.move_main(repository)[:12]}")

        if self.scenario.main_moves:
            hub.on("run_started", move)
        self.say(f"push {self.app.name} to dev")
        pushed = time.time()
        tested, notes = repositories.push_application(
            hub, repository, self.app, self.scenario, self.machine.substitutions
        )
        return pushed, notes, tested

    def _start(self, run: Run) -> RunOutcome:
        """Execute one run with act; called by the stand-in GitHub in its worker thread."""
        workflow = Path(run.workflow_path).name
        if workflow not in repositories.TEMPLATES or (self.machine.no_engine and workflow == repositories.TEMPLATES[1]):
            return RunOutcome(conclusion="skipped")
        self.say(f"run {run.workflow_name} ({run.event} on {run.ref_name}, {run.sha[:12]})")
        view = self._hub.repositories[run.repository.full_name]
        checkout = repositories.clone_for_job(view, run.ref_name, run.sha, self.work / f"run-{run.id}")
        job = Job(
            workflow=run.workflow_path, event_name=run.event, event=run.payload, checkout=checkout,
            actor=run.actor, environment=self._environment(run),
        )  # fmt: skip
        with self.machine.turn(self.say):
            began = time.time()
            succeeded, log = self._act.run(job, run.token, lambda line: self.say(f"  {line}"), _RUN_SECONDS)
        played = Played(
            workflow=workflow,
            event=run.event,
            conclusion="success" if succeeded else "failure",
            started=began,
            ended=time.time(),
            log=log,
        )
        with self._lock:
            self.played.append(played)
        return RunOutcome(conclusion="success" if succeeded else "failure")

    def _environment(self, run: Run) -> dict[str, str]:
        return {
            "GITHUB_SERVER_URL": self._hub.url,
            "GITHUB_API_URL": self._hub.api_url,
            "GITHUB_GRAPHQL_URL": self._hub.graphql_url,
            "GITHUB_REPOSITORY": run.repository.full_name,
            "GITHUB_REPOSITORY_OWNER": run.repository.owner,
            "GITHUB_RUN_ID": str(run.id),
            "GITHUB_RUN_NUMBER": str(run.number),
            "GITHUB_RUN_ATTEMPT": "1",
        }

    def _next_started(self, repository: RepositoryView) -> bool:
        return any(run.event == "workflow_dispatch" for run in self._hub.runs(repository.full_name))

    def _update_gitops_without_image(
        self, hub: StandInGitHub, repository: RepositoryView, gitops: RepositoryView
    ) -> None:
        """Where no image can be built, show the update of the tag alone, with the same command."""
        if not self._next_started(repository):
            return
        tag = f"sha-{repository.head('main')[:7]}"
        token = self._act.secrets["GITOPS_TOKEN"]
        env = {**self.machine.environment, "GITHUB_API_URL": hub.api_url, "GITHUB_SERVER_URL": hub.url}
        env |= {"GITHUB_GRAPHQL_URL": hub.graphql_url, "GITHUB_TOKEN": token.reveal()}
        words = ["gitops-tag-update", "--repository", gitops.full_name, "--file", repositories.VALUES_FILE]
        words += ["--updates", "image.tag={tag}", "--tag", tag]
        done = run_program([sys.executable, "-m", "cicd_actions", *words], env=env, merge_stderr=True, timeout=300)
        self.say(done.stdout.strip())

    def _state(
        self, repository: RepositoryView, gitops: RepositoryView, before: tuple[str, str], tested: str, registry: str
    ) -> State:
        published: Published | None = None
        if registry:
            name = f"{repositories.OWNER}/{self.app.name}"
            published = registry_view.look(registry, name, repositories.AUTHOR, self.registry_password)
        old, new = before[1], gitops.head("main")
        changed = [line[6:] for line in gitops.diff(old, new).splitlines() if line.startswith("+++ b/")]
        return State(
            main_before=before[0],
            main_after=repository.head("main"),
            tested_in_main=repository.is_ancestor(tested, repository.head("main")),
            published=published,
            gitops_commits=[commit.sha for commit in gitops.log(f"{old}..{new}")],
            gitops_files=changed,
            gitops_diff=gitops.diff(old, new),
        )

    def _last(self, workflow: str) -> Played | None:
        return next((played for played in reversed(self.played) if played.workflow == workflow), None)

    def _outcome(self, facts: Facts, notices: list[str], notes: list[str], seconds: float) -> Outcome:
        found = stages(facts)
        state = facts.state
        problems = compare(self.scenario, found)
        if self.scenario.expected_status("merge") != "passed" and state.main_after != state.main_before:
            problems.append("main was moved")
        if self.scenario.expected_status("publish") != "passed" and state.published:
            problems.append("the registry holds the image")
        if self.scenario.expected_status("gitops") != "passed" and state.gitops_commits:
            problems.append("the GitOps repository was changed")
        if self.scenario.failing_test and not notices:
            problems.append("the author was not told")
        return Outcome(
            scenario=self.scenario,
            application=self.app.name,
            stages=found,
            runs=[_shown(played, facts.pushed) for played in self.played],
            image=_image(state.published),
            merge=_merge(facts),
            gitops=(
                {
                    "commit": state.gitops_commits[0],
                    "files": list(state.gitops_files),
                    "diff": state.gitops_diff,
                }
                if state.gitops_commits
                else None
            ),
            notices=notices,
            notes=notes,
            problems=problems,
            seconds=seconds,
        )


def _shown(played: Played, pushed: float) -> WorkflowRun:
    return WorkflowRun(
        name=played.workflow,
        event=played.event,
        conclusion=played.conclusion,
        offset=played.started - pushed,
        seconds=played.ended - played.started,
        log=played.log.lines,
        # a composite action repeats the summaries of its steps as its own
        summaries=list(dict.fromkeys(summary for step in played.log.steps for summary in step.summaries)),
    )


def _image(published: Published | None) -> dict[str, object] | None:
    if published is None:
        return None
    return {
        "reference": published.reference,
        "digest": published.digest,
        "platforms": dict(published.platforms),
        "tags": list(published.tags),
    }


def _merge(facts: Facts) -> dict[str, object] | None:
    outputs = facts.test.log.outputs("merged", "merge-sha") if facts.test else {}
    if outputs.get("merged") != "true":
        return None
    return {
        "tested_sha": outputs.get("tested-sha", ""),
        "merge_sha": outputs.get("merge-sha", ""),
        "method": outputs.get("method-used", ""),
    }
