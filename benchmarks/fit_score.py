"""Learn `src/leakguard/engine/fitted.py`: the weights of the terms of generic rules.

    LEAKGUARD_BENCH_DATA=... python benchmarks/fit_score.py [--write] [--curve FILE.svg]

Logistic regression (L2) over every generic match in the dev halves of the two accuracy measures and in the forms of our own
tests, found and read by the shipped engine. Folds are whole repositories (CredData) and whole providers (peer cases), so that the figures printed are of
material that the fit has not seen; the table is of all of it. What keeps it honest:

- terms are observations that hold anywhere; no term knows a path, a name or a value, and one seen in fewer than three
  repositories or providers is dropped;
- language terms (words, letter pairs, placeholders) are frozen tables of our own material;
- the kind of file of a peer case is not learned from, as its text was only exported to one; a peer's rule counts as much
  with one case as with fifty;
- a term that can only be a reason against (a placeholder, a path) never gets a weight in favour, nor does what stands
  round a match, since the sieve of history asks without it.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from leakguard.api import build_engine
from leakguard.config import Config
from leakguard.engine import terms, values, weights
from leakguard.engine.place import position
from leakguard.engine.weights import group
from leakguard.model.blob import Blob, FileProvenance

FOLDS = 5
L2 = 2.0
SEEDS = 5
OWN = 2.0
"""How much one of our own forms counts against one match of CredData or one rule of a peer."""
LEAST_GROUPS = 3
LEAST_ROWS = 15
AGAINST = {
    "not-a-secret",
    "path-or-url",
    "code",
    "algorithm",
    "stock-words",
    "placeholder",
    "refers",
    "repeats",
    "counts",
    "same-as-name",
} | {
    "like-its-name",
    "odd-sign",
    "starts-with-sign",
    "ends-a-sentence",
    "many-spaces",
    "again",
    "example",
}
"""Groups that may only lower a score."""
AT_MOST = {
    "refers": -4.0,
    "algorithm": -4.0,
    "placeholder": -2.0,
    "repeats": -2.5,
    "counts": -2.5,
    "code": -1.5,
    "stock-words": -3.0,
} | {
    "before:message": -2.0,
    "after:message": -1.5,
    "after:hash": -1.5,
    "before:hash": -2.5,
    "form:non-ascii": -2.0,
    "many-spaces": -1.5,
}
"""Forms that a person would never take for a secret, whatever the few examples say."""
ROUND = ("login", "tail", "siblings")
"""Groups read round a match, one term of which always holds: the best of each is moved into the constant."""


def most(term: str) -> float:
    """Return what a weight may be at most."""
    plain = term.partition(".")[2] or term
    return AT_MOST.get(plain, AT_MOST.get(group(term), 0.0 if group(term) in AGAINST else np.inf))


class Row(NamedTuple):
    """A match with its label."""

    terms: tuple[str, ...]
    """Empty for vendors' rules, whose weights are set by hand."""
    label: bool | None
    """None: neither right nor wrong."""
    source: str
    group: str
    """What stays together in a fold."""
    share: str
    """Rows of a share and label count as one together; empty: each counts one."""
    prior: float
    score: float
    place: dict[str, Any]


def matches(engine: Any, root: Path, path: str) -> list[tuple[Any, float, list[str], dict[str, Any]]]:
    """Return every match in a file that survives overlaps, of any score."""
    data = (root / path).read_bytes()
    return [] if b"\0" in data[:4096] else observed_in(engine, data, str(root), path)


def observed_in(engine: Any, data: bytes, root: str, path: str) -> list[tuple[Any, float, list[str], dict[str, Any]]]:
    blob = Blob(data, FileProvenance(root, path))
    kind = values.file_kind(path)
    found, _slow = engine._matcher.confirm(data, engine._prefilter.hits(data, config=kind not in values.CODE))
    out = []
    for match, rule, scored, name in engine._judge(data, found, kind):
        observed: list[str] = []
        if rule.shape == "generic":
            who = "password" if rule.kind == "password" else "token"
            text = data[match.start + rule.public : match.end].decode("utf-8", "replace")
            observed = ["generic", "rule:" + rule.id]
            observed += terms.outside(who, rule, match, data, name, kind, alone=False)
            observed += [*terms.shape(who, text), terms.pairs(who, text), *terms.language(who, text)]
            observed += [*terms.no_secret(who, text, name), *terms.near(match, data)]
        (line, column), (end_line, end_column) = position(blob, match.start), position(blob, match.end)
        span = {"offset": match.start, "length": match.end - match.start}
        place = {"path": path, **span, "start_line": line, "end_line": end_line, "start_column": column, "end_column": end_column}
        provider = engine.vendor(data, match, rule, name) or rule.provider
        out.append((rule, scored.value, observed, {**place, "provider": provider}))
    return out


