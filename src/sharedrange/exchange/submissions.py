"""Submissions and their versions: a set that only grows, so that the order and number of imports change nothing.

A submission has an instance id. An edit is either the same instance sent again later, a new instance that names the
one it replaces (OpenRosa's ``deprecatedID``), or a new instance with the same root (ODK Central's ``KEY``). All are
versions of one record; one of them is current, the others stay in the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sharedrange.core.canonical import digest

ADDED = "added-"  # how the folders of later exports begin that were added to a dataset
Item = Mapping[str, str]  # field -> answer as text; what was not answered is not there


@dataclass(frozen=True, slots=True)
class Submission:
    """One version of one submission.

    `root`: id that stays over edits, empty if the export has none; `deprecated`: instance that this one replaces;
    `edits`, `at`: how often and when (UTC, ISO text) it was changed last, 0 and "" if nobody says;
    `answers`: field -> answer; `repeats`: name of a repeat -> its items; `file`, `row`: where it was read.
    """

    instance: str
    form: str
    answers: Item
    repeats: Mapping[str, tuple[Item, ...]] = field(default_factory=lambda: MappingProxyType({}))
    root: str = ""
    deprecated: str = ""
    edits: int = 0
    at: str = ""
    file: str = field(default="", compare=False)
    row: int = field(default=0, compare=False)

    @property
    def content(self) -> str:
        """Hash of what was answered."""
        items = {name: [dict(item) for item in given] for name, given in self.repeats.items() if given}
        return digest({"answers": dict(self.answers), "repeats": items, "form": self.form})

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id that this version and another version of its record may share."""
        return tuple(filter(None, (self.instance, self.root, self.deprecated)))


Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class History:
    """Every version of every submission that was ever read, each once: instance, what it replaces, content."""

    versions: Mapping[Key, Submission]

    @classmethod
    def of(cls, submissions: Iterable[Submission]) -> History:
        """The history of submissions as they come from files."""
        versions: dict[Key, Submission] = {}
        for one in submissions:
            key = one.instance, one.deprecated, one.content
            versions[key] = _joined(versions[key], one) if key in versions else one
        return cls(dict(sorted(versions.items())))


def table_of(file: str) -> str:
    """The name by which a mapping knows the table of a file: that of the first export, wherever later ones lie.

    Examples
    --------
    >>> table_of("added-002/form.csv"), table_of("season/form.csv")
    ('form.csv', 'season/form.csv')
    """
    first, _, rest = file.partition("/")
    return rest if rest and first.startswith(ADDED) and first.removeprefix(ADDED).isdigit() else file


def merge_submissions(old: History, new: History) -> History:
    """All that either knows. Merging again, or the other way round, gives the same.

    Examples
    --------
    >>> first, second = (Submission("uuid:1", "visit", {"count": n}, at=n) for n in "12")
    >>> both = merge_submissions(History.of([first]), History.of([second]))
    >>> both == merge_submissions(both, History.of([first])), [dict(s.answers) for s in current(both).shown]
    (True, [{'count': '2'}])
    """
    return History.of((*old.versions.values(), *new.versions.values()))


def _joined(one: Submission, other: Submission) -> Submission:
    """Two deliveries of one version: the latest word about when it was changed, the first place it was read from."""
    file, row = min((one.file, one.row), (other.file, other.row))
    last = max((one, other), key=lambda s: (s.edits, s.at, s.root))
    return replace(last, file=file, row=row)


@dataclass(frozen=True, slots=True)
class Current:
    """What a history says now: the version `shown` of each record, the `superseded`, and versions that contradict.

    `unsettled`: shown versions beside which another claims the same time; which is shown is then fixed but arbitrary.
    """

    shown: tuple[Submission, ...]
    superseded: tuple[Submission, ...]
    unsettled: tuple[Submission, ...]


def current(history: History) -> Current:
    """The version of each record that stands: not replaced by another, edited most, changed last."""
    shown, superseded, unsettled = [], [], []
    for record in _records(history.versions.values()):
        replaced = {one.deprecated for one in record if one.deprecated != one.instance}
        standing = [one for one in record if one.instance not in replaced] or list(record)
        last = max(standing, key=lambda one: (one.edits, one.at, one.content))
        shown.append(last)
        superseded += [one for one in record if one is not last]
        if any((one.edits, one.at) == (last.edits, last.at) and one.content != last.content for one in standing):
            unsettled.append(last)
    return Current(tuple(shown), tuple(superseded), tuple(unsettled))


def _records(versions: Iterable[Submission]) -> Iterator[list[Submission]]:
    """Versions that share an id, directly or through others, together."""
    leads: dict[str, str] = {}
    versions = list(versions)
    for one in versions:
        first, *others = one.ids
        for other in others:
            leads[_last(leads, other)] = _last(leads, first)
    records: dict[str, list[Submission]] = {}
    for one in versions:
        records.setdefault(_last(leads, one.instance), []).append(one)
    return iter(records.values())


def _last(leads: dict[str, str], name: str) -> str:
    """The name that stands for all that are joined with `name`; the way there is made shorter."""
    while (above := leads.get(name, name)) != name:
        leads[name] = leads.get(above, above)
        name = above
    return name
