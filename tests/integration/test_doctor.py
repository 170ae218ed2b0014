"""The doctor looks at everything, names what is wrong, and says how to mend it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from services import doctor
from services.doctor import Finding, examine, report
from tests.end_to_end.tiny_vrm import tiny_vrm


@pytest.fixture
def language_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server that lists its models as an OpenAI-compatible one does."""

    class Models(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with_key = self.path == "/with-key/models" and self.headers["authorization"] == "Bearer sesame"
            found = self.path == "/v1/models" or with_key
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"data": [{"id": "qwen3:4b"}]} if found else {}).encode())

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(doctor, "LOCAL_SERVERS", {"Ollama": server.server_port})
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def settings(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"LYDIA_DATA_DIR": str(tmp_path / "data"), "LYDIA_HTTP__PORT": "0", **more}


def found(findings: list[Finding], what: str) -> Finding:
    return next(finding for finding in findings if finding.what == what)


async def test_on_a_machine_that_was_set_up_all_is_well(tmp_path: Path, language_model: int) -> None:
    findings = await examine(settings(tmp_path))
    assert [finding for finding in findings if not finding.well] == []
    assert report(findings, Console(quiet=True))
    model = found(findings, "language model")
    assert "qwen3:4b" in model.seen
    assert f"LYDIA_CHAT__BASE_URL=http://127.0.0.1:{language_model}/v1" in model.mend


async def test_what_is_wrong_is_named_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language_model: int
) -> None:
    del language_model
    monkeypatch.setattr(doctor, "PAGES", tmp_path)
    monkeypatch.setattr(doctor, "BODY", tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = {"LYDIA_HTTP__PORT": str(taken.getsockname()[1])}
        findings = await examine(settings(tmp_path) | busy | {"LYDIA_CHAT__BASE_URL": "http://127.0.0.1:1/v1"})
    for what in ("address", "pages", "her body", "language model"):
        assert not found(findings, what).well
        assert found(findings, what).mend
    assert not report(findings, Console(quiet=True))


async def test_where_other_machines_reach_her_anybody_may_write_unless_there_is_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language_model: int
) -> None:
    del language_model
    monkeypatch.setattr(doctor, "_PARTS", {})
    public = settings(tmp_path, LYDIA_HTTP__HOST="0.0.0.0")  # noqa: S104
    open_to_all = found(await examine(public), "address")
    assert not open_to_all.well
    assert "LYDIA_AUTH__MESSAGE_TOKEN" in open_to_all.mend
    assert found(await examine(public | {"LYDIA_AUTH__MESSAGE_TOKEN": "sesame"}), "address").well
    assert found(await examine(settings(tmp_path)), "address").well


async def test_what_is_configured_is_looked_at_as_she_would_use_it(tmp_path: Path, language_model: int) -> None:
    url = f"http://127.0.0.1:{language_model}/with-key"
    files = {"LYDIA_AUDIENCE__WORDS": "/no/such.yaml", "LYDIA_RECORD_DIR": "/dev/null/records"}
    servers = {"LYDIA_CHAT__BASE_URL": url, "LYDIA_CHAT__API_KEY": "sesame", "LYDIA_SPEECH__BASE_URL": url}
    findings = await examine(settings(tmp_path, **files, **servers))
    assert found(findings, "language model").well
    for what, name in (("own rules", "WORDS"), ("recording", "RECORD_DIR"), ("speech server", "LYDIA_SPEECH__API_KEY")):
        assert not found(findings, what).well
        assert name in found(findings, what).mend
    told = " ".join(finding.seen + finding.mend for finding in findings)
    assert "sesame" not in told


async def test_the_avatar_of_the_settings_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language_model: int
) -> None:
    del language_model
    monkeypatch.setattr(doctor, "_PARTS", {})
    path = tmp_path / "theirs.vrm"
    for content, well, told in (
        (tiny_vrm([], version="0.x"), True, "VRM 0.x"),
        (tiny_vrm([], version="no VRM"), False, "no VRM part"),
    ):
        path.write_bytes(content)
        findings = await examine(settings(tmp_path, LYDIA_STAGE__AVATAR=str(path)))
        own = found(findings, "own avatar")
        assert own.well == well
        assert told in own.seen
        assert str(path) in own.seen
    assert own.mend == "export it as VRM, or unset LYDIA_STAGE__AVATAR"


async def test_wrong_settings_do_not_keep_it_from_looking_at_the_rest(tmp_path: Path, language_model: int) -> None:
    del language_model
    findings = await examine(settings(tmp_path, LYDIA_STAGE__LEAD_MS="soon", LYDIA_NO_SUCH="1"))
    wrong = [finding.seen for finding in findings if finding.what == "settings"]
    assert any("LYDIA_STAGE__LEAD_MS" in line for line in wrong)
    assert any("LYDIA_NO_SUCH" in line for line in wrong)
    assert found(findings, "fast voice").well
