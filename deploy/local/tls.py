"""What a local server needs to speak TLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: of who vouches for the server, and of the server itself."""

    ca: Path
    certificate: Path
    key: Path
    """Not encrypted, PKCS #8."""
