"""Triton's model repository, as it is laid out."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from services.core.inference.port import KINDS
from services.core.inference.triton_repository import lay_out, main, models


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["triton_repository", *arguments])
    main()


def test_every_model_has_a_name_of_its_kind_and_a_shell() -> None:
    assert {"chat.network", "chat.persona", "speech.natural", "speech.espeak", "motion.rules"} <= models().keys()
    for name, path in models().items():
        assert name.partition(".")[0] == path.parts[-3] in KINDS
        assert path.with_suffix(".py").is_file()


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_the_folder_is_a_repository_for_what_it_was_asked_for(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, str(tmp_path / "repository"), "--kind", kind)
    folders = {folder.name: folder for folder in (tmp_path / "repository").iterdir()}
    assert folders.keys() == models().keys()
    for name, folder in folders.items():
        text = (folder / "config.pbtxt").read_text(encoding="utf-8")
        assert f'name: "{name}"' in text
        assert re.findall(r"KIND_\w+", text) == [f"KIND_{kind.upper()}"]
        imported = re.fullmatch(r"from (\S+) import TritonPythonModel as TritonPythonModel\n", _shell(folder))
        assert imported is not None
        assert importlib.util.find_spec(imported[1]) is not None


def _shell(folder: Path) -> str:
    return (folder / "1" / "model.py").read_text(encoding="utf-8")


def test_a_model_finds_what_it_imports_where_variables_are_not_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "app" / "services" / "motion" / "triton"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "rules.py").write_text("TritonPythonModel = 'found'\n", encoding="utf-8")
    run(monkeypatch, str(tmp_path / "repository"), "motion.rules", "--path", str(tmp_path / "app"))
    shell = _shell(tmp_path / "repository" / "motion.rules") + "print(TritonPythonModel)\n"
    # -I, as the process of the models runs: neither PYTHONPATH nor the folder that it is started in counts.
    told = subprocess.run([sys.executable, "-I", "-c", shell], capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout == "found\n", told.stderr


def test_only_the_named_models_are_laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, str(tmp_path), "motion.rules")
    assert [folder.name for folder in tmp_path.iterdir()] == ["motion.rules"]


def test_what_cannot_be_laid_out_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, str(tmp_path), "motion.rulez")
    assert "no model motion.rulez; there are: chat.network, chat.persona" in capsys.readouterr().err
    lay_out(tmp_path, configurations=[models()["motion.rules"]])
    with pytest.raises(SystemExit):
        run(monkeypatch, str(tmp_path))
    assert "there is such a model already. Name a new folder" in capsys.readouterr().err
    assert [folder.name for folder in tmp_path.iterdir()] == ["motion.rules"], "nothing is half done"
