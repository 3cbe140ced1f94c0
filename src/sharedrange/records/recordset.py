"""Sets of verified records: read from files, merged by union, with everything that is wrong in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sharedrange.core.errors import InputError
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.records.keys import fingerprint
from sharedrange.records.kinds import KINDS, read_body
from sharedrange.records.record import Record, read_line, shape_of, short, time_finding

SUFFIX = ".jsonl"
FOLDER = "records"


@dataclass(frozen=True, slots=True)
class RecordSet:
    """Records whose signatures hold, each once, in order of key and place in its chain; shown where any shows it.

    `damage` is what was wrong in files; `findings` adds what is wrong between the records: forks, missing
    links, kinds that nobody here knows. A record stays in the set however its chain looks: nothing is lost.
    """

    records: tuple[Record, ...] = ()
    damage: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        once: dict[str, Record] = {}
        for record in self.records:
            known = once.get(record.id)
            once[record.id] = min(record, known, key=_shown_first) if known else record
        object.__setattr__(self, "records", tuple(sorted(once.values(), key=_place)))
        object.__setattr__(self, "damage", tuple(sorted(set(self.damage), key=_told)))
        object.__setattr__(self, "findings", self.damage + tuple(_between(self.records)))

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def of(self, key: str) -> tuple[Record, ...]:
        """The records of one key, in order."""
        return tuple(record for record in self.records if record.author_key == key)

    def authors(self) -> tuple[str, ...]:
        """Ids of the keys that signed records here."""
        return tuple(sorted({record.author_key for record in self.records}))

    def heads(self) -> dict[str, str]:
        """Each key -> id of its last record: to compare with a partner, since a cut end shows nowhere else."""
        return {record.author_key: record.id for record in self.records}


def merge(a: RecordSet, b: RecordSet) -> RecordSet:
    """Everything that either holds. The order and the number of merges do not matter."""
    return RecordSet(a.records + b.records, a.damage + b.damage)


def chain_file(key: str) -> str:
    """The name of the file of a key's chain; no colon, which some file systems do not take."""
    return key.replace(":", "-") + SUFFIX


def lines(records: Iterable[Record]) -> bytes:
    """Records as they stand in a file, one a line."""
    return b"".join(record.line() + b"\n" for record in records)


def from_files(files: Mapping[str, bytes], folder: str = FOLDER) -> RecordSet:
    """The records of chain files (name -> content), every line verified; `folder` is where findings point to."""
    records: list[Record] = []
    damage: list[Finding] = []
    for name, content in files.items():
        found, wrong = _read_file(name, content, f"{folder}/{name}")
        records += found
        damage += wrong
    return RecordSet(tuple(records), tuple(damage))


def sound_length(content: bytes) -> int:
    """Number of bytes before a torn last line: one without its end, or one that no writer finished.

    The end of its line is what makes a record count; a crash may leave less, and that was never confirmed.
    """
    end = content.rfind(b"\n") + 1
    if end < len(content):
        return end
    start = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
    return end if end == 0 or shape_of(content[start : end - 1]) else start


def _read_file(name: str, content: bytes, path: str) -> tuple[list[Record], list[Finding]]:
    sound = sound_length(content)
    records: list[Record] = []
    known: set[str] = set()
    findings: list[Finding] = []
    last = None
    for row, line in enumerate(content[:sound].split(b"\n")[:-1], start=1):
        where = Where(file=path, row=row)
        found = read_line(line, where)
        if isinstance(found, Finding):
            findings.append(found)
            continue
        findings += _misplaced(found, last, found.id in known, name, where)
        known.add(found.id)
        records.append(found)
        last = found
    if sound < len(content):
        torn = Where(file=path, row=content.count(b"\n", 0, sound) + 1)
        findings.append(Finding("record-torn-line", {"bytes": len(content) - sound}, torn, Severity.WARNING))
    return records, findings


def _misplaced(record: Record, last: Record | None, known: bool, name: str, where: Where) -> Iterator[Finding]:
    """What is wrong with where a record stands: a good record all the same."""
    if known:
        yield Finding("record-duplicate", {"seq": record.seq}, where, Severity.WARNING)
    elif chain_file(record.author_key) != name:
        yield Finding("record-wrong-file", {"key": fingerprint(record.author_key)}, where)
    elif last and record.seq < last.seq:
        yield Finding("record-order", {"seq": record.seq, "before": last.seq}, where)


def _between(records: tuple[Record, ...]) -> Iterator[Finding]:
    """What is wrong in chains whose every record is signed."""
    by_id = {record.id: record for record in records}
    yield from _forks(records)
    for record in records:
        where = _chain(record.author_key)
        yield from _link(record, by_id, where)
        yield from _content(record, where)


def _forks(records: Iterable[Record]) -> Iterator[Finding]:
    places: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        places.setdefault((record.author_key, record.seq), []).append(record)
    for (key, seq), rivals in places.items():
        if len(rivals) > 1:
            facts: dict[str, Fact] = {
                "key": fingerprint(key),
                "seq": seq,
                "records": ", ".join(short(r.id) for r in rivals),
            }
            yield Finding("record-fork", facts, _chain(key))


def _link(record: Record, by_id: Mapping[str, Record], where: Where) -> Iterator[Finding]:
    facts: dict[str, Fact] = {"key": fingerprint(record.author_key), "seq": record.seq, "record": short(record.id)}
    before = by_id.get(record.prev)
    if before is None and record.seq and record.prev:
        yield Finding("record-missing-link", {**facts, "missing": record.seq - 1}, where)
    elif not _follows(record, before):
        yield Finding("record-wrong-link", facts, where)


def _follows(record: Record, before: Record | None) -> bool:
    if before is None:
        return record.seq == 0 and not record.prev
    return (before.author_key, before.seq + 1) == (record.author_key, record.seq)


def _content(record: Record, where: Where) -> Iterator[Finding]:
    if record.hidden:
        return
    time = time_finding(record.recorded_at, where)
    if time is not None:
        yield time
    if record.kind not in KINDS:
        facts = {"kind": record.kind, "known": ", ".join(sorted(KINDS))}
        yield Finding("record-unknown-kind", facts, where, Severity.WARNING)
        return
    try:
        read_body(record.kind, record.body, where)
    except InputError as error:
        yield from error.findings


def _chain(key: str) -> Where:
    return Where(file=f"{FOLDER}/{chain_file(key)}")


def _place(record: Record) -> tuple[str, int, str]:
    return record.author_key, record.seq, record.id


def _shown_first(record: Record) -> tuple[bool, str]:
    """What is shown stays shown: a hidden record comes after the same one shown."""
    return bool(record.hidden), record.sig


def _told(finding: Finding) -> tuple[str, int, str]:
    return finding.where.file or "", finding.where.row or 0, str(finding)
