"""`leakguard doctor`: prove that each installed hook blocks, with a canary in a throwaway repository.

Only our link of the chain runs there: a copy of the very file that git would start, alone in a folder, so that nobody
else's hook sees the trial. It has to let a clean change pass and to refuse one with a made-up token; a hook that refuses
everything proves nothing. The canary goes to git by pipe, is never an argument, and is never shown.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import NamedTuple

import click

from leakguard.cli import install as chain
from leakguard.errors import ExitCode, LeakguardError, SourceError
from leakguard.gitio import run as git

_SECONDS = 60
"""Most that one run of a hook may take."""
_WHO = ("-c", "user.name=LeakGuard", "-c", "user.email=doctor@leakguard.invalid")
_GOOD, _BAD, _UNTRIED, _NONE = "blocks", "does not block", "could not be tried", "not installed"


class Health(NamedTuple):
    """What was found of one hook."""

    hook: str
    state: str
    where: str = ""
    why: str = ""


@click.command("doctor")
def command() -> None:
    """Prove that each installed hook blocks, and tell versions, engine and folders.

    Exit code 0: all installed hooks block; 1: one does not; 3: none is installed, or one could not be tried.
    """
    for line in _about():
        click.echo(line)
    try:
        place: chain.Place | None = chain.locate(os.getcwd())
    except SourceError as e:
        click.echo(f"hooks    only those for all repositories: {e.message}")
        place = None
    if place is None:
        setting = chain.global_setting()
        place = chain.Place(setting, setting, setting, "global") if setting else None
    found = [_look(place, hook) if place else Health(hook, _NONE) for hook in chain.HOOKS]
    found += _agents(place is not None)
    click.echo()
    for hook, state, where, why in found:
        click.echo(f"{hook:12} {state:18} {where}".rstrip())
        if why:
            click.echo(f"{'':12} {why}")
    states = {health.state for health in found}
    if place and place.scope:
        click.echo(f"core.hooksPath ({place.scope}) is {place.folder}")
        _hidden(place)
    if states == {_NONE}:
        click.echo("nothing is installed, so nothing was proved; begin with:  leakguard install")
    code = ExitCode.FINDINGS if _BAD in states else ExitCode.INCOMPLETE if _UNTRIED in states or states == {_NONE} else 0
    sys.exit(code)


def _about() -> list[str]:
    """Tell versions, engine, cache and home."""
    from leakguard._version import __version__
    from leakguard.config import load, user_file, user_folder
    from leakguard.pipeline.setup import build_engine, has_hyperscan
    from leakguard.suppress.identity import id_key

    program = git.executable()
    version = chain.ask("--version").decode().split()[2] if program else "not found"
    lines = [f"versions leakguard {__version__}, Python {platform.python_version()}, git {version}"]
    try:
        engine = build_engine(load(os.getcwd(), {}, os.environ), os.environ)
        kind = "portable" if engine.settings[1] else "Hyperscan"
        lines.append(f"engine   {kind}, {len(engine.rules)} rules" + ("" if has_hyperscan() else " (Hyperscan is not installed)"))
    except LeakguardError as e:
        lines.append(f"engine   {e.message}")
    cache = os.environ.get("LEAKGUARD_CACHE_DIR") or user_folder(os.environ, "XDG_CACHE_HOME", ".cache")
    lines.append(f"cache    {_folder(cache)}")
    home = user_folder(os.environ, "XDG_CONFIG_HOME", ".config")
    try:
        scope = id_key(os.environ, None, create=False).scope
    except LeakguardError as e:
        scope = e.message
    key = {"run": "no key for ids yet", "user": "a key for ids", "team": "the team's key for ids"}.get(scope, scope)
    lines.append(f"home     {_folder(home)}; {key}; {'settings of yours' if user_file(os.environ) else 'no settings of yours'}")
    hook = chain.find_program()
    lines.append(f"program  {hook or 'leakguard-hook was not found: no hook can run'}")
    if hook and (other := _version_of(hook)) != f"leakguard-hook {__version__}":
        lines.append(f"         which is {other or 'broken'}, not {__version__}: upgrade one of the two")
    return lines


def _folder(path: str) -> str:
    if not path:
        return "none, since there is no home"
    if not os.path.isdir(path):
        return f"{path} (not there yet)"
    return path if os.access(path, os.W_OK) else f"{path} (can't be written: each run starts cold)"


def _version_of(program: str) -> str:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603 - ours
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _look(place: chain.Place, hook: str) -> Health:
    """Find the file that git would start, and try it."""
    path, own = os.path.join(place.folder, hook), os.path.join(place.own, hook)
    text = chain.read(path)
    if _ours(text):
        return _tried(hook, path)
    if place.folder != place.own and _ours(chain.read(own)) and chain.PASS not in text:
        setting = f"core.hooksPath ({place.scope}) is {place.folder}"
        return Health(hook, _BAD, own, f"shadowed: {setting}, so git never looks here")
    if chain.PASS in text and _ours(chain.read(own)):
        return _tried(hook, own)
    if moved := _moved(place.folder, hook):
        if b"generated by pre-commit" in text and moved == path + ".legacy":
            return _tried(hook, moved)
        return Health(hook, _BAD, path, f"no longer ours: our link is {os.path.basename(moved)} now; leakguard install {hook}")
    call = b"leakguard-hook" in text
    if tool := chain.managed(place.folder, hook):
        if call or _named(place.top, hook):
            return Health(hook, _UNTRIED, path, f"{tool[0]} runs it: try it there, with a made-up token")
        return Health(hook, _NONE, "", f"{tool[0]} manages {path}: {tool[1]}")
    if call:
        return Health(hook, _UNTRIED, path, "it calls leakguard-hook, and is not ours to run; leakguard install chains with it")
    if place.scope not in {"", "global", "system"} and _ours(chain.read(everywhere := os.path.join(chain.global_folder(), hook))):
        return Health(
            hook, _BAD, everywhere, f"shadowed: this repository's core.hooksPath is {place.folder}; leakguard install {hook}"
        )
    if os.path.lexists(path + chain.BEFORE):
        return Health(hook, _BAD, path, f"no longer calls us: somebody replaced our link; leakguard install {hook} says more")
    return Health(hook, _NONE)


def _agents(inside: bool) -> list[Health]:
    """Try what coding agents have of ours, here and for this user; those that have nothing are left out."""
    from leakguard.cli import _agents

    out = []
    for name in _agents.AGENTS:
        for everywhere in (False, True):
            try:
                path, call = _agents.installed(name, everywhere=everywhere) if inside or everywhere else ("", "")
            except LeakguardError as e:
                out.append(Health(name, _UNTRIED, "", e.message))
                continue
            if call:
                out.append(_tried_agent(name, path, call))
    return out


def _tried_agent(name: str, path: str, call: str) -> Health:
    """Run an agent's call of ours on a clean command and on one with the canary."""
    import json
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="leakguard-doctor-") as folder:

        def run(command: str) -> tuple[int, bytes]:
            asked = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "cwd": folder, "tool_input": {"command": command}}
            done = subprocess.run(  # noqa: S602 - the very line that the agent gives to a shell
                call,
                shell=True,
                cwd=folder,
                env={**git.environment(), "XDG_STATE_HOME": folder},
                input=json.dumps(asked).encode(),
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
            return done.returncode, done.stdout

        try:
            clean, said = run("ls")
            code, denied = run("export TOKEN=" + _canary().decode())
        except (OSError, subprocess.TimeoutExpired) as e:
            return Health(name, _UNTRIED, path, type(e).__name__)
    if clean or said:
        return Health(name, _UNTRIED, path, "it refuses everything: leakguard-hook was not found, or does not work")
    if code == 2 or b"deny" in denied or b"redacted" in denied:
        return Health(name, _GOOD, path)
    return Health(name, _BAD, path, "a made-up GitHub token passed" + (": its mode is warn" if "--mode warn" in call else ""))


def _ours(text: bytes) -> bool:
    return chain.LINK in text or chain.SHIM in text


def _moved(folder: str, hook: str) -> str:
    """Return our link where another tool has put it under another name."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return next((p for n in names if n.startswith(hook + ".") and chain.LINK in chain.read(p := os.path.join(folder, n))), "")


def _named(top: str, hook: str) -> bool:
    """Whether the settings of another tool name us."""
    files = (".pre-commit-config.yaml", "lefthook.yml", "lefthook.yaml", ".lefthook.yml", f".husky/{hook}")
    return any(b"leakguard" in chain.read(os.path.join(top, *name.split("/"))) for name in files)


def _hidden(place: chain.Place) -> None:
    """Tell hooks of the repository that its `core.hooksPath` hides."""
    if place.folder == place.own or not os.path.isdir(place.own):
        return
    for name in sorted(os.listdir(place.own)):
        path = os.path.join(place.own, name)
        plain = "." not in name and os.access(path, os.X_OK) and not _ours(chain.read(path))
        if plain and not os.path.lexists(os.path.join(place.folder, name)):
            click.echo(f"  it hides {path}, which is not ours and does not run")


def _tried(hook: str, path: str) -> Health:
    """Run a copy of one link on a clean change and on the canary."""
    from tempfile import TemporaryDirectory

    if not os.access(path, os.X_OK):
        return Health(hook, _BAD, path, "not executable, so git passes over it; leakguard install renews it, or chmod +x")
    with TemporaryDirectory(prefix="leakguard-doctor-", ignore_cleanup_errors=True) as folder:
        link = os.path.join(folder, "link", hook)
        chain.write(link, chain.read(path))
        try:
            clean, _ = _Trial(folder, "clean").run(link, b"x = 1\n")
            code, told = _Trial(folder, "canary").run(link, b'TOKEN = "' + _canary() + b'"\n')
        except (OSError, LeakguardError) as e:
            return Health(hook, _UNTRIED, path, str(e.strerror if isinstance(e, OSError) else e))
        except subprocess.TimeoutExpired:
            return Health(hook, _UNTRIED, path, f"it took longer than {_SECONDS} seconds")
    if code == 0:
        return Health(
            hook, _BAD, path, "a made-up GitHub token passed" + (": leakguard-hook was not found" if _missing(told) else "")
        )
    if _missing(told):
        return Health(
            hook, _UNTRIED, path, "leakguard-hook was not found, so everything is refused; install it, or PATH is another"
        )
    if (clean, code) == (0, ExitCode.FINDINGS):
        return Health(hook, _GOOD, path)
    return Health(hook, _UNTRIED, path, f"it ended with {clean} on a clean change and with {code} on a token, in place of 0 and 1")


def _missing(told: bytes) -> bool:
    return b"leakguard-hook was not found" in told


def _canary() -> bytes:
    from random import SystemRandom

    from leakguard.ruleset.templates import expand

    return expand("ghp_${body=base62:30}${crc32_base62:body}", SystemRandom()).encode()


class _Trial:
    """A throwaway repository in which one hook runs once."""

    def __init__(self, folder: str, name: str) -> None:
        self._home = folder
        self._top = os.path.join(folder, name)

    def run(self, link: str, text: bytes) -> tuple[int, bytes]:
        """Return the exit code of a hook on this content, and what it said on standard error."""
        hook = os.path.basename(link)
        server = hook == "pre-receive"
        os.mkdir(self._top, 0o700)
        git.run(["init", "-q", "--template=", *(["--bare"] if server else [])], cwd=self._top)
        arguments, given = self._prepare(hook, text)
        variables = {name: v for name, v in git.environment().items() if not name.startswith(("PRE_COMMIT", "GL_"))}
        # a finding in a throwaway repository is no last run of anybody's
        variables |= {"XDG_STATE_HOME": self._home} | ({"GIT_DIR": "."} if server else {})
        done = subprocess.run(  # noqa: S603 - a copy of our link
            [link, *arguments], cwd=self._top, env=variables, input=given, capture_output=True, check=False, timeout=_SECONDS
        )
        return done.returncode, done.stderr

    def _prepare(self, hook: str, text: bytes) -> tuple[list[str], bytes]:
        """Bring about what the hook looks at; return its arguments and its standard input."""
        if hook == "commit-msg":
            with open(os.open(os.path.join(self._top, "message"), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
                f.write(b"a change\n\n" + text)
            return ["message"], b""
        blob = self._git("hash-object", "-w", "--stdin", "--no-filters", given=text)
        if hook == "pre-commit":
            self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},settings.py")
            return [], b""
        tree = self._git("mktree", given=f"100644 blob {blob}\tsettings.py\n".encode())
        commit = self._git(*_WHO, "commit-tree", "-m", "a change", tree)
        none = "0" * len(commit)
        if hook == "pre-push":
            return ["origin", "nowhere"], f"refs/heads/main {commit} refs/heads/main {none}\n".encode()
        return [], f"{none} {commit} refs/heads/main\n".encode()

    def _git(self, *args: str, given: bytes | None = None) -> str:
        return git.run(args, cwd=self._top, input=given).decode().strip()
