"""What a VRM file says of itself: enough to refuse at start what no page could wear.

Only the description at the head of the file is read, not its meshes and pictures: the page does that, and has the last
word. Both versions are understood (vrm-c/vrm-specification: `VRM` is 0.x, `VRMC_vrm` is 1.0).
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MAX_BYTES = 100_000_000
"""As on the page: larger files would not fit a phone's memory."""
REQUIRED_BONES = frozenset(
    {"hips", "spine", "head"}
    | {
        side + bone
        for side in ("left", "right")
        for bone in ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")
    }
)


class BadVrm(Exception):
    """Why a file cannot be worn, and the mend: `… Mend: …`."""


@dataclass(frozen=True)
class VrmFile:
    """A file that can be worn. `version` is "0.x" or "1.0"."""

    version: str
    size: int
    """Bytes."""
    bones: frozenset[str]
    """Humanoid bones, named as VRM names them."""


def read(path: Path) -> VrmFile:
    """Raises BadVrm."""
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "there is no such file"
            raise BadVrm(f"{what}. Mend: name a .vrm file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BadVrm(
                f"has {size / 1e6:.0f} MB of at most {MAX_BYTES / 1e6:.0f}. Mend: export it with smaller pictures"
            )
        with path.open("rb") as file:
            described = _description(file, size)
    except OSError as error:
        raise BadVrm(f"cannot be read ({error.strerror}). Mend: let her read it, or name another file") from None
    extensions = described.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    new, old = extensions.get("VRMC_vrm"), extensions.get("VRM")
    vrm = new or old
    if not isinstance(vrm, dict):
        raise BadVrm("is a 3D model but not a VRM: it has no VRM part. Mend: export it as VRM")
    bones = _bones(vrm)
    if absent := sorted(REQUIRED_BONES - bones):
        raise BadVrm(
            f"has no whole humanoid, these bones are missing: {', '.join(absent)}. Mend: export it with all of them"
        )
    return VrmFile("1.0" if new else "0.x", size, bones)


def _description(file: BinaryIO, size: int) -> dict[str, Any]:
    """The JSON at the head of a binary glTF file of `size` bytes."""
    no_gltf = BadVrm("is no binary glTF file, so no VRM. Mend: name a .vrm file")
    head = file.read(20)
    if len(head) < 20:
        raise no_gltf
    magic, version, whole, length, chunk = struct.unpack("<4sIII4s", head)
    if (magic, version, chunk) != (b"glTF", 2, b"JSON"):
        raise no_gltf
    if max(whole, 20 + length) > size:
        raise BadVrm("is broken: its end is missing. Mend: copy or export it again")
    broken = BadVrm("is broken: its description cannot be read. Mend: copy or export it again")
    try:
        found = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise broken from None
    if not isinstance(found, dict):
        raise broken
    return found


def _bones(vrm: dict[str, Any]) -> frozenset[str]:
    """Names of the humanoid's bones; in 0.x they stand in a list, and a node of -1 is none."""
    humanoid = vrm.get("humanoid")
    bones = humanoid.get("humanBones") if isinstance(humanoid, dict) else None
    if isinstance(bones, dict):
        return frozenset(bones)
    listed = [bone for bone in bones if isinstance(bone, dict)] if isinstance(bones, list) else []
    return frozenset(
        str(bone.get("bone")) for bone in listed if isinstance(bone.get("node"), int) and bone["node"] >= 0
    )
