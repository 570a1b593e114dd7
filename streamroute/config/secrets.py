"""Keys that a configuration names but does not hold: in an environment variable, or a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from streamroute.errors import ConfigError

__all__ = ("others_may_read", "secret")


def secret(subject: str, *, env: str | None, file: str | None = None) -> str | None:
    """The key that `api_key_env` or `api_key_file` of `subject` name, without the blanks around it; None where neither
    does. Raises `ConfigError`, which never repeats the key, where there is none or where no header can hold it."""
    if env is not None:
        key, source = os.environ.get(env, "").strip(), f"api_key_env: the environment variable {env}"
        if not key:
            raise ConfigError(f"{subject}: {source} is not set")
    elif file is not None:
        source = f"api_key_file: {file}"
        try:
            key = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{subject}: {source} cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{subject}: {source} is not text") from None
        if not key:
            raise ConfigError(f"{subject}: {source} is empty")
    else:
        return None
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{subject}: {source} holds more than one line, or characters that no key has")
    return key


def others_may_read(file: str) -> bool:
    """Whether others than its owner and group may read it."""
    return bool(Path(file).stat().st_mode & stat.S_IROTH)
