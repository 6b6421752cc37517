"""Every built-in rule is proved with the engine that users run; wrong rule files are told with file and rule."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
import pytest

from leakguard.engine.checks import CHECKS
from leakguard.engine.written import WAYS
from leakguard.errors import RuleError
from leakguard.model.finding import LEVELS
from leakguard.model.rule import SEVERITIES
from leakguard.model.verdict import Identity
from leakguard.net.message import CLASSES
from leakguard.ruleset import load as loader
from leakguard.ruleset import templates, verify
from leakguard.ruleset.check import check
from leakguard.ruleset.files import builtin_folder
from leakguard.ruleset.load import KINDS, Loaded, load

BUILT_IN = load([builtin_folder()])
FILES = sorted({doc.file for doc in BUILT_IN.docs})


def of(file: str) -> Loaded:
    """Return the rules of one file."""
    pairs = [(r, d) for r, d in zip(BUILT_IN.rules, BUILT_IN.docs, strict=True) if d.file == file]
    return Loaded(tuple(r for r, _ in pairs), tuple(d for _, d in pairs))


@pytest.mark.parametrize("file", FILES)
def test_the_rules_of_a_file_keep_what_they_promise(file: str) -> None:
    """Examples hit with the right span, counter-examples miss, both engines agree, hostile input is bounded."""
    assert list(check(of(file))) == []


@pytest.mark.parametrize("file", FILES)
def test_each_rule_is_told_to_people(file: str) -> None:
    """A reference, rotation advice, an example, a counter-example, an id that begins with its provider's."""
    for rule, doc in zip(of(file).rules, of(file).docs, strict=True):
        assert doc.references, rule.id
        assert all(r.startswith("https://") for r in doc.references), rule.id
        assert len(doc.rotate) > 20, rule.id
        assert doc.examples, rule.id
        assert doc.counter_examples, rule.id
        assert rule.id.startswith(rule.provider), rule.id
        assert rule.kind in KINDS


def test_rule_files_hold_no_secret_shaped_text() -> None:
    """Scanning the rule files themselves finds nothing: examples are templates."""
    from leakguard.api import build_engine
    from leakguard.config import Config
    from leakguard.model.blob import Blob, FileProvenance

    engine = build_engine(Config(level="balanced"), {})
    found = []
    for path in sorted(Path(builtin_folder()).glob("*.toml")):
        scanned = engine.scan(Blob(path.read_bytes(), FileProvenance(builtin_folder(), path.name)))
        found += [(path.name, c.rule.id, c.place.start_line) for c in scanned.candidates]

    assert found == []


GOOD = """
[provider]
id = "acme"
name = "Acme"
references = ["https://acme.example"]
rotate = "Console > Keys > Roll."
[[rule]]
id = "acme-key"
name = "Acme key"
severity = "high"
kind = "api_key"
format = "acme_${base62:20}"
counter_examples = ["acme_${base62:5}"]
"""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('severity = "high"', 'severity = "huge"'), "severity 'huge' is not known"),
        (('kind = "api_key"', 'kind = "thing"'), "kind 'thing' is not known"),
        (("acme_${base62:20}", "ac${base62:20}"), "at least three literal characters"),
        (("counter_examples", "counterexamples"), "unknown key 'counterexamples'"),
        (('format = "acme_${base62:20}"', ""), "needs 'format'"),
        (('name = "Acme"\n', ""), "needs [provider] with id and name"),
        (("[[rule]]", "[[rule]"), "acme.toml"),
        (("[[rule]]", "[rule]"), "write [[rule]] before each rule"),
        (('format = "acme_${base62:20}"', 'pattern = "(a"\nanchors = ["abc"]'), "bad pattern"),
        (('kind = "api_key"', 'kind = "api_key"\ncheck = "crc99"'), "no offline check 'crc99'"),
        (('kind = "api_key"', 'kind = "api_key"\nprior = "high"'), "wrong type"),
        (('kind = "api_key"', 'kind = "api_key"\nexamples = 1'), "wrong type"),
        (('kind = "api_key"', 'kind = "api_key"\npart_of = [{name = "id"}]'), "a part needs a name, and a format or a pattern"),
    ],
)
def test_a_wrong_rule_file_is_told_with_its_name(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    """The message names the file and what is wrong, the hint what to do."""
    path = tmp_path / "acme.toml"
    path.write_text(GOOD.replace(*change))

    with pytest.raises(RuleError) as caught:
        load([str(path)])

    assert words in f"{caught.value} {caught.value.hint}"
    assert "acme.toml" in str(caught.value)
    assert "acme-key" not in str(caught.value) or "acme.toml:7: acme-key: " in str(caught.value)
    assert caught.value.hint


SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "schemas" / "rules-1.schema.json").read_text())


