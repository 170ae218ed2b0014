"""Local subdivision: smooth inside, still and without cracks on the border."""

from collections import Counter

import numpy as np
import pytest

from services.stage.avatar.refine import RefinedMesh, refine
from services.stage.avatar.source import BaseMesh, Floats, Ints

SIZE = 5


def _grid(height: Floats) -> BaseMesh:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    positions = np.stack([x.ravel(), y.ravel(), height.ravel()], axis=1).astype(float)
    corner = np.arange(SIZE * SIZE).reshape(SIZE, SIZE)
    quads = np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]], axis=-1).reshape(-1, 4)
    return BaseMesh(positions, positions[:, :2] / SIZE, quads, quads, np.full(len(quads), "body"))


def _open_edges(refined: RefinedMesh) -> set[tuple[int, int]]:
    edges: Counter[tuple[int, int]] = Counter()
    for a, b, c in refined.triangles.tolist():
        edges.update([(a, b), (b, c), (c, a)])
    return {edge for edge in edges if edge[::-1] not in edges}


@pytest.mark.parametrize("chosen", [np.array([5]), np.array([5, 6, 9, 10]), np.arange(16)])
def test_partly_split_surfaces_have_no_cracks(chosen: Ints) -> None:
    refined = refine(_grid(np.zeros((SIZE, SIZE))), np.arange(16), chosen)
    points = refined.matrix @ _grid(np.zeros((SIZE, SIZE))).positions
    for edge in _open_edges(refined):
        middle = points[list(edge)].mean(axis=0)[:2]
        assert np.isclose(middle, 0).any() or np.isclose(middle, SIZE - 1).any()


def test_a_flat_surface_stays_flat_and_keeps_its_area() -> None:
    mesh = _grid(np.zeros((SIZE, SIZE)))
    refined = refine(mesh, np.arange(16), np.array([5, 6]))
    points = refined.matrix @ mesh.positions
    a, b, c = (points[refined.triangles[:, k]] for k in range(3))
    assert np.allclose(points[:, 2], 0)
    assert np.cross(b - a, c - a)[:, 2].sum() / 2 == pytest.approx((SIZE - 1) ** 2)
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_rows_are_weighted_means_so_that_any_attribute_can_pass_through() -> None:
    refined = refine(_grid(np.zeros((SIZE, SIZE))), np.arange(16), np.arange(16))
    assert np.allclose(np.asarray(refined.matrix.sum(axis=1)), 1)
    assert refined.matrix.data.min() > 0


def test_a_spike_inside_the_chosen_faces_is_smoothed_and_one_outside_is_kept() -> None:
    height = np.zeros((SIZE, SIZE))
    height[2, 2] = height[0, 4] = 1.0
    mesh = _grid(height)
    refined = refine(mesh, np.arange(16), np.array([5, 6, 9, 10]))
    points = refined.matrix @ mesh.positions
    assert 0 < points[2 * SIZE + 2, 2] < 0.7
    assert points[4, 2] == 1.0
