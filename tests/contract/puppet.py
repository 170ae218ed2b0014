"""A model that does as it is told, for the contract of inference."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from services.core.events import TextSegment, VoiceChunk
from services.core.inference import ModelFailed

FOLDER = "PUPPET_FOLDER"


class Puppet:
    """TextSegment → VoiceChunks. The text is JSON: `answers` (how many), `pause_s` before each, `bytes` of each,
    `fails` or `breaks` after so many, `note`: a file of `folder` that says how far it came and how it ended;
    `pid` names its process.
    """

    def __init__(self, folder: Path) -> None:
        """While the file `not-ready` lies in the folder it is not."""
        self._folder = folder

    async def ready(self) -> bool:
        return not (self._folder / "not-ready").exists()

    async def stream(self, request: TextSegment) -> AsyncIterator[VoiceChunk]:
        told: dict[str, Any] = json.loads(request.text)
        note = self._folder / told.get("note", "note")
        ended = "closed"
        (self._folder / "pid").write_text(str(os.getpid()))
        note.write_text("begun")
        try:
            for number in range(told.get("answers", 1)):
                await asyncio.sleep(told.get("pause_s", 0))
                if number == told.get("fails", -1):
                    raise ModelFailed("as it was told")
                if number == told.get("breaks", -1):
                    raise ValueError("a secret")
                yield VoiceChunk(
                    room_id=request.room_id,
                    turn_id=request.turn_id,
                    sequence=number,
                    pcm_s16le=os.urandom(told.get("bytes", 8)),
                    text=request.text,
                )
            ended = "finished"
        finally:
            note.write_text(ended)
