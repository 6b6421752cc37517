"""A generic value whose name speaks of a vendor is that vendor's, and a nearer anchor says more than a farther one."""

from __future__ import annotations

from random import Random

import pytest

from leakguard.api import build_engine
from leakguard.config import Config
from leakguard.engine.fold import fold
from leakguard.engine.vendors import table, vendor_of
from leakguard.model.blob import Blob, StreamProvenance
from leakguard.model.finding import Finding
from leakguard.ruleset import templates

WORDS = table(
    [
        ("acme", "keyword", ("acme", "acme_secret", "acmecloud")),
        ("column", "keyword", ("column",)),
        ("zed", "format", ("zed_",)),
        ("notion", "keyword", ("notion",)),
    ]
)


def found(text: str, level: str = "balanced") -> list[Finding]:
    """Scan a text and fold what comes of it."""
    scanned = build_engine(Config(level=level), {}).scan(Blob(text.encode(), StreamProvenance("text")))
    return fold(scanned.candidates, lambda secret: secret.reveal().hex(), lambda _rule, default, _aliases: default)


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("ACME_API_KEY", "acme"),
        ("my.acmeToken", "acme"),
        ("acmecloudkey", "acme"),
        ("prodAcmeCloudKey", "acme"),
        ("zed-token", "zed"),
        ("pharmacmeKey", ""),
        ("ACMES_KEY", ""),
        ("zedkey", ""),
        ("column_key", ""),
        ("NOTION_API_KEY", "notion"),
        ("notionOfTheKey", ""),
        ("theNotionKey", ""),
        ("api_key", ""),
        ("", ""),
    ],
)
def test_a_name_speaks_of_a_vendor_by_whole_words(name: str, vendor: str) -> None:
    assert vendor_of(name, WORDS) == vendor


@pytest.mark.parametrize("line", ["gitlabToken = {}", "x-gitlab-access: 1\nGITLAB_CI_TOKEN={}", "the GitLab access token: {}"])
def test_a_value_of_no_known_form_is_told_as_the_vendors_its_name_speaks_of(line: str) -> None:
    value = templates.expand("${base62:28}", Random(line))
    (finding,) = found(line.format(value))

    assert finding.rule.provider == "generic"
    assert finding.provider == "gitlab"


@pytest.mark.parametrize(
    "text",
    [
        "gitlab:\n  url: https://git.acme.example\n  api_token: {}\n",
        '{{\n  "gitlab": {{\n    "token": "{}"\n  }}\n}}',
        "[gitlab]\ntoken = {}",
    ],
)
def test_a_value_under_a_vendors_key_or_section_is_the_vendors(text: str) -> None:
    value = templates.expand("${base62:28}", Random(text))
    (finding,) = found(text.format(value))

    assert finding.provider == "gitlab"


def test_a_key_on_the_same_level_says_nothing() -> None:
    value = templates.expand("${base62:28}", Random(8))
    (finding,) = found(f"gitlab:\nother:\n  secret_token: {value}")

    assert finding.provider == "generic"


@pytest.mark.parametrize("length", [28, 60])
def test_a_prefix_tells_its_vendor_in_another_length(length: int) -> None:
    value = templates.expand("glpat-${base62:" + str(length) + "}", Random(length))
    (finding,) = found(f"x = {value}")

    assert finding.provider == "gitlab"
    assert "loose" in {reason.term for reason in finding.score.reasons}


@pytest.mark.parametrize(
    "text", ["glpat-your-token-goes-here-2024-01", "glpat-insert_your_token_here_1234", "x-glpat-" + "Ab3" * 8]
)
def test_words_after_a_prefix_are_no_token(text: str) -> None:
    assert found(f"x = {text}") == []


def test_a_form_that_is_known_names_its_own_vendor() -> None:
    value = templates.expand("glpat-${base64url:20}", Random(3))
    (finding,) = found(f"slack_token = {value}")

    assert (finding.rule.id, finding.provider) == ("gitlab-personal-token", "gitlab")


def test_of_two_anchors_the_nearer_one_counts() -> None:
    value = templates.expand("${alnum:40}", Random(5))
    text = f'buttercms = require("buttercms")\nBUTTERCMS_TOKEN = "{value}"'

    (finding,) = found(text)
    assert finding.provider == "buttercms"
    assert "far" not in {reason.term for reason in finding.score.reasons}


def test_a_value_near_its_vendors_name_counts_where_it_is_called_a_key() -> None:
    value = templates.expand("${alnum:40}", Random(6))

    assert [f.provider for f in found(f"ask the buttercms API with\n    key = {value}")] == ["buttercms"]
    assert [f.provider for f in found(f"buttercms is here; {value}") if f.rule.shape == "keyword"] == []


@pytest.mark.parametrize(
    ("text", "vendor"),
    [
        ("curl -H 'Authorization: Bearer {}' https://api.gitlab.com/v4/user", "gitlab"),
        ("url = 'https://api.gitlab.com/v4/projects?page=2&access_token={}'", "gitlab"),
        ("url = 'https://acme.dev/v4/projects?page=2&access_token={}'", "http"),
        ("const key = process.env.GITLAB_TOKEN || '{}'", "gitlab"),
        ('variable "gitlab_token" {{\n  default = "{}"\n}}', "gitlab"),
    ],
)
def test_a_request_names_its_host_and_a_fallback_its_variable(text: str, vendor: str) -> None:
    value = templates.expand("${base62:28}", Random(text))

    assert [f.provider for f in found(text.format(value))] == [vendor]
