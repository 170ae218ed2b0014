"""What the stage serves to a page."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from services.stage import http
from services.stage.service import Stage


def page_at(folder: Path, own: Path | None) -> httpx.AsyncClient:
    """A browser before a server whose files lie in `folder`."""
    app = FastAPI()
    stage = cast("Stage", None)  # serving files takes none
    app.include_router(
        http.router(stage, operator_token=SecretStr("t"), web=folder, avatar=folder, own=own, start_room="lydia")
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lydia")


async def test_the_avatar_of_the_settings_is_served_wherever_it_lies(tmp_path: Path) -> None:
    bodies, elsewhere = tmp_path / "bodies", tmp_path / "elsewhere"
    bodies.mkdir()
    elsewhere.mkdir()
    (elsewhere / "real.vrm").write_bytes(b"theirs")
    (bodies / "lydia.vrm").write_bytes(b"hers")
    link = tmp_path / "link.vrm"
    link.symlink_to(elsewhere / "real.vrm")
    async with page_at(bodies, own=link) as page:
        assert (await page.get("/avatar/own.vrm")).content == b"theirs"
        assert (await page.get("/avatar/lydia.vrm")).content == b"hers"
        (elsewhere / "real.vrm").unlink()
        assert (await page.get("/avatar/own.vrm")).status_code == 404, "the page falls back to hers"


async def test_without_one_the_page_is_told_so_without_an_error(tmp_path: Path) -> None:
    async with page_at(tmp_path, own=None) as page:
        answer = await page.get("/avatar/own.vrm")
        assert (answer.status_code, answer.content) == (204, b"")
