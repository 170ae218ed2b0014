"""The small parts of the file: accessors, bone weights, expressions, pictures."""

import json
import struct

import numpy as np
import pytest
from scipy import sparse

from services.stage.avatar import vrm
from services.stage.avatar.blendshapes import ARKIT_NAMES
from services.stage.avatar.gltf import GltfWriter
from services.stage.avatar.lids import LashGrid
from services.stage.avatar.paint import FrontDrawing, rasterise, ribbon, smooth_step
from services.stage.avatar.rig import four_strongest


def test_a_file_announces_its_own_lengths_and_pads_to_four_bytes() -> None:
    writer = GltfWriter("test")
    writer.accessor(np.arange(3, dtype=np.uint16), "SCALAR", indices=True)
    data = writer.to_bytes()
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    assert len(data) % 4 == 0
    length, _ = struct.unpack_from("<I4s", data, 12)
    document = json.loads(data[20 : 20 + length])
    assert document["bufferViews"][0]["byteLength"] == 6
    assert document["buffers"][0]["byteLength"] == 8


def test_sparse_accessors_store_only_what_moves() -> None:
    writer = GltfWriter("test")
    offsets = np.zeros((1000, 3), dtype=np.float32)
    offsets[[3, 700]] = [[1, 2, 3], [0, 0, -1]]
    writer.sparse_vec3(offsets, bounds=True)
    accessor = writer.document["accessors"][0]
    assert accessor["sparse"]["count"] == 2
    assert accessor["min"] == [0, 0, -1]
    assert accessor["max"] == [1, 2, 3]
    assert sum(view["byteLength"] for view in writer.document["bufferViews"]) == 2 * 2 + 2 * 12


def test_an_accessor_of_zeros_needs_no_bytes() -> None:
    writer = GltfWriter("test")
    writer.sparse_vec3(np.zeros((5, 3), dtype=np.float32), bounds=False)
    assert "sparse" not in writer.document["accessors"][0]
    assert "bufferViews" not in writer.document


def test_the_four_strongest_bones_keep_the_whole_weight() -> None:
    joints, weights = four_strongest(
        sparse.csr_matrix([[0.4, 0.3, 0.1, 0.1, 0.1], [0, 0, 0, 0, 1], [0.999, 0.001, 0, 0, 0]])
    )
    assert joints[0, :2].tolist() == [0, 1]
    assert joints[1].tolist() == [4, 0, 0, 0]
    assert weights[2].tolist() == [255, 0, 0, 0]
    assert joints[2].tolist() == [0, 0, 0, 0]  # a bone without weight is not named
    assert weights.sum(axis=1).tolist() == [255, 255, 255]


def test_presets_use_known_shapes_with_sensible_weights() -> None:
    for preset, shapes in vrm.preset_shapes().items():
        assert set(shapes) <= set(ARKIT_NAMES), preset
        assert all(0 < weight <= 1 for weight in shapes.values()), preset
    assert vrm.preset_shapes()["aa"]["jawOpen"] <= 0.6


def test_points_on_a_lash_strip_are_mixes_of_its_corners_and_run_past_its_tips() -> None:
    grid = LashGrid(np.arange(15).reshape(3, 5))  # rows: inside the lid, edge, tips
    positions = np.stack([np.tile(np.arange(5.0), 3), np.repeat([0.0, 1.0, 2.0], 5)], axis=1)
    at = grid.at(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.5, 1.2]), 15) @ positions
    assert np.allclose(at, np.array([[0, 1], [2, 1.5], [4, 2.2]]))


def test_rasterising_mixes_corner_values_and_fills_what_no_triangle_covers() -> None:
    uvs = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    image = rasterise(uvs, np.array([[0, 1, 2]]), np.array([[0.0], [1.0], [0.0]]), 32)[..., 0]
    assert image[0, 16] == pytest.approx(16.5 / 32, abs=1e-3)
    assert image[20, 0] == pytest.approx(0.5 / 32, abs=1e-3)
    assert image[31, 31] > 0.3  # nearest covered texel


def test_a_stroke_darkens_its_place_only() -> None:
    drawing = FrontDrawing((-1, 1), (-1, 1), 200)
    drawing.polygon(ribbon(np.array([[-0.5, 0.2], [0.5, 0.2]]), lambda t: 0.1 + 0 * t))
    shade = drawing.sample(np.array([[0.0, 0.2], [0.0, -0.2], [0.9, 0.2]]), 0.002)
    assert shade[0] > 0.99
    assert shade[1:].max() < 0.01


def test_smooth_step_also_falls() -> None:
    assert smooth_step(1.0, 0.0, np.array([-1.0, 0.5, 2.0])).tolist() == [1.0, 0.5, 0.0]
