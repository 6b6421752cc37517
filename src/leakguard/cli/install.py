"""`leakguard install`: put our link into the chain of git hooks, without breaking what is there.

Invariant: nobody's hook is lost. A hook that stands there is moved to `<hook>.before-leakguard`, runs first with the same
arguments and input, and `uninstall` moves it back; a `core.hooksPath` that somebody else set is never changed.
Where hooks lie is asked with the user's own environment and settings, which `gitio.run` shuts out on purpose, but only by
`config` and `rev-parse`, which start nothing. Rejected: `init.templateDir` for `--global`, which misses existing clones.
"""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

import click

from leakguard.errors import SourceError, UsageError
from leakguard.gitio import run as git

HOOKS = ("pre-commit", "commit-msg", "pre-push", "pre-receive")
LINK, SHIM, PASS = b"# leakguard-link: ", b"# leakguard-shim: ", b"# leakguard-pass: "
"""Third words of our files: a link of the chain; a file of `hooks/`; what runs a repository's own hook and nothing else."""
BEFORE = ".before-leakguard"
PASSED = (
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-merge-commit", "prepare-commit-msg", "post-commit"),
    *("pre-rebase", "post-checkout", "post-merge", "update", "post-receive", "post-update", "pre-auto-gc", "post-rewrite"),
    *("sendemail-validate", *HOOKS),
)
"""Hooks of a repository that go on working under `--global`; not those that run at every write of the index or a ref, and
not those whose mere presence changes what git does (`push-to-checkout`, `proc-receive`)."""

_ARGUMENTS = {"pre-commit": "", "commit-msg": ' --commit-msg "$@"', "pre-push": ' --pre-push "$@"', "pre-receive": " --pre-receive"}
_INPUT = {"pre-push", "pre-receive"}
"""Hooks that git gives lines on standard input."""

_HEAD = """\
#!/bin/sh
# leakguard-link: made by `leakguard install {flag}{hook}`, undone by `leakguard uninstall {flag}{hook}`.
# {about}
# LEAKGUARD_HOOK_MISSING=allow: go on where leakguard-hook is not installed; by default nothing passes unseen.
program={program}
"""
_LOCAL = """\
case $0 in */*) here=${{0%/*}} ;; *) here=. ;; esac
previous=$here/{hook}.before-leakguard
"""
_GLOBAL = """\
common=$(git rev-parse --git-common-dir) || exit 3
previous=$common/hooks/{hook}
[ "$previous" -ef "$0" ] && previous=
"""
_BODY = """\
if [ -f "$previous" ] && [ -x "$previous" ]; then
  {before}"$previous" "$@" || exit
fi
if ! [ -x "$program" ]; then
  program=$(command -v leakguard-hook) || program=
  case $program in
  /*) ;;
  *)
    echo "leakguard: leakguard-hook was not found, nothing was checked" >&2
    echo "  install it: pipx install leakguard (or python3 -m pip install leakguard)" >&2
    [ "${{LEAKGUARD_HOOK_MISSING:-}}" = allow ] && exit 0
    exit 3
    ;;
  esac
fi
{call}"$program"{arguments}
"""
_FEED = """\
input=$(cat)
give() { [ -z "$input" ] || printf '%s\\n' "$input" 2>/dev/null; }
"""
_RELAY = """\
#!/bin/sh
# leakguard-pass: core.hooksPath hides the hooks of a repository; this runs its own {hook}, and nothing of ours.
common=$(git rev-parse --git-common-dir) || exit 3
own=$common/hooks/{hook}
[ -f "$own" ] && [ -x "$own" ] || exit 0
[ "$own" -ef "$0" ] && exit 0
exec "$own" "$@"
"""
_UNSET = "git config --global --unset core.hooksPath"


