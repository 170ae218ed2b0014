"""Cutting cloth and piping its edges."""

import numpy as np
import pytest
from scipy import sparse

from services.stage.avatar.sheet import Sheet, borders, cut, joined, piping, thinned


def _square(count: int = 9) -> Sheet:
    y, x = np.mgrid[0:count, 0:count] / (count - 1)
    positions = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    c = np.arange(count * count).reshape(count, count)
    a, b, d, e = c[:-1, :-1].ravel(), c[:-1, 1:].ravel(), c[1:, :-1].ravel(), c[1:, 1:].ravel()
    triangles = np.concatenate([np.stack([a, b, e], axis=1), np.stack([a, e, d], axis=1)])
    skin = sparse.csr_matrix(np.stack([x.ravel(), 1 - x.ravel()], axis=1))
    return Sheet.of(positions, skin, triangles).mapped(positions[:, :2])


def _area(sheet: Sheet) -> float:
    a, b, c = (sheet.positions[sheet.triangles[:, k]] for k in range(3))
    return float(np.cross(b - a, c - a)[:, 2].sum() / 2)


def test_a_cut_runs_exactly_along_its_line_and_keeps_bone_weights_and_pictures() -> None:
    square = _square()
    piece = cut(square, 0.4 - square.positions[:, 0])
    assert _area(piece) == pytest.approx(0.4)
    assert piece.positions[:, 0].max() == pytest.approx(0.4)
    assert np.allclose(piece.uvs, piece.positions[:, :2])
    assert np.allclose(piece.skin.toarray()[:, 0], piece.positions[:, 0])
    assert np.allclose(piece.normals, [0, 0, 1])


def test_the_two_sides_of_a_cut_make_up_the_whole() -> None:
    square = _square()
    field = square.positions[:, 0] + 0.5 * square.positions[:, 1] - 0.6
    assert _area(cut(square, field)) + _area(cut(square, -field)) == pytest.approx(1)


def test_a_square_has_one_border_in_order() -> None:
    square = _square()
    (loop,) = borders(square)
    points = square.positions[loop]
    steps = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1)
    assert len(loop) == 32
    assert np.allclose(steps, 1 / 8)


def test_piping_is_a_closed_tube_around_its_line() -> None:
    square = _square()
    (loop,) = borders(square)
    line = thinned(square.positions, loop, 0.2)
    tube = piping(square, line, 0.01, 5, closed=True)
    assert not borders(tube)
    nearest = np.linalg.norm(tube.positions[:, None] - square.positions[line][None], axis=2).min(axis=1)
    assert np.allclose(nearest, 0.01)
    assert len(joined([square, tube]).triangles) == len(square.triangles) + len(tube.triangles)
