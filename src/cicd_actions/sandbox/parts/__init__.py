"""The real parts of the sandbox: engine, registry, base images, runner image, scanner and its database.

``running(...)`` makes what is missing, starts what has to run, and yields ``Parts``; ``Unavailable`` says why they
cannot be had. Everything is kept in one cache folder, nothing is installed on the machine.
"""

from cicd_actions.sandbox.parts.cache import default_cache
from cicd_actions.sandbox.parts.lifecycle import prepare, running
from cicd_actions.sandbox.parts.model import Parts, Substitution, Unavailable
from cicd_actions.sandbox.parts.programs import find_act
from cicd_actions.sandbox.parts.references import bases, frontend, rewrite
from cicd_actions.sandbox.parts.registry import fresh_registry
from cicd_actions.sandbox.parts.use import action_image_name, build_action_image, provide_base_images

__all__ = [
    "Parts",
    "Substitution",
    "Unavailable",
    "action_image_name",
    "bases",
    "build_action_image",
    "default_cache",
    "find_act",
    "fresh_registry",
    "frontend",
    "prepare",
    "provide_base_images",
    "rewrite",
    "running",
]
