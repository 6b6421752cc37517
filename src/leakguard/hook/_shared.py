"""What every hook does: settings out of git, and a report that is quiet when clean."""

from __future__ import annotations

import os
import sys
from typing import Any


def settings(typed: dict[str, str], top: str, index: Any, tree: str = "") -> tuple[Any, Any]:
    """Return configuration and baseline; inside the work tree they are read from the index (or the `tree` that is named)."""
    from leakguard.config import MAX_FILE, load, read_file

    flags: dict[str, object] = {
        name: typed[name] for name in ("level", "fail_on", "config", "trusted_config", "baseline") if name in typed
    }
    named = {os.path.abspath(typed[name]) for name in ("config", "trusted_config", "baseline") if name in typed}

    def staged(path: str, limit: int | None) -> bytes | None:
        content: bytes | None = index.read(tree + ":" + path[len(top) + 1 :].replace(os.sep, "/"), limit=limit)
        return content

    def inside(path: str) -> bool:
        return path.startswith(top + os.sep) and path not in named

    config = load(top, flags, os.environ, read=lambda path: staged(path, MAX_FILE) if inside(path) else read_file(path))
    if "no_baseline" in typed:
        config = config._replace(baseline="")
    if not inside(config.baseline):
        from leakguard.pipeline.setup import load_baseline

        return config, load_baseline(config)
    data = staged(config.baseline, None)
    if data is None:
        return config, None
    from leakguard.suppress.baseline import Baseline

    return config, Baseline.parse(data, os.path.relpath(config.baseline, top) + " (staged)")


def tell(report: Any, config: Any, typed: dict[str, str]) -> int:
    """Print what blocks or could not be looked at; nothing when clean."""
    from leakguard.pipeline.outcome import exit_code

    code = exit_code(report, config)
    if report.findings:
        from leakguard.suppress import lastrun

        lastrun.save(report, os.getcwd(), os.environ)
    if report.findings or code or report.notes or "verbose" in typed:
        from leakguard.ports import ReportOptions
        from leakguard.reporters import text

        stdout = sys.stdout
        stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a stream that was replaced has it, too
        encoding = (stdout.encoding or "ascii").lower().replace("-", "")
        width = int(os.environ.get("COLUMNS", "")) if os.environ.get("COLUMNS", "").isdigit() else 100
        color = stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        text.write(
            report,
            stdout,
            ReportOptions(
                color=color, unicode=encoding.startswith("utf"), width=width, verbose="verbose" in typed, quiet="quiet" in typed
            ),
        )
    return code
