"""Verifiers that need code, against real servers on this machine: AWS (moto) and PostgreSQL; and those that ask nobody."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Planted
from daemons import free_port
from leakguard.errors import NetError
from leakguard.model.finding import Verdict
from leakguard.net.message import Request
from leakguard.net.policy import allow
from leakguard.secret import Secret
from leakguard.verifiers import aws, jwt, postgres, private_key, uri
from leakguard.verifiers._canary import aws_account
from leakguard.verifiers._contract import Tools
from leakguard.verifiers._run import _account
from leakguard.verifiers._sigv4 import signed
from logins import credential

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Run an AWS on this machine that checks signatures."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def user_key(url: str) -> tuple[str, str]:
    """Make an IAM user with a key, then let the server check every call."""
    for action in ("Action=CreateUser&UserName=ada", "Action=CreateAccessKey&UserName=ada"):
        request = urllib.request.Request(url + "/", f"{action}&Version=2010-05-08".encode(), method="POST")
        request.add_header(
            "Authorization", "AWS4-HMAC-SHA256 Credential=x/20270101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x"
        )
        body = urllib.request.urlopen(request).read().decode()
    reset = urllib.request.Request(url + "/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST")
    urllib.request.urlopen(reset).read()
    return body.partition("<AccessKeyId>")[2].partition("<")[0], body.partition("<SecretAccessKey>")[2].partition("<")[0]


def ask_aws(tools: Tools, url: str, key_id: str, secret: str) -> Verdict:
    return aws.check(
        credential("aws-secret-access-key", "aws.toml", secret, key_id=key_id), tools._replace(endpoints={"aws": (url,)})
    )


def test_an_aws_key_is_live_dead_or_of_another_pair(tools: Tools, moto: str, planted: Planted) -> None:
    key_id, secret = user_key(moto)
    live = ask_aws(tools, moto, key_id, secret)
    assert live.state == "live"
    assert live.identity is not None
    assert (live.identity.name.split(":")[-1], live.identity.account, live.identity.type) == ("user/ada", "123456789012", "user")
    wrong = ask_aws(tools, moto, key_id, planted.make("${base64:40}"))
    assert (wrong.state, wrong.reason) == ("unknown", "ambiguous_pair"), "the secret may belong to another id"
    assert ask_aws(tools, moto, planted.aws()[0], secret).state == "dead"


def test_a_temporary_aws_key_is_not_asked_without_its_session_token(tools: Tools, planted: Planted) -> None:
    verdict = ask_aws(tools, "http://localhost:1", "ASIA" + planted.make("${base32:16}"), planted.aws()[1])
    assert (verdict.state, verdict.reason) == ("unknown", "no_partner")


def test_a_request_is_signed_as_aws_publishes_it() -> None:
    """`get-vanilla-query-order-key-case` of AWS's own Signature Version 4 test suite, with the suite's made-up key."""
    url = "https://example.amazonaws.com/?Param2=value2&Param1=value1"
    key_id, secret = "AKID" + "EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY" + "EXAMPLEKEY"
    request = signed(
        Request("GET", url), key_id=key_id, secret=secret, token="", region="us-east-1", service="service", wall=1440938160.0
    )
    signature = dict(request.headers)["Authorization"].rpartition("=")[2]
    assert signature == "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"


def test_the_account_of_an_aws_key_id_is_read_from_it() -> None:
    assert aws_account("AKIAYVP4CIPP" + "A" * 8) == "595918472158"
    assert aws_account("AKIAIOSF" + "A" * 12) == ""


class Postgres:
    """A cluster in a temporary folder, stopped and removed at the end."""

    def __init__(self) -> None:
        binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(shutil.which("pg_ctl") or "/").parent]
        self.bin = binaries[-1]
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))
        self.user = {}
        if os.getuid() == 0:
            self.user = {"user": "postgres"}
            shutil.chown(self.folder, "postgres")
        self.port = free_port()
        first = self.folder / "first"
        first.write_text("initial\n")
        first.chmod(0o644)
        self.run("initdb", "-A", "scram-sha-256", "-U", "root_of_all", f"--pwfile={first}", "-D", self.folder / "db")
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.run("pg_ctl", "-D", self.folder / "db", "-o", options, "-l", self.folder / "log", "-t", "150", "-w", "start")

    def run(self, name: str, *args: object) -> None:
        subprocess.run(
            [self.bin / name, *map(str, args)], check=True, cwd="/", stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, timeout=180, **self.user,
        )  # fmt: skip

    def sql(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="root_of_all", password="initial", dbname="postgres", autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]

    def stop(self) -> None:
        self.run("pg_ctl", "-D", self.folder / "db", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def _has_postgres() -> bool:
    found = bool(list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb"))
    try:
        return found and (os.getuid() != 0 or bool(pwd.getpwnam("postgres")))
    except KeyError:
        return False


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Run a PostgreSQL."""
    if not _has_postgres():
        assert not os.environ.get("LEAKGUARD_REQUIRE_SERVICES"), "apt-get install postgresql"
        pytest.skip("PostgreSQL is not installed here")
    running = Postgres()
    try:
        yield running
    finally:
        running.stop()


def ask_postgres(tools: Tools, port: int, user: str, password: str, database: str = "postgres") -> Verdict:
    url = f"postgresql://{user}:{password}@localhost:{port}/{database}"
    one = credential("http-uri-credentials", "http.toml", password, around=f"DATABASE_URL={url}")
    return uri.check(one, tools._replace(allowed=(allow(f"localhost:{port}"),)))


