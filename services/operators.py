"""The token that opens the console."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from services.building.part import CannotStart
from services.core.settings import Settings


def operator_token(settings: Settings) -> SecretStr:
    """The configured token, or one that was made at the first start and kept in the data folder. Raises CannotStart."""
    if settings.auth.operator_token is not None:
        return settings.auth.operator_token
    path = token_path(settings)
    mend = "Mend the file, remove it for a new token, or set LYDIA_AUTH__OPERATOR_TOKEN"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".new")  # a token that was cut off would be an easy one
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(16))
            draft.replace(path)
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise CannotStart(f"the operator's token {path} cannot be used: {reason}. {mend}") from None
    if not token:
        raise CannotStart(f"the operator's token {path} is empty. {mend}")
    return SecretStr(token)


def token_path(settings: Settings) -> Path:
    """Where a token that was made is kept."""
    return settings.data_dir / "operator-token"
