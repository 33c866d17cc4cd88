"""The notebook of `examples/` runs, from recordings to a package."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "from_wavs_to_package.ipynb"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's own
def test_the_notebook_goes_from_recordings_to_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.setenv(
        "PATH", str(Path(sys.executable).parent)
    )  # without compilers and emulators; others check packages
    work = tmp_path / "work"
    work.mkdir()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is kept without outputs"
    (training,) = (cell for cell in notebook.cells if "budget_s=10" in cell.source)
    training.source = training.source.replace("budget_s=10", "budget_s=2")  # how good the model gets is not looked at
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(work)}}).execute()
    shown = ["".join(str(output) for output in cell.get("outputs", [])) for cell in notebook.cells]
    (confusion,) = [shown[number] for number, cell in enumerate(notebook.cells) if cell.source.endswith("confusion")]
    assert "telephone" in confusion
    written = {path.name for path in (work / "products").iterdir()}
    assert "splits" in written and any(name.startswith("stm32-") for name in written)
    assert (work / "products" / "splits" / "train.csv").is_file()
