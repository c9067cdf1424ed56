"""The site: ``sphinx-build docs docs/_build`` with the extra ``docs``.

The notebooks of ``examples/`` are executed, and their outputs kept in ``docs/_build/cache`` until a cell changes;
``-D nb_execution_mode=off`` shows them without outputs, in seconds.
"""

import os
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

myst_enable_extensions = ["dollarmath", "colon_fence"]
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
