"""Deliver Python applications: from a push on ``dev`` to a healthy deployment.

The operations behind the commands, for scripts. Each takes the settings of its stage and the facts of the run and
returns a frozen result; nothing is imported before it is asked for::

    from cicd_actions import RunContext, load_settings, run_quality_gate

    context = RunContext.from_env(os.environ, cwd=Path.cwd(), temp=Path("/tmp"))
    settings = load_settings("quality-gate", {"checks": "black,pytest"}, context)
    result = run_quality_gate(settings, context)
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

__version__ = "0.1.0"

# public name, the module behind it, its name there
_TABLE = (
    ("ActionError", "cicd_actions.errors", "ActionError"),
    ("ConfigError", "cicd_actions.errors", "ConfigError"),
    ("UpstreamError", "cicd_actions.errors", "UpstreamError"),
    ("RunContext", "cicd_actions.runner.context", "RunContext"),
    ("Secret", "cicd_actions.runner.secrets", "Secret"),
    ("run_quality_gate", "cicd_actions.quality.action", "run"),
    ("run_auto_merge", "cicd_actions.merge.action", "run"),
    ("run_test_and_merge", "cicd_actions.pipeline.action", "run"),
    ("run_notify", "cicd_actions.notify.action", "run"),
    ("run_build_and_push", "cicd_actions.image.action", "run"),
    ("run_trivy_gate", "cicd_actions.scan.action", "run"),
    ("run_gitops_tag_update", "cicd_actions.gitops.action", "run"),
    ("set_yaml_values", "cicd_actions.gitops.edit", "set_values"),
)
_PUBLIC = {name: (module, attribute) for name, module, attribute in _TABLE}

__all__ = ["__version__", "load_settings", *_PUBLIC]


def load_settings(slug: str, values: Mapping[str, str], context: Any) -> Any:
    """Return the settings of a command from its inputs.

    Args:
        slug: The command, such as ``quality-gate``.
        values: Input name (kebab-case) to text, as in a workflow's ``with:``.
        context: The facts of the run, a ``RunContext``.

    Raises:
        ConfigError: With every wrong input.
        KeyError: There is no such command.
    """
    from cicd_actions.cli import STAGES
    from cicd_actions.runner.inputs import Inputs

    settings = importlib.import_module(f"{STAGES[slug][0]}.settings")
    return settings.load(Inputs(settings.INPUTS, values), context)


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
