"""The hook of coding agents: a prompt, command, edit or file on its way to a model or out of one.

The agent gives one JSON object on standard input. Every string in it counts but what only names the session, and so does a
file that it is about to read. A finding blocks: exit code 2 with the reason on standard error, which is what Claude Code,
Codex, VS Code, Gemini CLI, Cursor and Kiro take for no; Copilot takes an answer in JSON. Whatever goes wrong blocks, too:
input that is no JSON, a bug, or more time than two seconds. Clean is silent. Payloads as the vendors document them:
code.claude.com/docs/en/hooks, cursor.com/docs/agent/hooks, geminicli.com/docs/hooks/reference, docs.github.com/copilot.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from leakguard.errors import LeakguardError, UsageError
from leakguard.model.blob import Blob, Gone, Skipped, StreamProvenance

SECONDS = 2.0
BLOCKED = 2
MODES = ("block", "redact", "warn")
SWITCH = "LEAKGUARD_AGENT_HOOK"
"""`off`: nothing is looked at, and each time is logged."""
_ABOUT = frozenset(
    [
        *(
            "session_id",
            "sessionId",
            "transcript_path",
            "conversation_id",
            "generation_id",
            "tool_use_id",
            "toolUseId",
            "prompt_id",
        ),
        *("hook_event_name", "hookEventName", "hook_event", "permission_mode", "model", "timestamp", "cwd", "workspace_roots"),
        *("cursor_version", "user_email", "tool_name", "toolName", "agent_id", "agent_type", "turn_id"),
        # an edit takes these away; to block that would keep a secret where it is
        *("old_string", "oldString", "old_str", "oldText"),
    ]
)
"""Keys whose strings are not content."""
_PATHS = ("file_path", "filePath", "path", "absolute_path", "notebook_path")
_READS = frozenset({"read", "readfile", "read_file", "view", "fs_read", "beforereadfile", "read_many_files", "notebookread"})


class Text(NamedTuple):
    """A string of the payload: where it stands, and the bytes that are scanned."""

    keys: tuple[str | int, ...]
    name: str
    data: bytes


def main(agent: str, mode: str, typed: dict[str, str]) -> NoReturn:
    """Judge what stands on standard input, and leave."""
    watch = _deadline(typed)
    try:
        code = _judge(agent, mode, typed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = _refuse("interrupted, so nothing was checked")
    except LeakguardError as e:
        code = _refuse(e.message + (f" ({e.hint})" if e.hint else ""))
    except Exception as e:  # noqa: BLE001 - the last boundary: whatever went wrong, it blocks, without scanned bytes
        from leakguard.hook import bug

        code = _refuse(bug(e).rstrip())
    watch.cancel()
    sys.exit(code)


def _refuse(why: str) -> int:
    sys.stderr.write(f"LeakGuard blocked this: {why}\n  to go on without LeakGuard, which is logged: {SWITCH}=off\n")
    return BLOCKED


def _deadline(typed: dict[str, str]) -> Any:
    """End the process as a refusal where time runs out, whatever it is doing."""
    from threading import Timer

    from leakguard.hook import deadline

    def late() -> None:
        _refuse("it could not be checked in time")
        sys.stderr.flush()
        os._exit(BLOCKED)

    try:
        seconds = deadline(typed.get("deadline") or os.environ.get("LEAKGUARD_HOOK_DEADLINE", ""), SECONDS)
    except UsageError as e:
        sys.exit(_refuse(e.message))
    watch = Timer(seconds, late)
    watch.daemon = True
    watch.start()
    return watch


def _judge(agent: str, mode: str, typed: dict[str, str]) -> int:
    if mode not in MODES:
        raise UsageError(f"{mode!r} is no mode", hint="--mode block, redact or warn")
    raw = sys.stdin.buffer.read()
    if os.environ.get(SWITCH, "").lower() == "off":
        return _switched_off(agent, raw)
    try:
        payload = json.loads(raw)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise UsageError("standard input is no JSON object", hint="agent-hook is called by a coding agent")
    texts = list(_texts(payload))
    if not texts:
        return 0
    source = _Texts(texts)
    report = _scan(source, typed, str(payload.get("cwd") or os.getcwd()))
    if any(not skip.by_choice for skip in report.skipped):
        raise UsageError(f"{report.skipped[0].detail or report.skipped[0].reason}: it could not be checked")
    if not report.findings:
        return 0
    event = _event(payload)
    said = "\n".join(f"  {f.rule.name} {f.preview} in {f.places[0].provenance.name}" for f in report.findings)
    _log(agent, event, mode, [f.id for f in report.findings])
    from leakguard.suppress import lastrun

    lastrun.save(report, str(payload.get("cwd") or os.getcwd()), os.environ)
    if mode == "warn":
        return _warn(agent, said)
    if mode == "redact" and (answer := _redacted(agent, event, payload, source, report)) is not None:
        json.dump(answer, sys.stdout)
        return 0
    return _block(agent, said)


def _event(payload: dict[str, Any]) -> str:
    """Return what is about to happen, as the agent calls it."""
    return str(payload.get("hook_event_name") or payload.get("hookEventName") or payload.get("agent_action_name") or "")


def _texts(payload: dict[str, Any]) -> Iterator[Text]:
    """Yield every string that counts; of JSON in a string its parts; of a file that is about to be read its content."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), payload)]
    tool = str(payload.get("tool_name") or payload.get("toolName") or _event(payload)).lower()
    while stack:
        keys, value = stack.pop()
        if isinstance(value, dict):
            stack += [((*keys, key), part) for key, part in value.items() if key not in _ABOUT]
        elif isinstance(value, list):
            stack += [((*keys, index), part) for index, part in enumerate(value)]
        elif isinstance(value, str) and value:
            if value[0] in "{[" and keys[-1] in {"toolArgs", "tool_input"} and isinstance(inner := _parsed(value), (dict, list)):
                stack.append((keys, inner))
                continue
            yield Text(keys, _name(payload, keys), value.encode("utf-8", "surrogateescape"))
            if tool in _READS and keys[-1] in _PATHS and (content := _file(str(payload.get("cwd") or "."), value)):
                yield Text((), value, content)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _name(payload: dict[str, Any], keys: tuple[str | int, ...]) -> str:
    """Name a string for people; what it is written to decides what counts as a value there."""
    last = str(next((key for key in reversed(keys) if isinstance(key, str)), ""))
    if last in {"content", "new_string", "newString", "new_str", "file_text", "new_source"}:
        inside = _at(payload, keys[:-1])
        path = next((inside[key] for key in _PATHS if isinstance(inside, dict) and isinstance(inside.get(key), str)), "")
        return f"{last} of {path}" if path else last
    return last