class Place(NamedTuple):
    """Where git looks for the hooks of a repository."""

    folder: str
    """The folder that counts; with a `core.hooksPath` not the repository's own."""
    own: str
    top: str
    """Work tree, or the repository itself where it is bare."""
    scope: str = ""
    """Whose `core.hooksPath` it is: `local`, `worktree`, `global`, `system`, `command`; empty: it is not set."""

    @property
    def inside(self) -> bool:
        """Whether the folder is part of the work tree, so that others may get it with a clone."""
        real = os.path.realpath
        return real(self.folder).startswith(real(self.top) + os.sep) and not real(self.folder).startswith(
            real(os.path.dirname(self.own)) + os.sep
        )


@click.command("install", epilog="Example: leakguard install pre-commit pre-push")
@click.option("--global", "everywhere", is_flag=True, help="For every repository of yours, by a core.hooksPath of ours.")
@click.option("--force", is_flag=True, help="Chain even in a folder that another tool manages or that all repositories share.")
@click.option(
    "--agent", "agents", multiple=True, metavar="NAME", help="A coding agent's hooks instead of git's; repeatable: docs/agents.md."
)
@click.option(
    "--mode", type=click.Choice(["block", "redact", "warn"]), default="block", help="With --agent: what happens to a secret."
)
@click.argument("hooks", metavar="[HOOK]...", nargs=-1, type=click.Choice(HOOKS))
def command(hooks: tuple[str, ...], *, agents: tuple[str, ...], mode: str, everywhere: bool, force: bool) -> None:
    """Put LeakGuard into git's hooks; a hook that is there goes on running, before ours.

    HOOK is pre-commit (the default), commit-msg, pre-push or, on a server, pre-receive.
    """
    if agents:
        if hooks:
            raise UsageError("--agent is not for git's hooks", hint="run leakguard install twice")
        _install_agents(agents, mode, everywhere=everywhere)
        return
    wanted = tuple(dict.fromkeys(hooks)) or ("pre-commit",)
    if everywhere:
        install_globally(wanted)
        return
    place = locate(os.getcwd())
    guard(place, wanted, force=force)
    program = "" if place.inside else find_program()
    for hook in wanted:
        path = os.path.join(place.folder, hook)
        if SHIM in read(path):
            click.echo(f"{hook}: {path} calls leakguard-hook already")
            continue
        click.echo(f"{hook}: {put(path, script(hook, program))} {path}")
    if not find_program():
        click.echo("leakguard-hook is not on PATH: until it is, the hooks refuse everything", err=True)
    if place.inside:
        click.echo("this folder is part of the work tree: commit it, so that others get the hook as well", err=True)
    click.echo("prove it:  leakguard doctor")


def _install_agents(names: tuple[str, ...], mode: str, *, everywhere: bool) -> None:
    from leakguard.cli import _agents

    for name in _agents.checked(names):
        click.echo(_agents.install(name, mode, everywhere=everywhere))
    if not find_program():
        click.echo("leakguard-hook is not on PATH: until it is, the agent is told no to everything", err=True)
    click.echo("prove it:  leakguard doctor")


def script(hook: str, program: str, *, everywhere: bool = False) -> bytes:
    """Return our link of the chain."""
    from shlex import quote

    about = f"The hook that was here runs first, as {hook}{BEFORE}; its exit code or ours blocks."
    if everywhere:
        about = f"The repository's own {hook} runs first; its exit code or ours blocks."
    head = _HEAD.format(flag="--global " if everywhere else "", hook=hook, about=about, program=quote(program))
    body = _BODY.format(
        before="give | " if hook in _INPUT else "",
        call="give | " if hook in _INPUT else "exec ",
        arguments=_ARGUMENTS[hook],
    )
    feed = _FEED if hook in _INPUT else ""
    return os.fsencode(head + (_GLOBAL if everywhere else _LOCAL).format(hook=hook) + feed + body)


def passing(hook: str) -> bytes:
    """Return what runs a repository's own hook under `--global`."""
    return _RELAY.format(hook=hook).encode()


