"""A VRM file named in the settings is refused at start when no page could wear it, with the reason and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.places import BODY
from services.stage.vrm_file import MAX_BYTES, BadVrm, read
from tests.end_to_end.tiny_vrm import glb, tiny_vrm


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "avatar.vrm"


def test_both_versions_are_read(path: Path) -> None:
    for version, file in (("1.0", tiny_vrm([])), ("0.x", tiny_vrm([], version="0.x"))):
        path.write_bytes(file)
        found = read(path)
        assert (found.version, found.size) == (version, len(file))
        assert {"hips", "head", "leftEye"} <= found.bones


def test_her_own_body_could_be_named_too() -> None:
    assert read(BODY / "lydia.vrm").version == "1.0"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        pytest.param(b"", "is no binary glTF file", id="empty"),
        pytest.param(b"a picture, or something else", "is no binary glTF file", id="no glTF"),
        pytest.param(b'{"asset": {"version": "2.0"}}', "is no binary glTF file", id="glTF as text"),
        pytest.param(tiny_vrm([], version="no VRM"), "not a VRM", id="no VRM"),
        pytest.param(tiny_vrm([], without="spine"), "bones are missing: spine.", id="1.0 without spine"),
        pytest.param(tiny_vrm([], version="0.x", without="leftHand"), "missing: leftHand.", id="0.x without hand"),
        pytest.param(glb({"extensions": {"VRM": {"humanoid": None}}}, b""), "missing: head,", id="no humanoid"),
        pytest.param(glb({"extensions": {"VRM": [1]}}, b""), "not a VRM", id="no mapping"),
        pytest.param(glb({"extensions": 3}, b""), "not a VRM", id="no extensions"),
        pytest.param(tiny_vrm([])[:-1], "its end is missing", id="cut off"),
        pytest.param(tiny_vrm([]).replace(b'{"asset"', b'{"asset ', 1), "cannot be read", id="no JSON"),
    ],
)
def test_what_no_page_could_wear_is_refused_with_a_mend(path: Path, file: bytes, told: str) -> None:
    path.write_bytes(file)
    with pytest.raises(BadVrm, match=told) as refused:
        read(path)
    assert ". Mend: " in str(refused.value)


def test_a_bone_of_no_node_is_no_bone(path: Path) -> None:
    bones = [{"bone": "hips", "node": -1}, {"bone": "spine"}, "nonsense"]
    path.write_bytes(glb({"extensions": {"VRM": {"humanoid": {"humanBones": bones}}}}, b""))
    with pytest.raises(BadVrm, match=r"hips.*spine"):
        read(path)


def test_a_file_too_large_for_phones_is_refused_unread(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1_000_000)
    with pytest.raises(BadVrm, match="has 101 MB of at most 100"):
        read(path)


def test_a_file_that_is_not_there_and_a_folder_are_refused(path: Path) -> None:
    with pytest.raises(BadVrm, match="there is no such file"):
        read(path)
    with pytest.raises(BadVrm, match="is a folder"):
        read(path.parent)
