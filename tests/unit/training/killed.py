"""Trains the tiny task and dies while it writes its second checkpoint. For tests."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from unittest.mock import patch

from loadtests.training.tiny import Counting
from services.training import checkpoint
from services.training.loop import fit
from tests.unit.training.ranks import OPTIONS

publish = checkpoint._publish


def _die_the_second_time(unfinished: Path, path: Path) -> None:
    if checkpoint.newest(path.parent) is None:
        publish(unfinished, path)
        return
    written = max(unfinished.iterdir(), key=lambda file: file.stat().st_size)
    os.truncate(written, written.stat().st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)


with patch.object(checkpoint, "_publish", _die_the_second_time):
    fit(Counting(OPTIONS, drop=0.1), Path(sys.argv[1]), OPTIONS)
