"""Make `src/leakguard/engine/language.py`: letter pairs and words of ordinary code and prose.

The material is the text of Python's own standard library (names, comments, docstrings): plenty of identifiers, no
credentials. Only counts are kept. The table is frozen: it is not fitted on any labelled set, so that what counts as
"looks like language" can't learn how a benchmark was made.

usage: python benchmarks/fit_language.py > src/leakguard/engine/language.py
"""

from __future__ import annotations

import math
import re
import sysconfig
from collections import Counter
from pathlib import Path

WORDS = 3000
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def main() -> None:
    words: Counter[str] = Counter()
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if "site-packages" in path.parts or "idle_test" in path.parts:
            continue
        text = path.read_text("utf-8", "replace")
        words.update(w.lower() for w in re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{3,}", text))
    pairs: Counter[str] = Counter()
    for word, n in words.items():
        for pair in zip(word, word[1:], strict=False):
            pairs["".join(pair)] += min(n, 50)
    table = []
    for a in LETTERS:
        total = sum(pairs[a + b] for b in LETTERS)
        row = ""
        for b in LETTERS:
            p = (pairs[a + b] + 0.5) / (total + 13)
            row += str(max(0, min(9, round(9 + math.log2(p)))))
        table.append(row)
    kept = sorted(w for w, _n in words.most_common(12000) if 4 <= len(w) <= 12)
    kept = sorted(w for w, _n in Counter({w: words[w] for w in kept}).most_common(WORDS))
    print('"""Letter pairs and words of ordinary code and prose; made by `benchmarks/fit_language.py`, don\'t edit."""')
    print("\nfrom __future__ import annotations\n")
    print("PAIRS = (")
    for row in table:
        print(f'    "{row}"')
    print(")")
    print('"""At 26 * a + b: 9 + log2 P(b follows a), cut to 0..9; 26 x 26 digits."""\n')
    print("WORDS = (")
    line = ""
    for word in kept:
        if len(line) + len(word) > 118:
            print(f'    "{line}"')
            line = ""
        line += word + " "
    print(f'    "{line}"')
    print(")")
    print('"""Common words of 4 to 12 letters."""')


if __name__ == "__main__":
    main()
