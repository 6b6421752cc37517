"""LeakGuard finds leaked machine credentials and says where they stand; it never prints one.

    import leakguard

    report = leakguard.scan_path("src")
    for finding in report.findings:
        print(finding.rule.id, finding.preview, finding.places[0].start_line)

Names are loaded on first use, so `import leakguard` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leakguard._version import __version__ as __version__
    from leakguard.api import scan as scan
    from leakguard.api import scan_bytes as scan_bytes
    from leakguard.api import scan_path as scan_path
    from leakguard.api import scan_text as scan_text
    from leakguard.config import Config as Config
    from leakguard.errors import ConfigError as ConfigError
    from leakguard.errors import LeakguardError as LeakguardError
    from leakguard.errors import MissingExtraError as MissingExtraError
    from leakguard.errors import RuleError as RuleError
    from leakguard.errors import SourceError as SourceError
    from leakguard.errors import UsageError as UsageError
    from leakguard.model.finding import Finding as Finding
    from leakguard.model.finding import Place as Place
    from leakguard.model.finding import Report as Report
    from leakguard.model.rule import Rule as Rule
    from leakguard.secret import Secret as Secret

_HOMES = {
    "__version__": "_version",
    "scan": "api",
    "scan_bytes": "api",
    "scan_path": "api",
    "scan_text": "api",
    "Config": "config",
    "ConfigError": "errors",
    "LeakguardError": "errors",
    "MissingExtraError": "errors",
    "RuleError": "errors",
    "SourceError": "errors",
    "UsageError": "errors",
    "Finding": "model.finding",
    "Place": "model.finding",
    "Report": "model.finding",
    "Rule": "model.rule",
    "Secret": "secret",
}

__all__ = [  # noqa: PLE0604 - the table above is the one list
    *_HOMES,
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module 'leakguard' has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    value = getattr(import_module(f"leakguard.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
