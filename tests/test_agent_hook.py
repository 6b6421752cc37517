"""What a coding agent is told: no for a secret and for whatever goes wrong, nothing when clean."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from histories import git, repository
from leakguard.cli._agents import AGENTS

Ask = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def run(payload: object, *flags: str, agent: str = "claude-code", **env: str) -> subprocess.CompletedProcess[str]:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        return subprocess.run(
            [sys.executable, "-c", "from leakguard.hook import main; main()", "--agent", agent, *flags],
            input=text,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "LEAKGUARD_HOOK_DEADLINE": "30"} | env,
            timeout=60,
        )

    return run


def tool(name: str, cwd: Path | str = ".", **given: Any) -> dict[str, Any]:
    return {"hook_event_name": "PreToolUse", "session_id": "s", "cwd": str(cwd), "tool_name": name, "tool_input": given}


def log(home: Path | None = None) -> list[dict[str, Any]]:
    path = Path(os.environ["XDG_STATE_HOME"] if "XDG_STATE_HOME" in os.environ else os.environ["HOME"] + "/.local/state")
    return [json.loads(line) for line in (path / "leakguard" / "agent-hook.jsonl").read_text().splitlines()]


def test_what_is_clean_passes_in_silence(ask: Ask) -> None:
    done = ask(tool("Bash", command="ls -la"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("what", ["command", "edit", "write", "prompt", "nested", "mcp"])
def test_a_secret_on_its_way_is_blocked_and_never_shown(ask: Ask, planted, leaks, what: str) -> None:
    token = planted.github()
    payload = {
        "command": tool("Bash", command=f"curl -H 'Authorization: token {token}' https://api.github.com"),
        "edit": tool("Edit", file_path="app.py", old_string="x", new_string=f'TOKEN = "{token}"'),
        "write": tool("Write", file_path="app.py", content=f'TOKEN = "{token}"\n'),
        "prompt": {"hook_event_name": "UserPromptSubmit", "prompt": f"why does {token} not work?"},
        "nested": tool("MultiEdit", file_path="a.py", edits=[{"old_string": "x", "new_string": token}]),
        "mcp": tool("mcp__db__query", query={"sql": ["select 1", f"-- {token}"]}),
    }[what]
    done = ask(payload)
    assert done.returncode == 2
    assert "GitHub personal access token" in done.stderr
    assert not leaks(done.stdout + done.stderr, token)


def test_a_file_is_looked_at_before_the_agent_reads_it(ask: Ask, planted, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"GITHUB_TOKEN={planted.github()}\n")
    (tmp_path / "clean.py").write_text("x = 1\n")
    assert ask(tool("Read", tmp_path, file_path=".env")).returncode == 2
    assert ask(tool("Read", tmp_path, file_path=str(tmp_path / "clean.py"))).returncode == 0
    assert ask(tool("Read", tmp_path, file_path="gone.py")).returncode == 0


def test_an_edit_may_take_a_secret_out(ask: Ask, planted) -> None:
    payload = tool("Edit", file_path="app.py", old_string=f'T = "{planted.github()}"', new_string='T = os.environ["T"]')
    assert ask(payload).returncode == 0


def test_a_mark_in_the_text_does_not_count(ask: Ask, planted) -> None:
    text = f'T = "{planted.github()}"  # leakguard: allow[github-pat-classic] reason="made up"\n'
    assert ask(tool("Write", file_path="app.py", content=text)).returncode == 2


@pytest.mark.parametrize("payload", ["", "no json", "[1]", '{"tool_input": "\\ud800"', "null"])
def test_what_can_not_be_understood_is_blocked(ask: Ask, payload: str) -> None:
    done = ask(payload)
    assert done.returncode == 2
    assert "no JSON object" in done.stderr


def test_what_takes_too_long_is_blocked(ask: Ask) -> None:
    done = ask(tool("Bash", command="x = 1\n" * 400_000), "--deadline", "0.001")
    assert done.returncode == 2
    assert "in time" in done.stderr


def test_wrong_settings_and_wrong_words_block(ask: Ask) -> None:
    assert ask(tool("Bash", command="ls"), "--mode", "maybe").returncode == 2
    assert ask(tool("Bash", command="ls"), "--deadline", "soon").returncode == 2
    assert ask(tool("Bash", command="ls"), "--trusted-config", "gone.toml").returncode == 2


@pytest.mark.parametrize(
    ("agent", "where"),
    [
        ("claude-code", ("hookSpecificOutput", "updatedInput")),
        ("copilot", ("modifiedArgs",)),
        ("cursor", ("updated_input",)),
        ("gemini", ("hookSpecificOutput", "tool_input")),
    ],
)
def test_redact_lets_the_call_go_on_with_the_value_masked(ask: Ask, planted, leaks, agent: str, where: tuple[str, ...]) -> None:
    token = planted.github()
    given = {"command": f"export A={token} B={token}", "description": "set"}
    payload: dict[str, Any] = tool("Bash", **given)
    if agent == "copilot":
        payload = {"toolName": "bash", "toolArgs": json.dumps(given), "cwd": "."}
    if agent == "gemini":
        payload["hook_event_name"] = "BeforeTool"
    done = ask(payload, "--mode", "redact", agent=agent)
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    for key in where:
        answer = answer[key]
    assert answer == {
        "command": "export A=<redacted github-pat-classic> B=<redacted github-pat-classic>",
        "description": "set",
    }
    assert not leaks(done.stdout + done.stderr, token)


def test_redact_blocks_a_prompt_and_a_file_since_they_can_not_be_changed(ask: Ask, planted, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"GITHUB_TOKEN={planted.github()}\n")
    assert ask({"hook_event_name": "UserPromptSubmit", "prompt": planted.github()}, "--mode", "redact").returncode == 2
    assert ask(tool("Read", tmp_path, file_path=".env"), "--mode", "redact").returncode == 2


def test_warn_tells_and_lets_pass(ask: Ask, planted, leaks) -> None:
    token = planted.github()
    done = ask(tool("Bash", command=f"export A={token}"), "--mode", "warn")
    assert done.returncode == 0
    assert "GitHub personal access token" in json.loads(done.stdout)["systemMessage"]
    assert not leaks(done.stdout + done.stderr, token)


def test_copilot_and_cursor_get_the_answers_that_they_understand(ask: Ask, planted) -> None:
    text = f"export A={planted.github()}"
    copilot = ask({"toolName": "bash", "toolArgs": json.dumps({"command": text})}, agent="copilot")
    assert (copilot.returncode, json.loads(copilot.stdout)["permissionDecision"]) == (0, "deny")
    cursor = ask({"hook_event_name": "beforeShellExecution", "command": text}, agent="cursor")
    assert (cursor.returncode, json.loads(cursor.stdout)["permission"]) == (2, "deny")


def test_the_kill_switch_passes_and_is_logged(ask: Ask, planted, leaks) -> None:
    token = planted.github()
    ask(tool("Bash", command=f"export A={token}"))
    done = ask(tool("Bash", command=f"export A={token}"), LEAKGUARD_AGENT_HOOK="off")
    assert (done.returncode, done.stdout) == (0, "")
    assert [line["action"] for line in log()] == ["block", "off"]
    assert not leaks(json.dumps(log()), token)


def test_the_kill_switch_does_not_work_where_it_can_not_be_logged(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = ask(tool("Bash", command="ls"), LEAKGUARD_AGENT_HOOK="off", XDG_STATE_HOME=str(tmp_path / "file"))
    assert done.returncode == 2
    assert "can't be logged" in done.stderr


def test_a_person_can_accept_a_false_alarm(ask: Ask, planted, tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    payload = tool("Bash", repo, command=f"export A={planted.github()}")
    assert ask(payload).returncode == 2
    identity = log()[-1]["findings"][0]
    allow = [sys.executable, "-m", "leakguard", "allow", identity, "--reason", "made up"]
    assert subprocess.run(allow, cwd=repo, capture_output=True, check=False).returncode == 0
    assert ask(payload).returncode == 2  # the index decides, as for a commit
    git(repo, "add", "-f", ".leakguard/baseline.jsonl")
    assert ask(payload).returncode == 0


def leakguard(repo: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "leakguard", *words]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", AGENTS)
def test_install_proves_itself_keeps_what_is_there_and_uninstall_takes_only_ours(tmp_path: Path, name: str) -> None:
    repo = repository(tmp_path / "repo")
    path = repo / AGENTS[name].project
    path.parent.mkdir(parents=True, exist_ok=True)
    theirs = {"permissions": {"deny": ["x"]}, "version": 1, "hooks": {AGENTS[name].events[0]: [{"command": "theirs"}]}}
    path.write_text(json.dumps(theirs))
    assert "installed" in leakguard(repo, "install", "--agent", name).stdout
    assert "already" in leakguard(repo, "install", "--agent", name).stdout
    doctor = leakguard(repo, "doctor")
    line = next(line for line in doctor.stdout.splitlines() if line.startswith(name))
    assert "  blocks" in line, doctor.stdout
    leakguard(repo, "uninstall", "--agent", name)
    assert json.loads(path.read_text()) == theirs


def test_install_leaves_a_broken_settings_file_as_it_is(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    (repo / ".claude").mkdir()
    (repo / ".claude" / "settings.json").write_text("{ not json")
    done = leakguard(repo, "install", "--agent", "claude-code")
    assert done.returncode == 2
    assert (repo / ".claude" / "settings.json").read_text() == "{ not json"
    assert leakguard(repo, "install", "--agent", "junie").returncode == 2


def test_a_file_of_ours_alone_is_removed_whole(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    leakguard(repo, "install", "--agent", "cursor", "--mode", "warn")
    assert "warn" in next(line for line in leakguard(repo, "doctor").stdout.splitlines() if "its mode" in line)
    leakguard(repo, "uninstall", "--agent", "cursor")
    assert not (repo / ".cursor" / "hooks.json").exists()
