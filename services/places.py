"""Where built things lie in a checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "services" / "stage" / "web" / "dist"
"""stage.html, console.html and assets/."""
BODY = ROOT / "services" / "stage" / "avatar" / "dist"
"""lydia.vrm and lydia-lite.vrm."""
FITTED = ROOT / "services" / "chat" / "dist"
"""What was fitted to the persona's examples."""
VOICE = ROOT / "services" / "speech" / "dist"
"""The natural voice's files; see services/speech/natural/files.py."""
