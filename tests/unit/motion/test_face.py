"""The face's 61 values have their names, places and one measure of openness."""

from __future__ import annotations

import numpy as np
import pytest

from services.motion import face


def test_the_order_is_that_of_live_link_face() -> None:
    assert face.SIZE == 61
    assert face.SHAPES == 52
    places = {"EyeBlinkLeft": 0, "EyeBlinkRight": 7, "JawOpen": 17, "MouthClose": 18, "MouthPucker": 20}
    places |= {"TongueOut": 51, "HeadYaw": 52, "HeadRoll": 54, "LeftEyeYaw": 55, "RightEyeRoll": 60}
    assert {name: face.INDEX[name] for name in places} == places


def test_names_are_written_as_arkit_writes_them_too() -> None:
    assert face.ARKIT_NAMES[17] == "jawOpen"
    assert len(set(face.ARKIT_NAMES)) == 61


def test_a_name_without_a_side_means_both_sides() -> None:
    smiling = face.vector(mouthSmile=0.5, jawOpen=0.2)
    assert smiling[face.INDEX["MouthSmileLeft"]] == smiling[face.INDEX["MouthSmileRight"]] == 0.5
    assert smiling.sum() == pytest.approx(1.2)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        face.vector(mouthSmirk=0.5)


def test_lips_are_apart_by_the_jaw_less_what_closes_them() -> None:
    assert face.aperture(face.vector(jawOpen=0.4)) == pytest.approx(0.4)
    assert face.aperture(face.vector(jawOpen=0.4, mouthClose=0.4)) == 0
    assert face.aperture(face.vector(mouthLowerDown=0.2, mouthUpperUp=0.2)) == pytest.approx(0.2)
    assert face.aperture(face.vector(jawOpen=0.3, mouthPress=0.2, mouthRollLower=0.2)) == pytest.approx(0.15)
    assert face.aperture(face.vector(mouthPress=1)) == 0


def test_aperture_is_measured_frame_by_frame() -> None:
    faces = np.stack([face.vector(), face.vector(jawOpen=0.5)])
    assert face.aperture(faces).tolist() == [0, 0.5]