def put(path: str, text: bytes) -> str:
    """Write our link, moving away what is there; return what was done, in a word or two.

    Raises:
        UsageError: there is a hook, and one that was moved away before.
    """
    kept = path + BEFORE
    if LINK in read(path):
        if read(path) == text and os.access(path, os.X_OK):
            return "is there already:"
        write(path, text)
        return "renewed:"
    if not os.path.lexists(path):
        write(path, text)
        return f"installed, {os.path.basename(kept)} runs first:" if os.path.lexists(kept) else "installed:"
    if os.path.lexists(kept):
        raise UsageError(
            f"{path} is not ours, and {os.path.basename(kept)} is there from an earlier installation",
            hint="join the two hooks into one file and remove the other, then run this again",
        )
    os.rename(path, kept)
    try:
        write(path, text)
    except BaseException:
        os.rename(kept, path)
        raise
    return f"installed, the one that was there runs first as {os.path.basename(kept)}:"


def install_globally(hooks: tuple[str, ...]) -> None:
    """Fill our folder and name it in the user's `core.hooksPath`.

    Raises:
        UsageError: somebody else set one, or there is no place for settings.
    """
    # git would replace a device by a file
    file = os.environ.get("GIT_CONFIG_GLOBAL")
    if file is not None and os.path.lexists(file) and not os.path.isfile(file):
        raise UsageError(f"GIT_CONFIG_GLOBAL names {file}, which is no file", hint="unset it, or name a file")
    folder = global_folder()
    setting = global_setting()
    if setting and not same(setting, folder):
        raise UsageError(
            f"your git settings name another folder for hooks already: {setting}",
            hint=f"run `leakguard install --force` in a repository to chain in that folder, or give it up: {_UNSET}",
        )
    for name in PASSED:
        path = os.path.join(folder, name)
        if os.path.lexists(path) and not any(mark in read(path) for mark in (LINK, PASS)):
            raise UsageError(f"{path} is not ours", hint="move it into the repositories that need it, then run this again")
    program = find_program()
    for name in PASSED:
        path = os.path.join(folder, name)
        if name in hooks:
            text = script(name, program, everywhere=True)
            said = "is there already:" if read(path) == text else "installed:"
            click.echo(f"{name}: {said} {path}")
        elif LINK in read(path):
            continue
        else:
            text = passing(name)
        if read(path) != text or not os.access(path, os.X_OK):
            write(path, text)
    if not setting:
        ask("config", "--global", "core.hooksPath", folder)
    if not program:
        click.echo("leakguard-hook is not on PATH: until it is, the hooks refuse everything", err=True)
    click.echo(f"core.hooksPath is {folder}; hooks in .git/hooks of a repository go on running\nprove it:  leakguard doctor")


def global_folder() -> str:
    """Return our folder for `--global`.

    Raises:
        UsageError: there is no home.
    """
    from leakguard.config import user_folder

    folder = user_folder(os.environ, "XDG_CONFIG_HOME", ".config")
    if not folder:
        raise UsageError("there is no home folder", hint="set HOME")
    return os.path.join(folder, "hooks")


def global_setting() -> str:
    """Return the `core.hooksPath` of the user, else of the system."""
    for scope in ("--global", "--system"):
        value = ask("config", scope, "--type=path", "--get", "core.hooksPath", fine=(0, 1, 128))
        if value:
            return os.fsdecode(value[:-1])
    return ""


def locate(cwd: str) -> Place:
    """Find the hooks of the repository at or above a folder.

    Raises:
        SourceError: there is no repository.
    """

    def path(*args: str) -> str:
        return os.path.join(cwd, os.fsdecode(ask(*args, cwd=cwd)[:-1]))

    common = path("rev-parse", "--git-common-dir")
    in_tree = ask("rev-parse", "--is-inside-work-tree", cwd=cwd) == b"true\n"
    top = path("rev-parse", "--show-toplevel" if in_tree else "--absolute-git-dir")
    own = os.path.join(os.path.normpath(common), "hooks")
    said = ask("config", "--show-scope", "--null", "--type=path", "--get", "core.hooksPath", cwd=cwd, fine=(0, 1))
    if not said:
        return Place(own, own, top)
    scope, value = said.split(b"\0")[:2]
    # git takes an empty setting for the root of the file system
    folder = os.path.normpath(os.path.join(top, os.fsdecode(value) or os.sep))
    return Place(folder, own, top, scope.decode())


