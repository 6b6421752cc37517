"""YAML, with the package that reads it where it is installed."""

from __future__ import annotations

from typing import Any

from leakguard.errors import MissingExtraError
from leakguard.importers import wrong


def load(text: str, path: str) -> Any:
    """Parse YAML safely.

    Raises:
        MissingExtraError: PyYAML is not installed.
        ConfigError: it is no YAML.
    """
    try:
        import yaml
    except ImportError:
        msg = f"{path} is YAML, and reading that needs PyYAML"
        raise MissingExtraError(msg, hint="pip install 'leakguard[import]'") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise wrong(path, e) from None
