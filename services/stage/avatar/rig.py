"""Her skeleton: the source rig's 163 bones folded into the 54 humanoid bones of VRM 1.0.

Bones stand where the shaped mesh puts them. The mesh is bound in its own A-pose; arms and legs rest turned to the
T-pose that VRM wants, so hanging arms come out close to the modelled shape.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from services.stage.avatar.source import Floats, Source

# VRM bone → the source bone whose head it stands on.
_CENTRE = {
    "hips": "spine05",
    "spine": "spine04",
    "chest": "spine02",
    "upperChest": "spine01",
    "neck": "neck01",
    "head": "head",
}
_SIDE = {
    "Eye": "eye",
    "Shoulder": "clavicle",
    "UpperArm": "upperarm01",
    "LowerArm": "lowerarm01",
    "Hand": "wrist",
    "UpperLeg": "upperleg01",
    "LowerLeg": "lowerleg01",
    "Foot": "foot",
    "Toes": "toe2-1",
    "ThumbMetacarpal": "finger1-1",
    "ThumbProximal": "finger1-2",
    "ThumbDistal": "finger1-3",
} | {
    f"{finger}{joint}": f"finger{number}-{place}"
    for number, finger in enumerate(("Index", "Middle", "Ring", "Little"), start=2)
    for place, joint in enumerate(("Proximal", "Intermediate", "Distal"), start=1)
}
_FOLDED_EXTRA = {  # source bones that are no descendants of the bone that should carry them
    "root": "hips",
    "pelvis.L": "hips",
    "pelvis.R": "hips",
} | {f"toe{toe}-1.{side}": f"{name}Toes" for toe in (1, 3, 4, 5) for side, name in (("L", "left"), ("R", "right"))}


@dataclass(frozen=True)
class Joint:
    name: str  # VRM humanoid bone name, or the name of a spring joint
    parent: str | None
    position: Floats  # (3,) in the bind pose, decimetres


@dataclass(frozen=True)
class Rig:
    joints: list[Joint]  # parents before children
    weights: sparse.csr_matrix  # (base vertices, humanoid bones), rows sum to 1; columns as the first `joints`
    chains: list[list[str]] = field(default_factory=list)  # spring joints, each chain from its root to its end

    @property
    def humanoid(self) -> list[str]:
        """Names of the humanoid bones."""
        springs = {name for chain in self.chains for name in chain}
        return [joint.name for joint in self.joints if joint.name not in springs]

    def index(self, name: str) -> int:
        return next(i for i, joint in enumerate(self.joints) if joint.name == name)

    def position(self, name: str) -> Floats:
        return self.joints[self.index(name)].position


def build(source: Source, shaped: Floats) -> Rig:
    """The humanoid rig of a shaped base mesh."""
    humanoid = dict(_CENTRE)
    for prefix, suffix in (("left", "L"), ("right", "R")):
        humanoid |= {f"{prefix}{name}": f"{bone}.{suffix}" for name, bone in _SIDE.items()}
    carrier = {bone: name for name, bone in humanoid.items()} | _FOLDED_EXTRA

    def carried_by(bone: str) -> str:
        while bone not in carrier:
            bone = source.bones[bone]["parent"]
        return carrier[bone]

    def parent_of(name: str) -> str | None:
        above = source.bones[humanoid[name]]["parent"]
        return None if name == "hips" else carried_by(above)

    ordered: list[str] = []
    waiting = list(humanoid)
    while waiting:
        ready = [name for name in waiting if parent_of(name) is None or parent_of(name) in ordered]
        ordered += ready
        waiting = [name for name in waiting if name not in ready]
    joints = [Joint(name, parent_of(name), _place(source, shaped, humanoid[name])) for name in ordered]

    column = {name: i for i, name in enumerate(ordered)}
    rows, columns, values = [], [], []
    for bone, pairs in source.bone_weights.items():
        for vertex, weight in pairs:
            rows.append(vertex)
            columns.append(column[carried_by(bone)])
            values.append(weight)
    weights = sparse.csr_matrix((values, (rows, columns)), shape=(len(shaped), len(ordered)))
    return Rig(joints, weights)


def _place(source: Source, shaped: Floats, bone: str) -> Floats:
    head: dict[str, Any] = source.bones[bone]["head"]
    match head["strategy"]:
        case "CUBE":
            return shaped[source.groups[head["cube_name"]]].mean(axis=0)  # type: ignore[no-any-return]
        case "VERTEX":
            return shaped[head["vertex_index"]]  # type: ignore[no-any-return]
        case "MEAN":
            return shaped[head["vertex_indices"]].mean(axis=0)  # type: ignore[no-any-return]
        case other:
            raise ValueError(f"bone {bone}: unknown strategy {other}")


def four_strongest(skin: sparse.csr_matrix) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The four strongest bones of each vertex (n, 4) and their weights as bytes that sum to 255."""
    dense = skin.toarray()
    joints = np.argsort(-dense, axis=1, kind="stable")[:, :4]
    weights = np.take_along_axis(dense, joints, axis=1)
    weights = np.floor(weights / weights.sum(axis=1, keepdims=True) * 255).astype(np.int64)
    weights[:, 0] += 255 - weights.sum(axis=1)  # the first is the strongest
    joints[weights == 0] = 0
    return joints.astype(np.uint8), weights.astype(np.uint8)