def test_a_postgres_login_is_live_wrong_locked_or_without_its_database(tools: Tools, server: Postgres, planted: Planted) -> None:
    password = planted.make("${base62:20}")
    server.sql(
        f"CREATE ROLE app LOGIN PASSWORD '{password}' VALID UNTIL '2031-01-01'",
        "CREATE ROLE shut NOLOGIN PASSWORD '" + password + "'",
    )
    live = ask_postgres(tools, server.port, "app", password)
    assert live.state == "live"
    assert live.identity is not None
    assert (live.identity.name, live.identity.type, live.identity.expires[:10]) == ("app", "role", "2031-01-01")
    wrong = ask_postgres(tools, server.port, "app", planted.make("${base62:20}"))
    assert (wrong.state, wrong.reason) == ("dead", "wrong_secret")
    locked = ask_postgres(tools, server.port, "shut", password)
    assert (locked.state, locked.reason) == ("dead", "locked")
    gone = ask_postgres(tools, server.port, "app", password, "nowhere")
    assert gone.state == "live"
    assert "database is gone" in gone.detail
    assert password not in repr((live, locked, gone))


def test_a_postgres_that_does_not_answer_says_nothing_of_the_login(tools: Tools, planted: Planted) -> None:
    verdict = ask_postgres(tools, free_port(), "app", planted.make("${base62:20}"))
    assert verdict.state == "unknown"


def test_a_database_beside_a_credential_is_not_asked_unless_a_person_allows_it(tools: Tools, server: Postgres) -> None:
    one = credential("http-uri-credentials", "http.toml", "q7q7q7q7", around=f"postgres://app:q7q7q7q7@localhost:{server.port}/x")
    with pytest.raises(NetError) as caught:
        postgres.check(one, tools)
    assert caught.value.cause == "host_not_allowed"
    assert f"--allow-host localhost:{server.port}" in caught.value.hint


def test_tries_of_a_login_are_counted_by_account_and_its_password_is_no_part_of_that(planted: Planted) -> None:
    password = planted.make("${base62:20}")
    one = credential("http-uri-credentials", "http.toml", password, around=f"postgres://app:{password}@db.acme.example/shop")
    assert uri.account(one) == "app@db.acme.example:5432", "whatever the database"
    assert password not in uri.account(one)


def test_a_value_that_is_no_text_is_no_login(tools: Tools) -> None:
    assert _account(uri, credential("http-uri-credentials", "http.toml", "q7q7q7q7")._replace(secret=Secret(b"\xff\xfe\xff"))) == ""


def test_a_login_that_nothing_here_can_ask_is_told_so(tools: Tools) -> None:
    one = credential("http-uri-credentials", "http.toml", "q7q7q7q7", around="gopher://app:q7q7q7q7@db.acme.example/")
    assert uri.check(one, tools).state == "unverifiable"
    assert list(uri.plan(one, tools)) == []


def jwt_of(claims: dict[str, object]) -> str:
    from base64 import urlsafe_b64encode

    return ".".join(
        urlsafe_b64encode(raw).decode().rstrip("=") for raw in (b'{"alg":"HS256"}', json.dumps(claims).encode(), b"s" * 32)
    )


@pytest.mark.parametrize(
    ("claims", "state", "reason"),
    [
        ({"exp": NOW - 1, "iss": "https://id.acme.example", "sub": "ada"}, "dead", "expired"),
        ({"exp": NOW + 1, "iss": "https://id.acme.example", "sub": "ada"}, "unverifiable", ""),
        ({"sub": "ada"}, "unverifiable", ""),
        ({"exp": "soon"}, "unverifiable", ""),
        ({"exp": True}, "unverifiable", ""),
    ],
)
def test_a_jwt_is_read_and_its_issuer_is_not_asked(claims: dict[str, object], state: str, reason: str) -> None:
    offline = Tools(lambda *_: pytest.fail("asked"), lambda *_: pytest.fail("connected"), lambda: NOW)
    verdict = jwt.check(credential("jwt", "jwt.toml", jwt_of(claims)), offline)
    assert (verdict.state, verdict.reason) == (state, reason)
    if "iss" in claims:
        assert verdict.identity is not None
        assert (verdict.identity.id, verdict.identity.account) == ("ada", "https://id.acme.example")


@pytest.mark.parametrize("kind", ["rsa", "ed25519", "encrypted", "ssh"])
def test_of_a_private_key_its_kind_and_fingerprint_are_told(kind: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
    form = PrivateFormat.OpenSSH if kind == "ssh" else PrivateFormat.PKCS8
    locked = BestAvailableEncryption(b"q7q7q7q7") if kind == "encrypted" else NoEncryption()
    text = key.private_bytes(Encoding.PEM, form, locked).decode().strip()
    offline = Tools(lambda *_: pytest.fail("asked"), lambda *_: pytest.fail("connected"), lambda: NOW)
    for written in (text, text.replace("\n", "\\n")):
        verdict = private_key.check(credential("private-key-pem", "private-key.toml", written), offline)
        assert verdict.state == "unverifiable"
        assert verdict.identity is not None
        if kind == "encrypted":
            assert verdict.identity.type == "PKCS #8, encrypted"
            assert "passphrase" in verdict.detail
        else:
            assert verdict.identity.type == ("RSA 2048" if kind == "rsa" else "ED25519")
            assert verdict.identity.id.startswith("SHA256:")
