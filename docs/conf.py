"""The site: ``sphinx-build docs docs/_build`` with the extra ``docs``.

The notebooks of ``examples/`` are executed, and their outputs kept in ``docs/_build/cache`` until a cell changes;
``-D nb_execution_mode=off`` shows them without outputs, in seconds.
"""

import inspect
import os
import re
import shutil
from pathlib import Path

from expost import __version__

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples"

project = "expost"
author = "The expost authors"
project_copyright = "the expost authors"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "pages", "**.ipynb_checkpoints"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

html_theme = "furo"
html_title = f"expost {__version__}"
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "cache")
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
os.environ["EXPOST_PROGRESS"] = "0"  # the notebooks' kernels: bars are for people

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "inherited-members": False}
nitpicky = True

# Notebooks live where people look for them, and Sphinx reads only what lies below its own folder.
shutil.copytree(HERE.parent / "examples", EXAMPLES, dirs_exist_ok=True)


def commands() -> str:
    """The page of the command line: what each command says of itself."""
    from typer.main import get_command

    from expost.cli import app

    group = get_command(app)
    parts = ["# The command line", group.help or ""]
    for name, command in sorted(group.commands.items()):
        if not command.hidden:
            with command.make_context(name, [], resilient_parsing=True, max_content_width=100) as context:
                context.info_name = f"expost {name}"
                parts += [f"## expost {name}", f"```text\n{command.get_help(context).strip()}\n```"]
    return "\n\n".join(parts) + "\n"


(HERE / "commands.md").write_text(commands(), encoding="utf-8")


def listed(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """What a docstring says of each argument as a list: ``grid: points per signal. jobs: ...`` becomes two entries."""
    del app, name, options
    if what not in ("function", "method", "class", "exception"):
        return
    try:
        names = [word for word in inspect.signature(obj).parameters if word != "self"]
    except (TypeError, ValueError):
        return
    names += [word for kind in getattr(obj, "__mro__", ()) for word in getattr(kind, "__annotations__", {})]
    if not names:
        return
    one = "|".join(map(re.escape, sorted(set(names), key=len, reverse=True)))
    entry = re.compile(rf"(?:(?<=^)|(?<=[.;)] ))((?:{one})(?:, (?:{one}))*): ")
    out: list[str] = []
    for paragraph in "\n".join(lines).split("\n\n"):
        text = " ".join(paragraph.split())
        if paragraph[:1].isspace() or not entry.search(text):
            out += [*paragraph.splitlines(), ""]
            continue
        before, *rest = entry.split(text)
        out += [before.strip(), ""] if before.strip() else []
        out += [f"* **{word}**: {said.strip()}" for word, said in zip(rest[::2], rest[1::2], strict=True)]
        out.append("")
    lines[:] = out


def setup(app: object) -> None:
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", listed)  # type: ignore[attr-defined]