def _at(payload: Any, keys: tuple[str | int, ...]) -> Any:
    for key in keys:
        if isinstance(payload, str):
            payload = _parsed(payload)
        payload = payload[key]
    return _parsed(payload) if isinstance(payload, str) else payload


def _file(cwd: str, path: str) -> bytes:
    """Return all of what the agent is about to read (too much runs into the deadline, which refuses).

    What can't be read it won't get either.
    """
    try:
        with open(os.path.join(cwd, os.path.expanduser(path)), "rb") as f:
            return f.read()
    except (OSError, ValueError):
        return b""


class _Texts:
    """The strings as a source; nothing of it can be had again."""

    def __init__(self, texts: list[Text]) -> None:
        self.texts = texts

    def blobs(self) -> Iterator[Blob | Skipped]:
        """Yield each string, told from binary and decoded as a file is."""
        from leakguard.sources.memory import BytesSource

        for number, text in enumerate(self.texts):
            for blob in BytesSource(text.data, text.name).blobs():
                # the number tells strings of one name apart
                yield blob._replace(provenance=StreamProvenance(text.name, f"agent {number}"))

    def reopen(self, place: Any) -> bytes | Gone:
        """Say that it is gone."""
        return Gone(f"{place.provenance.name} was said to an agent")


def _scan(source: _Texts, typed: dict[str, str], cwd: str) -> Any:
    from leakguard.hook._shared import settings
    from leakguard.pipeline import Setup, scan
    from leakguard.pipeline import setup as prepare
    from leakguard.suppress.identity import id_key

    top = _top(cwd)
    if top:
        from leakguard.gitio.objects import Objects

        with Objects(top) as objects:
            config, baseline = settings(typed, top, objects)
    else:
        from leakguard.config import load

        flags: dict[str, object] = {n: typed[n] for n in ("level", "config", "trusted_config", "baseline") if n in typed}
        config = load(cwd, flags, os.environ)
        baseline = prepare.load_baseline(config)
    engine = prepare.build_engine(config, os.environ)
    key = id_key(os.environ, top or None, create=True)
    return scan(source, Setup(engine, config, key, prepare.today(), baseline, whole=False), clock=time.monotonic)