def creddata(engine: Any, root: Path, scorer: Any) -> list[Row]:
    labels = scorer.load_labels(root / "labels.csv")
    out = []
    for file in sorted(p for p in (root / "files").rglob("*") if p.is_file()):
        path = str(file.relative_to(root / "files"))
        for rule, value, observed, place in matches(engine, root / "files", path):
            start, end = place["start_line"], place["end_line"]
            hit = [r for r in labels.get(path, ()) if r["start"] <= end and start <= r["end"]]
            true = [r for r in hit if r["label"] == "T"]
            fits = any(end - start <= r["end"] - r["start"] + scorer.SLACK for r in true)
            label = True if fits else None if not true and any(r["label"] == "N" for r in hit) else False
            repository = Path(path).parts[0]
            out.append(Row(tuple(observed), label, "creddata", repository, "", rule.prior, value, place))
    return out


def peer_cases(engine: Any, root: Path, scorer: Any, cases: list[dict[str, Any]]) -> list[Row]:
    out = []
    for case in cases:
        path = case["id"] + scorer.extension(case["path"])
        passed = bool(scorer.PASSED_OVER & set(case["tags"]))
        for rule, value, observed, place in matches(engine, root, path):
            if case["expected"]:
                on = bool(case["secret"]) and case["secret"] in case["text"] and scorer.on_value(case, [place])
                label = True if on and not passed else None
            else:
                label = None if "one-rule-negative" in case["tags"] else False
            who = scorer.plain(case["provider"]) or case["rule"]
            share = f"{case['peer']} {case['rule']}"
            seen = tuple(t for t in observed if group(t) != "file")
            out.append(Row(seen, label, "peers", who, share, rule.prior, value, place))
    return out


def own_forms(engine: Any) -> list[Row]:
    """Return our own material: every form that the tests know, with values made for it, and the lines that stay quiet."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    forms, quiet, groups = import_module("forms"), import_module("forms_quiet"), import_module("test_forms").GROUPS
    out = []
    for name, form in ((name, form) for of in groups.values() for name, form in of.items()):
        for seed in range(SEEDS):
            written = forms.write(form, Random(f"{form.text} fit {seed}"))
            for rule, value, observed, place in observed_in(engine, written.data, "/", form.path):
                start, end = place["offset"], place["offset"] + place["length"]
                label = True if (start, end) == (written.start, written.end) else None
                out.append(Row(tuple(observed), label, "own", name, "own " + name, rule.prior, value, place))
    for path, lines in quiet.QUIET.items():
        for line in lines:
            for rule, value, observed, place in observed_in(engine, line.encode() + b"\n", "/", path):
                out.append(Row(tuple(observed), False, "own", line, "own " + line, rule.prior, value, place))
    return out


class Model:
    """Columns of terms and their weights."""

    def __init__(self, rows: list[Row]) -> None:
        seen: dict[str, set[str]] = defaultdict(set)
        count: Counter[str] = Counter()
        for row in rows:
            for term in row.terms:
                seen[term].add(row.group)
                count[term] += 1
        self.names = sorted(t for t in seen if len(seen[t]) >= LEAST_GROUPS and count[t] >= LEAST_ROWS)
        self.at = {t: i for i, t in enumerate(self.names)}
        self.x = np.zeros((len(rows), len(self.names)))
        for i, row in enumerate(rows):
            self.x[i, [self.at[t] for t in row.terms if t in self.at]] = 1
        shares = Counter((row.share, row.label) for row in rows)
        self.weight = np.array(
            [(OWN if row.source == "own" else 1.0) / shares[row.share, row.label] if row.share else 1.0 for row in rows]
        )
        self.label = np.array([bool(row.label) for row in rows], float)
        self.told = np.array([row.label is not None for row in rows])
        self.prior = np.array([row.prior for row in rows])
        self.penalty = np.array([0.01 if t == "generic" else L2 for t in self.names])
        self.most = np.array([most(t) for t in self.names])

    def fit(self, chosen: np.ndarray) -> np.ndarray:
        """Return the weights by Newton's method; what passes its bound is held there, and the rest fitted again."""
        free = np.ones(len(self.names), bool)
        w = np.zeros(len(self.names))
        x, y, share = self.x[chosen], self.label[chosen], self.weight[chosen]
        while True:
            given = self.prior[chosen] + x[:, ~free] @ w[~free]
            w[free] = self._newton(x[:, free], y, share, given, free)
            wrong = free & (w > self.most)
            if not wrong.any():
                return w
            w[wrong] = self.most[wrong]
            free &= ~wrong

    def _newton(self, x: np.ndarray, y: np.ndarray, row: np.ndarray, prior: np.ndarray, free: np.ndarray) -> np.ndarray:
        w, penalty = np.zeros(x.shape[1]), self.penalty[free]
        for _ in range(40):
            p = 1 / (1 + np.exp(-np.clip(x @ w + prior, -30, 30)))
            bend = (x * (row * p * (1 - p) + 1e-9)[:, None]).T @ x + np.diag(penalty)
            step = np.linalg.solve(bend, x.T @ (row * (y - p)) - penalty * w)
            w += step
            if abs(step).max() < 1e-4:
                break
        return w

    def scores(self, w: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-np.clip(self.x[chosen] @ w + self.prior[chosen], -30, 30)))