def guard(place: Place, hooks: tuple[str, ...], *, force: bool) -> None:
    """Refuse folders that are not ours to write to.

    Raises:
        UsageError: what to do instead.
    """
    folder = place.folder
    if place.scope and (os.path.dirname(folder) == folder or (os.path.lexists(folder) and not os.path.isdir(folder))):
        raise UsageError(f"core.hooksPath is {folder} ({place.scope}), which switches all hooks off", hint="unset it, then install")
    if place.scope in {"global", "system"} and same(folder, global_folder()):
        raise UsageError("your hooks are installed for all repositories", hint="leakguard install --global HOOK adds one more")
    if force:
        return
    for hook in hooks:
        if told := managed(folder, hook):
            raise UsageError(f"{told[0]} manages the hooks in {folder}", hint=f"{told[1]}; or chain with --force")
    if place.scope in {"global", "system"}:
        raise UsageError(
            f"core.hooksPath ({place.scope}) sends every repository to {folder}, so a hook of this repository would never run",
            hint="--force chains in that folder, for all repositories",
        )


def managed(folder: str, hook: str) -> tuple[str, str] | None:
    """Return the tool that writes a hook, and how to add ours there."""
    call = "leakguard-hook" + _ARGUMENTS[hook]
    in_yaml = call.replace('"$@"', "{0}")
    if ".husky" in folder.split(os.sep):
        return "husky", f"add this line to .husky/{hook}:  {call}"
    text = read(os.path.join(folder, hook))
    if b"generated by pre-commit" in text or b"generated by prek" in text:
        which = {"pre-push": "leakguard-push", "commit-msg": "leakguard-commit-msg"}.get(hook, "leakguard")
        return "pre-commit", f"add the hook {which} to .pre-commit-config.yaml, see docs/hooks.md"
    if b"lefthook" in text:
        return "lefthook", f"add a command to {hook} in lefthook.yml:  {in_yaml}"
    return None


def find_program() -> str:
    """Return where `leakguard-hook` is: on PATH, whose links outlive an upgrade, else beside this Python."""
    import sys

    name = "leakguard-hook.exe" if os.name == "nt" else "leakguard-hook"
    for folder in (*os.get_exec_path(), os.path.dirname(sys.executable)):
        path = os.path.join(folder, name)
        if os.path.isabs(folder) and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


def ask(*args: str, cwd: str = ".", fine: tuple[int, ...] = (0,)) -> bytes:
    """Run `git config` or `git rev-parse` with the user's own settings and return what it printed.

    Raises:
        SourceError: git is missing or fails.
    """
    program = git.executable()
    if program is None:
        raise SourceError("git is not installed, or not on PATH", hint="install git")
    done = subprocess.run(  # noqa: S603 - no shell, absolute program
        [program, *args], cwd=cwd, env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode not in fine:
        git.fail(args[0], done.returncode, done.stderr)
    return done.stdout


def same(one: str, other: str) -> bool:
    """Whether two paths mean one folder."""
    return os.path.realpath(one) == os.path.realpath(other)


def read(path: str) -> bytes:
    """Return a hook's text, as far as we look; nothing where there is none."""
    try:
        if not os.path.isfile(path):
            return b""
        with open(path, "rb") as f:
            return f.read(1 << 16)
    except OSError:
        return b""


def write(path: str, text: bytes) -> None:
    """Write an executable file whole and at once.

    Raises:
        SourceError: the folder can't be written.
    """
    part = f"{path}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755), "wb") as f:
            f.write(text)
        os.replace(part, path)
    except OSError as e:
        raise SourceError(f"{path} can't be written: {e.strerror}", hint="run as the owner of that folder") from None