def _top(cwd: str) -> str:
    from leakguard.config import git_top

    return git_top(os.path.abspath(cwd))


def _block(agent: str, said: str) -> int:
    what = "a credential must not go to a model or into a file. Take it from the environment or a vault; if it is real, rotate it"
    sys.stderr.write(f"LeakGuard blocked this: {what}.\n{said}\n  false alarm? a person can accept it: docs/agents.md\n")
    if agent == "copilot":
        json.dump({"permissionDecision": "deny", "permissionDecisionReason": f"LeakGuard: {what}.\n{said}"}, sys.stdout)
        return 0
    if agent == "cursor":
        # beforeSubmitPrompt knows `continue`, the others `permission`; each passes over the other's
        json.dump({"continue": False, "permission": "deny", "user_message": f"LeakGuard: {what}.\n{said}"}, sys.stdout)
    return BLOCKED


def _warn(agent: str, said: str) -> int:
    text = f"LeakGuard: this holds a credential; if it is real, rotate it.\n{said}"
    sys.stderr.write(text + "\n")
    if agent in {"claude-code", "codex", "vscode", "gemini"}:
        json.dump({"systemMessage": text}, sys.stdout)
    return 0


def _redacted(agent: str, event: str, payload: dict[str, Any], source: _Texts, report: Any) -> Any:
    """Return an answer that lets the tool go on with masked values; None where this agent or event can't."""
    key = "toolArgs" if "toolArgs" in payload else "tool_input"
    if event.lower() not in {"pretooluse", "beforetool", ""} or key not in payload:
        return None
    spans: dict[int, list[tuple[int, int, str]]] = {}
    for finding in report.findings:
        for place in finding.places:
            number = int(place.provenance.kind.split()[1])
            spans.setdefault(number, []).append((place.offset, place.offset + place.length, finding.rule.id))
    arguments = _parsed(payload[key]) if isinstance(payload[key], str) else payload[key]
    for number, found in spans.items():
        text = source.texts[number]
        if text.keys[:1] != (key,) or len(text.keys) < 2:
            return None  # what stands elsewhere, such as a file to be read, can't be changed here
        data = text.data
        for start, end, rule in sorted(found, reverse=True):
            data = data[:start] + f"<redacted {rule}>".encode() + data[end:]
        inside = arguments
        for step in text.keys[1:-1]:
            inside = inside[step]
        inside[text.keys[-1]] = data.decode("utf-8", "surrogateescape")
    why = f"LeakGuard masked {len(report.findings)} credential{'s' * (len(report.findings) > 1)} in it"
    if agent == "copilot":
        return {"permissionDecision": "ask", "permissionDecisionReason": why, "modifiedArgs": arguments}
    if agent == "cursor":
        return {"permission": "ask", "user_message": why, "updated_input": arguments}
    if agent == "gemini":
        return {"systemMessage": why, "hookSpecificOutput": {"hookEventName": event, "tool_input": arguments}}
    if agent in {"claude-code", "codex", "vscode"}:
        answer = {"permissionDecision": "ask", "permissionDecisionReason": why, "updatedInput": arguments}
        return {"hookSpecificOutput": {"hookEventName": event} | answer}
    return None


def log_path() -> str:
    """Return the file that says what was blocked, masked, warned of or passed unseen; nothing where there is no home."""
    from leakguard.config import user_folder

    folder = user_folder(os.environ, "XDG_STATE_HOME", ".local/state")
    return os.path.join(folder, "agent-hook.jsonl") if folder else ""


def _log(agent: str, event: str, action: str, ids: list[str]) -> bool:
    """Append a line; returns whether it was written."""
    path = log_path()
    line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "agent": agent, "event": event[:64], "action": action}
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(path, flags, 0o600), "w", encoding="ascii") as f:
            f.write(json.dumps(line | {"findings": ids}) + "\n")
    except (OSError, ValueError):
        return False
    return True


def _switched_off(agent: str, raw: bytes) -> int:
    """Let it pass, if that can be logged."""
    payload = _parsed(raw.decode("utf-8", "replace"))
    event = _event(payload) if isinstance(payload, dict) else ""
    if not _log(agent, event, "off", []):
        raise UsageError(f"{SWITCH} is off, but that can't be logged", hint=f"make {log_path() or 'a home'} writable")
    return 0