def test_every_rule_file_fits_the_published_schema() -> None:
    """Editors and other programs check rule files by it."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    paths = sorted(Path(builtin_folder()).glob("*.toml"))

    assert [(p.name, e.message) for p in paths for e in validator.iter_errors(tomllib.loads(p.read_text()))] == []


def test_the_schema_knows_what_the_loader_knows() -> None:
    """Keys and words of both are the same."""
    schema = SCHEMA["$defs"]
    rule, table, step = (schema[name]["properties"] for name in ("rule", "verify", "step"))

    def words(field: dict[str, Any]) -> set[str]:
        return set(field["anyOf"][0]["enum"] if "anyOf" in field else field["enum"])

    assert set(SCHEMA["properties"]) == {"provider", "rule", "verify"}
    assert set(schema["provider"]["properties"]) == loader._PROVIDER_KEYS
    assert set(rule) == loader._RULE_KEYS
    assert set(schema["variant"]["properties"]) == loader._RULE_KEYS - {"variants"} | {"vars"}
    assert set(schema["part"]["properties"]) == loader._PART_KEYS
    assert set(table) == verify._TABLE_KEYS | verify._STEP_KEYS
    assert set(step) == verify._STEP_KEYS
    assert set(schema["criterion"]["properties"]) == verify._CRITERION_KEYS
    assert words(rule["severity"]) == set(SEVERITIES)
    assert words(rule["kind"]) == KINDS
    assert words(rule["level"]) == set(LEVELS)
    assert words(rule["lifetime"]) == set(loader.LIFETIMES)
    assert words(rule["written"]) == set(WAYS)
    assert words(rule["check"]) == set(CHECKS)
    assert words(step["class"]) == set(CLASSES)
    assert words(step["identity"]["propertyNames"]) == set(Identity._fields)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('severity = "high"', 'severity = "huge"'),
        ('kind = "api_key"', 'kind = "thing"'),
        ("counter_examples", "counterexamples"),
        ('format = "acme_${base62:20}"', ""),
        ('name = "Acme"\n', ""),
        ('kind = "api_key"', 'kind = "api_key"\nprior = "high"'),
        ('kind = "api_key"', 'kind = "api_key"\npart_of = [{name = "id"}]'),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(old: str, new: str) -> None:
    """And takes the file without the mistake."""
    jsonschema.validate(tomllib.loads(GOOD), SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(GOOD.replace(old, new)), SCHEMA)


def test_an_id_that_is_taken_is_an_error(tmp_path: Path) -> None:
    """Ids and aliases are unique over all files."""
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(GOOD)

    with pytest.raises(RuleError, match="'acme-key' is taken by a.toml"):
        load([str(tmp_path)])


def test_a_family_gives_one_rule_for_each_variant(tmp_path: Path) -> None:
    """Look-alike tokens of one vendor come from one table."""
    text = GOOD.replace(
        'id = "acme-key"\nname = "Acme key"',
        'variants = [{id = "acme-live", name = "Live", vars = {p = "live"}}, {id = "acme-test", name = "Test", severity = "low", vars = {p = "test"}}]',
    )
    (tmp_path / "acme.toml").write_text(text.replace("acme_$", "acme_{p}_$"))

    rules = load([str(tmp_path)]).rules

    assert [(r.id, r.severity, r.anchors) for r in rules] == [
        ("acme-live", "high", ("acme_live_",)),
        ("acme-test", "low", ("acme_test_",)),
    ]


def test_the_check_tells_a_rule_that_does_not_keep_its_promise(tmp_path: Path) -> None:
    """A counter-example that matches and an example that does not are told apart."""
    text = GOOD.replace('"acme_${base62:5}"', '"acme_${base62:20}"') + 'examples = ["acme-${secret}x1"]\n'
    (tmp_path / "acme.toml").write_text(text)

    said = [f.what for f in check(load([str(tmp_path)]))]

    assert any("matches the counter-example" in what for what in said)
    assert any("misses the example" in what for what in said)


def test_a_slow_pattern_is_told(tmp_path: Path) -> None:
    """A pattern that backtracks for ever does not pass."""
    slow = GOOD.replace(
        'format = "acme_${base62:20}"', "pattern = '''acme(?P<secret>(?:a+)+[xy])'''\nanchors = [\"acme\"]\nafter = 60000"
    )
    (tmp_path / "acme.toml").write_text(slow)

    assert any("hostile input" in f.what for f in check(load([str(tmp_path)])))


def test_a_generated_example_of_every_format_rule_is_its_whole_value() -> None:
    """The template of a rule is what `${secret}` expands to."""
    rng = Random(11)
    for rule, doc in zip(BUILT_IN.rules, BUILT_IN.docs, strict=True):
        if rule.shape == "format":
            value = templates.expand(doc.template, rng)
            assert any(value.lower().startswith(anchor) for anchor in rule.anchors), rule.id


@pytest.mark.parametrize(("page", "options"), [("credentials.md", []), ("verifiers.md", ["--verify"])])
def test_the_pages_of_credential_types_are_made_from_the_rules(page: str, options: list[str]) -> None:
    """Anew: `leakguard rules list -f markdown > docs/credentials.md`, with `--verify` for docs/verifiers.md."""
    command = [sys.executable, "-m", "leakguard", "rules", "list", "-f", "markdown", *options]
    made = subprocess.run(command, capture_output=True, check=True).stdout.decode()

    assert made == (Path(__file__).parent.parent / "docs" / page).read_text("utf-8")


def test_rules_are_listed_by_group_level_and_word() -> None:
    def listed(*options: str) -> list[str]:
        command = [sys.executable, "-m", "leakguard", "rules", "list", *options]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()

    grouped = listed("--by", "severity", "--provider", "github")
    assert "critical" in grouped
    assert any(line.startswith("  github-") for line in grouped)
    assert all("slack" in line.lower() for line in listed("--search", "Slack")[:-1])
    assert len(listed("--level", "balanced")) < len(listed("--level", "all"))


def test_a_changed_built_in_file_is_proved_in_the_place_of_the_old_one(tmp_path: Path) -> None:
    old = (Path(builtin_folder()) / "stripe.toml").read_text()
    (tmp_path / "stripe.toml").write_text(old)

    done = subprocess.run(
        [sys.executable, "-m", "leakguard", "rules", "check", str(tmp_path / "stripe.toml")], capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
