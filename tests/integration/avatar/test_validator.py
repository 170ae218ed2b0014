"""Her file before the Khronos glTF validator."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.stage.avatar.figures import figures

UNKNOWN = {"VRMC_vrm", "VRMC_springBone"}
"""Extensions that are not Khronos's; their own readers judge them."""


@pytest.fixture(scope="module", params=["full", "lite"])
def data(request: pytest.FixtureRequest) -> bytes:
    built: bytes = request.getfixturevalue(f"{request.param}_bytes")
    return built


@pytest.fixture(scope="module")
def report(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path: Path = tmp_path_factory.mktemp("validator") / "lydia.vrm"
    path.write_bytes(data)
    command = ["node", str(Path(__file__).with_name("validate.mjs")), str(path)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=120)
    judged: dict[str, Any] = json.loads(done.stdout)
    return judged


def test_the_validator_finds_neither_errors_nor_warnings(report: dict[str, Any]) -> None:
    issues = report["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_the_validator_knows_all_of_it_but_what_is_not_khronos(report: dict[str, Any]) -> None:
    told = [issue for issue in report["issues"]["messages"] if issue["severity"] < 3]
    assert {issue["code"] for issue in told} <= {"UNSUPPORTED_EXTENSION"}
    assert sum(any(name in issue["message"] for name in UNKNOWN) for issue in told) == len(told)


def test_the_validator_counts_as_the_builder_does(data: bytes, report: dict[str, Any]) -> None:
    info, counted = report["info"], figures(data)
    assert info["drawCallCount"] == counted.draw_calls
    assert info["totalTriangleCount"] == counted.triangles
    images = [resource["image"] for resource in info["resources"] if "image" in resource]
    assert sum(image["width"] * image["height"] for image in images) * 4 * 4 // 3 == counted.texture_bytes
    assert info["maxInfluences"] == 4
    assert info["hasMorphTargets"] and info["hasSkins"]
