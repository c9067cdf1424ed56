"""The notebooks of examples/: kept without outputs, from the front door alone, and (slow) executed from the top."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


def cells(path, kind):
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_clean_and_uses_the_front_door_alone(path):
    text = path.read_text(encoding="utf-8")
    assert '"outputs": []' in text and '"execution_count": null' in text and "image/png" not in text
    assert cells(path, "markdown")[0].startswith("# ")
    assert not re.search(r"import expost\.|from expost", "\n".join(cells(path, "code")))


def test_five_lines_lead_from_nothing_to_a_picture_of_who_wins_where():
    first = next(path for path in NOTEBOOKS if path.stem == "first-second-best")
    lines = [line for line in cells(first, "code")[0].splitlines() if line.strip()]
    assert len(lines) <= 5 and any(".plot.regions(" in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("EXPOST_PROGRESS", "0")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert any("text/html" in out.get("data", {}) for out in outputs), "no result shows its card"
    said = [out.text for out in outputs if out.output_type == "stream" and out.name == "stderr"]
    assert all(text.startswith("expost: compiling") for text in said)
    if path.stem != "somebody-elses-run":
        assert sum("image/png" in out.get("data", {}) for out in outputs) >= 1
