"""Logins to MariaDB against a real one on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import Planted
from daemons import SYSTEM, certified, free_port, needed, running, silent, temporary
from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.net.policy import allow
from leakguard.verifiers import _socket, mysql, uri
from leakguard.verifiers._contract import Tools
from logins import ask, beside, credential, leakguard, trust

pytestmark = pytest.mark.xdist_group("mysql")


class Server(NamedTuple):
    """A MariaDB with TLS."""

    port: int
    ca: str
    password: str

    def url(self, user: str, password: str, database: str = "shop") -> str:
        return f"mysql://{user}:{password}@localhost:{self.port}/{database}"

    def ask(self, tools: Tools, user: str, password: str = "", database: str = "shop") -> Verdict:
        return ask(tools, self.url(user, password or self.password, database), password or self.password)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a MariaDB."""
    program, install = needed("mariadbd", "mariadb-server"), needed("mariadb-install-db", "mariadb-server")
    password = Planted(3).make("${base62:20}")
    with temporary("maria") as folder:
        user = []
        if os.getuid() == 0:
            shutil.chown(folder, "mysql")
            folder.chmod(0o755)
            user = ["--user=mysql"]
        # Debian's script fails once in a while on a loaded machine; that says nothing of what is tested
        for _ in range(3):
            made = subprocess.run(
                [install, "--no-defaults", f"--datadir={folder}/db", "--auth-root-authentication-method=normal", "--skip-test-db", "--force", "--skip-name-resolve", *user],
                check=False, capture_output=True, timeout=120, env={"PATH": f"{os.environ['PATH']}:{SYSTEM}"},
            )  # fmt: skip
            if made.returncode == 0:
                break
            shutil.rmtree(folder / "db", ignore_errors=True)
        assert made.returncode == 0, (made.stdout + made.stderr).decode()[-3000:]
        ca = certified(folder)
        os.chmod(folder / "key", 0o644)
        accounts = folder / "accounts.sql"
        accounts.write_text(
            "CREATE DATABASE shop;\nCREATE DATABASE other;\n"
            + "".join(f"CREATE USER '{n}'@'localhost' IDENTIFIED BY '{password}';\nGRANT SELECT, INSERT ON shop.* TO '{n}'@'localhost';\n"
                      for n in ("app", "shut", "stale", "busy"))
            + "ALTER USER 'shut'@'localhost' ACCOUNT LOCK;\nALTER USER 'stale'@'localhost' PASSWORD EXPIRE;\n"
            f"CREATE USER 'top'@'localhost' IDENTIFIED BY '{password}';\nGRANT ALL PRIVILEGES ON *.* TO 'top'@'localhost';\n"
            f"CREATE USER 'new'@'localhost' IDENTIFIED VIA ed25519 USING PASSWORD('{password}');\nGRANT SELECT ON shop.* TO 'new'@'localhost';\n"
            f"CREATE USER ''@'localhost' IDENTIFIED BY '{password}';\n"
        )  # fmt: skip
        accounts.chmod(0o644)
        port = free_port()
        options = [
            f"--datadir={folder}/db",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={folder}/s",
            f"--init-file={accounts}",
        ]
        options += [f"--ssl-cert={folder}/cert", f"--ssl-key={folder}/key", f"--pid-file={folder}/pid", *user]
        with running([program, "--no-defaults", *options, "--plugin-load-add=auth_ed25519"], port, folder):
            yield Server(port, ca, password)


def test_a_mysql_login_is_live_wrong_locked_or_without_its_database(tools: Tools, server: Server, planted: Planted) -> None:
    live = server.ask(tools, "app")
    assert live.state == "live"
    assert live.identity is not None
    assert (live.identity.name, live.identity.type, live.identity.account) == ("app@localhost", "user", "localhost/shop")
    assert live.identity.scopes == ("USAGE ON *.*", "SELECT, INSERT ON shop.*"), "no hash of a password among them"
    assert "MariaDB" in live.evidence[0].decided
    top = server.ask(tools, "top", database="")
    assert top.identity is not None
    assert (top.identity.type, top.identity.scopes) == ("superuser", ("ALL PRIVILEGES ON *.*",))
    assert server.ask(tools, "new").state == "live", "a login by Ed25519"
    wrong = server.ask(tools, "app", planted.make("${base62:20}"))
    assert (wrong.state, wrong.reason) == ("dead", "wrong_secret")
    locked = server.ask(tools, "shut")
    assert (locked.state, locked.reason) == ("dead", "locked")
    gone = server.ask(tools, "top", database="nowhere")
    assert (gone.state, gone.detail) == ("live", "the database is gone, the login is not")
    other = server.ask(tools, "app", database="other")
    assert (other.state, other.detail) == ("live_restricted", "it may not use that database")
    stale = server.ask(tools, "stale")
    assert (stale.state, stale.detail) == ("live_restricted", "its password has to be changed before it may ask anything")
    assert server.password not in repr((live, wrong, locked, gone, other, stale))


@pytest.mark.parametrize("database", ["shop", "", "other"])
def test_a_login_is_read_from_the_name_of_a_database_as_go_writes_it(tools: Tools, server: Server, database: str) -> None:
    dsn = f"app:{server.password}@tcp(localhost:{server.port})/{database}?parseTime=true"
    one = credential("generic-login-dsn", "generic-login.toml", server.password, around=f'db, err := sql.Open("mysql", "{dsn}")')
    verdict = uri.check(one, tools._replace(allowed=(allow(f"localhost:{server.port}"),)))
    assert verdict.state == ("live_restricted" if database == "other" else "live")


def test_a_mysql_server_that_lets_everybody_in_does_not_make_a_password_live(tools: Tools, server: Server) -> None:
    verdict = server.ask(tools, "nobody")
    assert (verdict.state, verdict.detail) == ("unknown", "the server lets everybody in")


def test_over_a_public_network_mysql_is_asked_with_a_certificate_that_is_trusted_or_not_at_all(
    tools: Tools, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_socket, "is_public", lambda _: True)
    assert server.ask(tools._replace(ca_file=server.ca), "app").state == "live"
    with pytest.raises(NetError) as caught:
        server.ask(tools, "app")
    assert caught.value.cause == "tls"


def test_a_mysql_host_is_asked_only_where_a_person_allowed_it(tools: Tools, server: Server) -> None:
    with pytest.raises(NetError) as caught:
        mysql.check(beside(server.url("app", server.password), server.password), tools)
    assert (caught.value.cause, caught.value.hint) == ("host_not_allowed", f"--allow-host localhost:{server.port} lets it pass")


def test_a_mysql_that_does_not_answer_says_nothing_of_the_login(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_socket, "TOTAL_SECONDS", 0.2)
    with silent() as port, pytest.raises(NetError) as caught:
        ask(tools, f"mysql://app:q7q7q7q7@localhost:{port}/shop", "q7q7q7q7")
    assert caught.value.cause == "timeout"


def test_a_password_that_stands_alone_first_is_tried_where_a_url_names_its_server(tree: Path, server: Server) -> None:
    value = Planted(5).make("AVNS_${base64url:18}")
    trust(str(tree))
    (tree / "a.env").write_text(f"AIVEN_PASSWORD={value}\n")
    (tree / "b.env").write_text(f"DATABASE_URL={server.url('app', value)}\n")
    done = leakguard(tree, "scan", "--verify", "-f", "json", "--allow-host", f"localhost:{server.port}")
    found = json.loads(done.stdout)["findings"]
    assert {f["rule"]: f["verification"]["state"] for f in found}["aiven-service-password"] == "dead"