def cross_validated(model: Model, rows: list[Row], seed: int) -> np.ndarray:
    """Return the score of each row by the weights of the folds that don't hold its repository or provider."""
    groups = sorted({(row.source, row.group) for row in rows})
    np.random.default_rng(seed).shuffle(groups)
    fold_of = {tuple(g): i % FOLDS for i, g in enumerate(groups)}
    fold = np.array([fold_of[row.source, row.group] for row in rows])
    out = np.zeros(len(rows))
    for k in range(FOLDS):
        out[fold == k] = model.scores(model.fit((fold != k) & model.told), fold == k)
    return out


def table(model: Model, w: np.ndarray) -> dict[str, float]:
    """Return the weights, rounded; what stands round a match may only lower a score."""
    out = {t: float(x) for t, x in zip(model.names, w, strict=True)}
    for name in ROUND:
        of = [t for t in out if group(t) == name]
        best = max(out[t] for t in of)
        for t in of:
            out[t] -= best
        out["generic"] += best
    return {t: round(x, 2) for t, x in sorted(out.items()) if abs(x) >= 0.1}


HEAD = '''"""Weights of the terms of generic rules, in log-odds; made by `benchmarks/fit_score.py`, don't edit.

`password.` and `token.`: what the same observation tells of a password and of anything else.
"""

from __future__ import annotations

FITTED: dict[str, float] = {
'''


def write(fitted: dict[str, float]) -> None:
    path = Path(sys.modules["leakguard.engine.weights"].__file__ or "").with_name("fitted.py")
    lines = [f'    "{term}": {weight},\n' for term, weight in fitted.items()]
    path.write_text(HEAD + "".join(lines) + "}\n", encoding="utf-8")
    print(f"{len(fitted)} weights in {path}")


class Measure:
    """The two scorers, asked with places above a threshold."""

    def __init__(self, data: Path, work: Path) -> None:
        sys.path.insert(0, str(data))
        self.work = work
        self.creddata: Any = import_module("score_creddata")
        self.cases_of: Any = import_module("score_cases")
        with tarfile.open(data / "creddata-dev.tar.xz") as archive:
            archive.extractall(work, filter="data")
        with lzma.open(data / "peer-cases-dev.jsonl.xz") as packed:
            (work / "cases.jsonl").write_bytes(packed.read())
        self.cases = self.cases_of.load(work / "cases.jsonl")
        stderr, sys.stderr = sys.stderr, open(os.devnull, "w")  # noqa: SIM115 - the scorer talks while it writes
        self.cases_of.export(self.cases, work / "cases")
        sys.stderr = stderr

    def on_creddata(self, rows: list[Row], scores: np.ndarray, least: float) -> tuple[dict[str, Any], Any, Any]:
        with (self.work / "places").open("w", encoding="utf-8") as f:
            f.writelines(
                json.dumps(row.place) + "\n" for row, s in zip(rows, scores, strict=True) if row.source == "creddata" and s >= least
            )
        result: tuple[dict[str, Any], Any, Any] = self.creddata.score(self.work / "labels.csv", self.work / "places")
        return result

    def on_peers(self, rows: list[Row], scores: np.ndarray, least: float) -> dict[str, float]:
        places = defaultdict(list)
        for row, s in zip(rows, scores, strict=True):
            if row.source == "peers" and s >= least:
                places[row.place["path"].rpartition(".")[0]].append(row.place)
        hit = lambda c: places[c["id"]]  # noqa: E731
        positive = [c for c in self.cases if c["expected"]]
        real = [c for c in positive if not self.cases_of.PASSED_OVER & set(c["tags"])]
        negative = [c for c in self.cases if not c["expected"] and "one-rule-negative" not in c["tags"]]
        valued = [c for c in real if c["secret"] and c["secret"] in c["text"]]
        typed = [c for c in real if self.cases_of.plain(c["provider"]) not in ("", "generic", "unknown")]
        by = self.cases_of.by_rule
        return {
            "recall": by(positive, hit),
            "realistic": by(real, hit),
            "value": by(valued, lambda c: self.cases_of.on_value(c, hit(c))),
            "typed": by(typed, lambda c: self.cases_of.names_provider(c, hit(c))),
            "alarms": by(negative, hit),
        }


