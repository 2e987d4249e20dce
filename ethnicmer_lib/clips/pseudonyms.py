"""Subjects and clips under other names, the same in every table, from which no page leads back to them."""

from __future__ import annotations

import hmac
import os
import secrets

import pandas as pd

from ethnicmer_lib.store import lock, workspace
from ethnicmer_lib.store.places import atomic

LENGTH = 32  #: bytes of the secret
DIGITS = 10  #: hexadecimal ones of a pseudonym


def secret() -> bytes:
    """The secret of this workspace, made when it is first asked for and readable by its owner alone."""
    path = workspace() / "pseudonyms.key"
    with lock("pseudonyms"):
        if not path.is_file() or path.stat().st_size != LENGTH:
            with atomic(path) as temporary, open(temporary, "xb", opener=_private) as file:
                file.write(secrets.token_bytes(LENGTH))
        return path.read_bytes()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def pseudonym(clip_id: str, key: bytes) -> str:
    """Another 'DATABASE/SUBJECT/CLIP', or 'DATABASE/SUBJECT', or the same where there is but a database."""
    database, *names = clip_id.split("/", 2)  # the name of a clip may hold more
    below = ["/".join([database, *names[: n + 1]]) for n in range(len(names))]
    hidden = (hmac.new(key, name.encode(), "sha256").hexdigest()[:DIGITS] for name in below)
    return "/".join([database, *(f"{kind}-{name}" for kind, name in zip("sc", hidden, strict=False))])


def pseudonyms(clips: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """A clips table with the columns clip_id, subject and clip under pseudonyms."""
    hidden = clips["clip_id"].map(lambda clip_id: pseudonym(clip_id, key))
    parts = hidden.str.split("/", expand=True)
    return clips.assign(clip_id=hidden, subject=parts[1], clip=parts[2])
