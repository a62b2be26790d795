"""Compiled modules for images: compiling them anew costs time in every build step, and seconds under emulation."""

from __future__ import annotations

import importlib.util
import marshal
import sys
import warnings

_LEFT_OUT = ("/idlelib/", "/lib2to3/", "/pydoc_data/", "/test/", "/tests/", "/turtledemo/")


def compiled(version: str, name: str, content: bytes, *, modified: int = 0) -> tuple[str, bytes] | None:
    """Name and content of the compiled module; None when this Python is another version, or for what is no module.

    ``name`` is the module's path without the leading slash, ``modified`` its time of modification in the image.
    """
    if version != f"{sys.version_info.major}.{sys.version_info.minor}" or not name.endswith(".py"):
        return None
    if any(part in f"/{name}" for part in _LEFT_OUT):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(content, f"/{name}", "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return None  # templates and the like
    # PEP 552: flags 0, then the source's time and size.
    numbers = (0, modified & 0xFFFFFFFF, len(content) & 0xFFFFFFFF)
    header = importlib.util.MAGIC_NUMBER + b"".join(number.to_bytes(4, "little") for number in numbers)
    folder, _, file = name.rpartition("/")
    target = f"{folder}/__pycache__/{file.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    return target, header + marshal.dumps(code)
