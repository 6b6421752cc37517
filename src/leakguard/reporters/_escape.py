"""Make scanned text safe to show: no control characters, no ANSI, no bidi marks, no lone surrogates."""

from __future__ import annotations

from leakguard.model.blob import GitProvenance, Provenance, path_in
from leakguard.model.finding import Place

_ASCII = str.maketrans({"•": "*", "…": "...", "│": "|", "╰": "`", "╯": "'", "─": "-", "◐": "[?]", "●": "[!]", "○": "[ ]", "◌": "[-]", "✖": "x", "✔": "ok", "·": "-", "×": "x", "—": "-", "“": '"', "”": '"'})  # fmt: skip


def clean(text: str) -> str:
    r"""Return text without what a terminal or page would act on; bytes that are no UTF-8 show as `\xNN`."""
    if text.isascii() and text.isprintable():
        return text
    out = []
    for char in text:
        if "\udc80" <= char <= "\udcff":
            out.append(f"\\x{ord(char) - 0xDC00:02x}")
        elif char.isprintable():
            out.append(char)
        elif char == "\t":
            out.append("    ")
    return "".join(out)


def ascii_only(text: str) -> str:
    r"""Return text in ASCII: the marks that we use have stand-ins, other characters show as escapes."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode()


def path_of(provenance: Provenance) -> str:
    """Return a path, object or stream name for people, cleaned."""
    if isinstance(provenance, GitProvenance):
        prefix = {"path-name": "file name ", "ref-name": "ref name "}.get(provenance.kind, "")
        return prefix + clean(provenance.path) if provenance.path else f"{provenance.kind} {provenance.blob[:12]}".rstrip()
    return clean(path_in(provenance))


def at(place: Place) -> str:
    """Return `path:line:column` of a place."""
    return f"{path_of(place.provenance)}:{place.start_line}:{place.start_column}"


def size(count: int) -> str:
    """Return a number of bytes for people."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def plural(count: int, word: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