def report(measure: Measure, rows: list[Row], scores: np.ndarray) -> None:
    """Print what each threshold gives."""
    for least in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.85, 0.9):
        found, _every, _got = measure.on_creddata(rows, scores, least)
        peers = measure.on_peers(rows, scores, least)
        print(
            f"{least:.2f}  F1 {found['f1']:.3f}  P {found['precision']:.3f}  R {found['recall']:.3f}  value {found['value']:.3f}   peers "
            + "  ".join(f"{k} {v:.1f}" for k, v in peers.items())
        )
    for name, least in weights.LEVELS.items():
        _found, every, got = measure.on_creddata(rows, scores, least)
        for what in ("stratum", "place"):
            total, hit = Counter(r[what] for r in every), Counter(r[what] for r in got.values())
            print(f"{name}: recall by {what}: " + ", ".join(f"{k} {hit[k] / n:.3f} of {n}" for k, n in total.items()))
    _found, every, got = measure.on_creddata(rows, scores, weights.LEVELS["all"])
    total, hit = Counter(r["category"] for r in every), Counter(r["category"] for r in got.values())
    print("all: recall by category: " + ", ".join(f"{k} {hit[k]}/{n}" for k, n in total.most_common(25)))
    print("calibration on CredData: score, findings, share that is real")
    told = [(row.label, s) for row, s in zip(rows, scores, strict=True) if row.source == "creddata" and row.label is not None]
    for low in np.arange(0, 1, 0.1):
        of = [label for label, s in told if low <= s < low + 0.1 + (low > 0.85)]
        print(f"  {low:.1f}  {len(of):6d}  {sum(map(bool, of)) / max(1, len(of)):.2f}")


def curve(measure: Measure, rows: list[Row], scores: np.ndarray, path: str) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "leakguard"
    points = [measure.on_creddata(rows, scores, x)[0] for x in np.arange(0.02, 0.99, 0.02)]
    fig, ax = plt.subplots(figsize=(5, 4))
    ax.plot([p["recall"] for p in points], [p["precision"] for p in points], color="#2a6f97")
    for name, least in weights.LEVELS.items():
        at = measure.on_creddata(rows, scores, least)[0]
        ax.plot(at["recall"], at["precision"], "o", color="#012a4a")
        ax.annotate(
            f"{name}\nF1 {at['f1']:.2f}",
            (at["recall"], at["precision"]),
            xytext=(-8, -10),
            textcoords="offset points",
            ha="right",
            va="top",
        )
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="CredData dev half, five folds by repository")
    ax.grid(alpha=0.3)
    fig.tight_layout()
    fig.savefig(path, metadata={"Date": None, "Creator": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table")
    parser.add_argument("--curve", help="draw the precision-recall curve")
    parser.add_argument("--seed", type=int, default=0, help="how groups fall into folds")
    args = parser.parse_args()
    where = os.environ.get("LEAKGUARD_BENCH_DATA")
    if not where or not Path(where, "creddata-dev.tar.xz").exists():
        print("fit_score: set LEAKGUARD_BENCH_DATA to the folder that holds the two accuracy measures", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as scratch:
        measure = Measure(Path(where), Path(scratch))
        weights.LEVELS |= {"all": 0.0}
        engine = build_engine(Config(level="all"), {})
        engine._floor = 0.0
        rows = creddata(engine, measure.work, measure.creddata)
        rows += peer_cases(engine, measure.work / "cases", measure.cases_of, measure.cases)
        rows += own_forms(engine)
        weights.LEVELS |= {"all": ALL}
        generic = [i for i, row in enumerate(rows) if row.terms]
        model = Model([rows[i] for i in generic])
        scores = np.array([row.score for row in rows])
        scores[generic] = cross_validated(model, [rows[i] for i in generic], args.seed)
        report(measure, rows, scores)
        if args.curve:
            curve(measure, rows, scores, args.curve)
        if args.write:
            write(table(model, model.fit(model.told)))
    return 0


ALL = weights.LEVELS["all"]

if __name__ == "__main__":
    sys.exit(main())
