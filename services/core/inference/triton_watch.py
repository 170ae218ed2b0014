"""Ends a Triton server one of whose models has died.

By itself the server would refuse that model's requests for ever and say all the while that it is ready. Once it has
ended, whoever looks after it starts it again.

A process of its own: this file, run with the server's process id, by a model's process that holds the other end of its
input. It imports nothing of Lydia, to be small.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

GOODBYE = b"goodbye"
PATIENCE_S = 1.0
"""Between asking the server to end and ending it; a server that is a container's first process can only be asked."""


class Watch:
    """From here on the death of this process is the end of the server, unless it says goodbye."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(os.getppid())], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    def goodbye(self) -> None:
        """The process ends as it should."""
        with suppress(BrokenPipeError):
            self._process.communicate(GOODBYE)


def main() -> None:
    """Watches."""
    server = os.pidfd_open(int(sys.argv[1]))
    if sys.stdin.buffer.read() == GOODBYE:
        return
    sys.stderr.write("a model's process died: the server ends\n")
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(server, signal.SIGTERM)
        time.sleep(PATIENCE_S)
        signal.pidfd_send_signal(server, signal.SIGKILL)


if __name__ == "__main__":
    main()
