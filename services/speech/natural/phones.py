"""What is said, as the network's symbols, with the sound that each symbol makes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phone:
    """One sound. Symbols that make none of their own (a space, a comma) have an empty `ipa`."""

    symbols: str
    """The network's symbols, one per character: ``ˈO``, ``tʰ``, ``ai↘``."""
    ipa: str
    """As `services.motion.visemes` reads it, without stress or tone."""
    stress: int = 0
    """0 none, 1 secondary or a full tone, 2 primary or the phrase's focus."""
    emphasis: bool = False
    """Its word stands out."""


SPACE = Phone(" ", "")
