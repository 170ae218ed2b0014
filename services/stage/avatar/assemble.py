"""Puts her parts, skeleton, materials and expressions into one VRM file."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from services.stage.avatar import rig as rigs
from services.stage.avatar import vrm
from services.stage.avatar.gltf import GltfWriter, Json
from services.stage.avatar.materials import Material
from services.stage.avatar.part import Part
from services.stage.avatar.rig import Rig
from services.stage.avatar.source import Floats

METRES = 0.1  # per modelling unit

# How far relaxed fingers bend at their joints, in degrees, and how much of it each does.
_BENT = {"Proximal": 6.0, "Intermediate": 13.0, "Distal": 8.0}
_FINGERS = {"Index": 0.7, "Middle": 0.9, "Ring": 1.05, "Little": 1.2}


def assemble(parts: Sequence[Part], rig: Rig, materials: Sequence[Material], ground: float) -> bytes:
    """The finished .vrm file. `ground` is the height, in modelling units, that becomes y = 0."""
    writer = GltfWriter("Lydia avatar builder")
    writer.append("samplers", {"magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 10497})
    material_index = {material.name: _add_material(writer, material) for material in materials}
    nodes = _add_skeleton(writer, rig, ground)
    skin = _add_skin(writer, rig, nodes, ground)
    morph_nodes = []
    roots = [nodes["hips"]]
    for part in parts:
        mesh = _add_mesh(writer, part, material_index[part.material], ground)
        node = writer.append("nodes", {"name": part.name, "mesh": mesh, "skin": skin})
        roots.append(node)
        morph_nodes.append((node, list(part.morphs)))
    writer.append("scenes", {"nodes": roots})
    writer.document["scene"] = 0
    eyes = (rig.position("leftEye") + rig.position("rightEye")) / 2 - rig.position("head")
    extensions: Json = {
        "VRMC_springBone": vrm.springs(nodes, rig.chains),
        "VRMC_vrm": vrm.extension(
            {name: nodes[name] for name in rig.humanoid}, morph_nodes, (eyes * METRES).round(5).tolist()
        ),
    }
    writer.document["extensions"] = extensions
    used = {name for material in materials for name in material.extensions}
    writer.document["extensionsUsed"] = sorted(used | set(extensions))
    return writer.to_bytes()


def _metres(points: Floats, ground: float) -> NDArray[np.float32]:
    return ((points - [0.0, ground, 0.0]) * METRES).astype(np.float32)


def _add_material(writer: GltfWriter, material: Material) -> int:
    textures = {
        slot: {"index": writer.image(f"{material.name} {slot}", image.data, image.mime_type)}
        for slot, image in material.textures.items()
    }
    return writer.append("materials", material.to_json(textures))


def _add_skeleton(writer: GltfWriter, rig: Rig, ground: float) -> dict[str, int]:
    rest = t_pose(rig)
    leg = rig.position("leftFoot") - rig.position("leftUpperLeg")
    sunk = float(np.hypot(leg[0], leg[1]) + leg[1])  # how much lower the feet come when the legs stand straight
    nodes: dict[str, int] = {}
    for joint in rig.joints:
        origin = rig.position(joint.parent) if joint.parent else np.array([0.0, ground - sunk, 0.0])
        node: Json = {"name": joint.name, "translation": ((joint.position - origin) * METRES).round(6).tolist()}
        if joint.name in rest:
            node["rotation"] = rest[joint.name].as_quat().round(7).tolist()
        nodes[joint.name] = writer.append("nodes", node)
        if joint.parent:
            writer.document["nodes"][nodes[joint.parent]].setdefault("children", []).append(nodes[joint.name])
    return nodes


def t_pose(rig: Rig) -> dict[str, Rotation]:
    """Rest rotations that turn the arms from the modelled A-pose along ±X, and the legs straight down."""
    rotations: dict[str, Rotation] = {}
    for side, outward in (("left", 1.0), ("right", -1.0)):
        turned = Rotation.identity()
        for bone, end in pairwise(f"{side}{bone}" for bone in ("UpperArm", "LowerArm", "Hand", "MiddleProximal")):
            whole = _turn(rig.position(end) - rig.position(bone), np.array([outward, 0.0, 0.0]))
            rotations[bone] = turned.inv() * whole
            turned = whole
        # Straight fingers look like a mannequin's: hers are bent a little, the little finger most.
        for finger, share in _FINGERS.items():
            for joint, degrees in _BENT.items():
                bent = Rotation.from_euler("z", -outward * share * degrees, degrees=True)
                rotations[f"{side}{finger}{joint}"] = turned.inv() * bent * turned
        leg = (rig.position(f"{side}Foot") - rig.position(f"{side}UpperLeg")) * [1, 1, 0]
        rotations[f"{side}UpperLeg"] = _turn(leg, np.array([0.0, -1.0, 0.0]))
        rotations[f"{side}Foot"] = rotations[f"{side}UpperLeg"].inv()
    return rotations


def _turn(start: Floats, end: Floats) -> Rotation:
    """The smallest rotation from one direction to another."""
    axis = np.cross(start, end)
    angle = np.arctan2(np.linalg.norm(axis), start @ end)
    return Rotation.from_rotvec(axis / max(float(np.linalg.norm(axis)), 1e-12) * angle)


def _add_skin(writer: GltfWriter, rig: Rig, nodes: Mapping[str, int], ground: float) -> int:
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(rig.joints), 1, 1))
    inverse[:, :3, 3] = -_metres(np.array([joint.position for joint in rig.joints]), ground)
    joints = [nodes[joint.name] for joint in rig.joints]
    return writer.append(
        "skins", {"joints": joints, "skeleton": nodes["hips"], "inverseBindMatrices": writer.matrices(inverse)}
    )


def _add_mesh(writer: GltfWriter, part: Part, material: int, ground: float) -> int:
    joints, weights = rigs.four_strongest(part.skin)
    index_type = np.uint16 if len(part.positions) <= 0xFFFF else np.uint32
    attributes = {
        "POSITION": writer.accessor(_metres(part.positions, ground), "VEC3", bounds=True),
        "NORMAL": writer.accessor(part.normals.astype(np.float32), "VEC3"),
        "JOINTS_0": writer.accessor(joints, "VEC4"),
        "WEIGHTS_0": writer.accessor(weights, "VEC4", normalized=True),
    }
    if part.uvs is not None:
        attributes["TEXCOORD_0"] = writer.accessor(part.uvs.astype(np.float32), "VEC2")
    if part.tangents is not None:
        attributes["TANGENT"] = writer.accessor(part.tangents.astype(np.float32), "VEC4")
    primitive: Json = {
        "attributes": attributes,
        "indices": writer.accessor(part.triangles.astype(index_type).ravel(), "SCALAR", indices=True),
        "material": material,
    }
    mesh: Json = {"name": part.name, "primitives": [primitive]}
    if part.morphs:
        primitive["targets"] = [_add_target(writer, part, name) for name in part.morphs]
        mesh["extras"] = {"targetNames": list(part.morphs)}
    return writer.append("meshes", mesh)


def _add_target(writer: GltfWriter, part: Part, name: str) -> Json:
    # Hundredths of a millimetre are below what can be seen; rounding keeps the sparse rows few.
    offsets = (part.morphs[name] * METRES).round(6).astype(np.float32)
    target: Json = {"POSITION": writer.sparse_vec3(offsets, bounds=True)}
    if name in part.morph_normals:
        target["NORMAL"] = writer.sparse_vec3(part.morph_normals[name].round(3).astype(np.float32), bounds=False)
    return target
