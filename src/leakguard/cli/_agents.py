"""Put our hook into the settings of coding agents, and take it out again; all else in those files stays.

Each entry ends in `|| exit 2`: where leakguard-hook is missing or breaks, the agent is told no, not an error that it passes over.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from leakguard.cli import install as chain
from leakguard.errors import UsageError

OURS = "leakguard-hook"
_SECONDS = 10
"""What an agent waits; the hook itself gives up, and blocks, after two."""


class Agent(NamedTuple):
    """Where an agent keeps its hooks, and of what shape they are."""

    project: str
    user: str
    """Below the home folder."""
    events: tuple[str, ...]
    shape: str
    """`nested`: groups with a matcher; `flat`: entries; `shell`: entries with the command under `bash`."""
    unit: int = 1
    """Time-outs count in seconds, or in milliseconds (1000)."""


AGENTS = {
    "claude-code": Agent(".claude/settings.json", ".claude/settings.json", ("PreToolUse", "UserPromptSubmit"), "nested"),
    "codex": Agent(".codex/hooks.json", ".codex/hooks.json", ("PreToolUse", "UserPromptSubmit"), "nested"),
    "copilot": Agent(
        ".github/hooks/leakguard.json", ".copilot/hooks/leakguard.json", ("preToolUse", "userPromptSubmitted"), "shell"
    ),
    "cursor": Agent(
        ".cursor/hooks.json",
        ".cursor/hooks.json",
        ("beforeSubmitPrompt", "beforeShellExecution", "beforeMCPExecution", "beforeReadFile", "preToolUse"),
        "flat",
    ),
    "gemini": Agent(".gemini/settings.json", ".gemini/settings.json", ("BeforeTool", "BeforeAgent"), "nested", 1000),
    "vscode": Agent(
        ".github/hooks/leakguard-vscode.json", ".copilot/hooks/leakguard-vscode.json", ("PreToolUse", "UserPromptSubmit"), "typed"
    ),
}


def checked(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names.

    Raises:
        UsageError: we know no settings file for one of them.
    """
    if unknown := [name for name in names if name not in AGENTS]:
        raise UsageError(
            f"we don't know where {unknown[0]} keeps its hooks",
            hint=f"known are {', '.join(AGENTS)}; for others call `leakguard-hook --agent {unknown[0]} || exit 2` there, see docs/agents.md",
        )
    return names


def place(name: str, *, everywhere: bool) -> str:
    """Return the settings file of an agent.

    Raises:
        UsageError: it is the user's own, and there is no home.
    """
    agent = AGENTS[name]
    if everywhere:
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise UsageError("there is no home folder", hint="leave out --global")
        return os.path.join(home, *agent.user.split("/"))
    return os.path.join(chain.locate(os.getcwd()).top, *agent.project.split("/"))


def install(name: str, mode: str, *, everywhere: bool) -> str:
    """Write our entries; return what was done, for people.

    Raises:
        UsageError: the file holds something else than it should.
    """
    path = place(name, everywhere=everywhere)
    before = _read(path)
    after = _with(name, json.loads(json.dumps(before)), _command(name, mode, everywhere=everywhere))
    if after == before:
        return f"{name}: is there already: {path}"
    _write(path, after)
    return f"{name}: installed: {path}"


def uninstall(name: str, *, everywhere: bool) -> str:
    """Take our entries out; return what was done, nothing where there were none."""
    path = place(name, everywhere=everywhere)
    before = _read(path)
    after = _without(name, json.loads(json.dumps(before)))
    if after == before:
        return ""
    if not (set(after) - {"version"}):
        os.unlink(path)
        return f"{name}: {path} is removed"
    _write(path, after)
    return f"{name}: taken out of {path}"


def installed(name: str, *, everywhere: bool) -> tuple[str, str]:
    """Return the file and the command that an agent runs of ours; nothing where it runs none."""
    path = place(name, everywhere=everywhere)
    found = [command for command in _commands(_read(path).get("hooks")) if OURS in command]
    return (path, found[0]) if found else ("", "")


def _command(name: str, mode: str, *, everywhere: bool) -> str:
    from shlex import quote

    program = quote(chain.find_program() or OURS) if everywhere else OURS
    return f"{program} --agent {name}" + (f" --mode {mode}" if mode != "block" else "") + " || exit 2"


def _with(name: str, settings: dict[str, Any], command: str) -> dict[str, Any]:
    agent = AGENTS[name]
    settings = _without(name, settings)
    if agent.shape in {"flat", "shell"}:
        settings.setdefault("version", 1)
    hooks = settings.setdefault("hooks", {})
    for event in agent.events:
        hooks.setdefault(event, []).append(_entry(agent, event, command))
    return settings


def _entry(agent: Agent, event: str, command: str) -> dict[str, Any]:
    ours = {"type": "command", "command": command, "timeout": _SECONDS * agent.unit}
    if agent.shape == "flat":
        return {"command": command, "timeout": _SECONDS, "failClosed": True}
    if agent.shape == "shell":
        return {"type": "command", "bash": command, "timeoutSec": _SECONDS}
    if agent.shape == "typed":
        return ours
    return ({"matcher": "*"} if "Tool" in event else {}) | {"hooks": [ours]}


def _without(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Drop our entries, and what they alone were in."""
    hooks = settings.get("hooks")
    if not isinstance(hooks, dict):
        return settings
    for event in [e for e in AGENTS[name].events if isinstance(hooks.get(e), list)]:
        left = [_lighter(entry) for entry in hooks[event]]
        hooks[event] = [entry for entry in left if entry is not None]
        if not hooks[event]:
            del hooks[event]
    if not hooks:
        del settings["hooks"]
    return settings


def _lighter(entry: Any) -> Any:
    """Return an entry without ours; None where nothing is left of it."""
    if not isinstance(entry, dict):
        return entry
    if any(OURS in str(entry.get(key, "")) for key in ("command", "bash")):
        return None
    if isinstance(entry.get("hooks"), list):
        kept = [e for e in entry["hooks"] if _lighter(e) is not None]
        return {**entry, "hooks": kept} if kept or not entry["hooks"] else None
    return entry


def _commands(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [str(value[key]) for key in ("command", "bash") if isinstance(value.get(key), str)]
        return own + [c for part in value.values() for c in _commands(part)]
    return [c for part in value for c in _commands(part)] if isinstance(value, list) else []


def _read(path: str) -> dict[str, Any]:
    """Return the settings, empty where there is no file.

    Raises:
        UsageError: it can't be read, or is no JSON object; it is left as it is.
    """
    try:
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as e:
        raise UsageError(f"{path} can't be read as JSON ({type(e).__name__})", hint="mend it, then run this again") from None
    if not isinstance(data, dict) or not isinstance(data.get("hooks", {}), dict):
        raise UsageError(f"{path} is no settings file with a table of hooks", hint="mend it, then run this again")
    return data


def _write(path: str, settings: dict[str, Any]) -> None:
    """Write whole and at once, with the rights that the file had.

    Raises:
        UsageError: the folder can't be written.
    """
    part = f"{path}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as f:
            json.dump(settings, f, indent=2, ensure_ascii=False)
            f.write("\n")
        os.replace(part, os.path.realpath(path))
    except OSError as e:
        raise UsageError(f"{path} can't be written: {e.strerror}", hint="run as the owner of that folder") from None
