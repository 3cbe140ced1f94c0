"""Compile the catalogues of words: every sharedrange.po beside its sharedrange.mo. `--check` only compares."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

_NO_DAY = datetime(2000, 1, 1, tzinfo=UTC)
LOCALE = Path(__file__).parent.parent / "src" / "sharedrange" / "core" / "locale"


def compiled(po: Path) -> bytes:
    """The .mo bytes of a .po file."""
    with po.open("rb") as stream:
        catalogue = read_po(stream, abort_invalid=True)
    catalogue.creation_date = catalogue.revision_date = _NO_DAY  # else the minute of compiling is in the file
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def main(check: bool) -> int:
    """Compile, or say which compiled catalogue is out of date."""
    stale = [po for po in sorted(LOCALE.rglob("*.po")) if not _same(po)]
    for po in stale:
        print(f"{'out of date' if check else 'compiled'}: {po.relative_to(LOCALE)}")
        if not check:
            po.with_suffix(".mo").write_bytes(compiled(po))
    return 1 if check and stale else 0


def _same(po: Path) -> bool:
    mo = po.with_suffix(".mo")
    return mo.exists() and mo.read_bytes() == compiled(po)


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
