"""The store of a node: deliveries in, tables out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from sharedrange.core.bursts import BURST_MINUTES
from sharedrange.core.contents import Delivered
from sharedrange.core.errors import InputError
from sharedrange.core.files import sha256_of
from sharedrange.core.finding import Finding, Where
from sharedrange.core.progress import Progress, part, silent
from sharedrange.exchange.store import queries
from sharedrange.exchange.store.derived import derive, is_derived
from sharedrange.exchange.store.duck import load
from sharedrange.exchange.store.generations import Generation, Import, Key, commit, forget, reading, staging, writing
from sharedrange.exchange.store.importing import build, gather, refuse_repeated, whose
from sharedrange.exchange.store.layout import NOTES, TABLES, assembled
from sharedrange.exchange.store.queries import EVERYTHING, Selection


class Store:
    """Deliveries as Parquet files in `folder`, by table, party, dataset and year.

    Everything in it is derived from what was delivered and safe to delete. Several processes may read and
    import at the same time: readers see the store as it was before or after an import, imports wait for each other.
    Every method raises InputError if the folder cannot be read or written, or a file in it is damaged.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def imports(self) -> tuple[Import, ...]:
        """What is in the store."""
        with told(self.folder), reading(self.folder) as now:
            return now.imports

    def import_(
        self,
        delivered: Delivered | Iterable[Delivered],
        source: str,
        progress: Progress = silent,
        *,
        replaces: bool = False,
        reader: str = "",
        notes: str = "",
    ) -> bool:
        """Take a delivery in, whole or in pieces; False if it was there already, and nothing changed.

        `source` is the hash of its bytes: the same bytes of the same party and dataset are one delivery. Pieces of
        a delivery too large for the memory share party, dataset and facts, and each row is in one of them.
        `replaces`: it takes the place of all that the dataset had, in the same moment. `reader` names the code that
        read it: what another one read is replaced. `notes` are kept beside it as they are.
        If the import fails or is stopped (`progress` raises), the store stays as it was. Raises InputError if
        a row has the id of one that is there already.
        """
        party, dataset, pieces = whose(delivered)
        with told(self.folder), writing(self.folder) as now, staging(self.folder) as folder:
            known = now.find((party, dataset, source))
            if known is not None and known.reader == reader:
                progress(1.0)
                return False
            gone = [i.key for i in now.imports if (i.party, i.dataset) == (party, dataset) and (replaces or i is known)]
            gathered = gather(party, dataset, pieces, folder, progress)
            refuse_repeated(gathered, [i for i in now.imports if i.key not in gone], self.folder)
            made, staged = build(gathered, source, reader, notes, progress)
            commit(self.folder, now.after(made, without=gone), staged)
        progress(1.0)
        return True

    def remove(self, *keys: Key) -> bool:
        """Take deliveries out; False if none was there. Their files vanish with the next import."""
        with told(self.folder), writing(self.folder) as now:
            there = [known.key for known in now.imports if known.key in keys]
            if there:
                commit(self.folder, now.after(without=there), {})
            return bool(there)

    def clear(self) -> None:
        """Take everything out, also where the store is damaged."""
        with told(self.folder):
            forget(self.folder)

    def notes(self, key: Key, reader: str) -> str | None:
        """What was noted beside a delivery, "" if nothing; None if `reader` did not read it, or a file is not whole."""
        with told(self.folder), reading(self.folder) as now:
            known = now.find(key)
            if known is None or known.reader != reader or not self._is_whole(known):
                return None
            return "".join(path.read_text(encoding="utf-8") for path in known.paths(self.folder, NOTES))

    def _is_whole(self, known: Import) -> bool:
        """Whether every file is what it was when it was written."""
        try:
            return all(sha256_of(self.folder / part.path) == part.sha256 for part in known.parts)
        except FileNotFoundError:
            return False

    def delivered(
        self, key: Key, *, taxa: Collection[str] | None = None, without: Collection[str] = ()
    ) -> Delivered | None:
        """One delivery as it came in, its rows in their order; None if it is not there.

        `taxa`: of the observations of its survey only those of these taxa; `without`: names of tables that are left
        empty.
        """
        only = {} if taxa is None else {"observations": pl.col("taxon").is_in(list(taxa))}
        with told(self.folder), reading(self.folder) as now:
            known = now.find(key)
            if known is None:
                return None
            tables = {
                kept.name: load(
                    [] if kept.name in without else known.paths(self.folder, kept.name),
                    kept.schema,
                    only.get(kept.name),
                )
                for kept in TABLES.values()
            }
            return assembled(known.facts, tables)

    def derive(self, progress: Progress = silent) -> None:
        """Work out what questions are answered from, for deliveries that came in since; the first question does too."""
        with told(self.folder), reading(self.folder) as now:
            if all(map(is_derived, now.imports)):
                progress(1.0)
                return
        with told(self.folder), writing(self.folder) as before:
            lacking = [known for known in before.imports if not is_derived(known)]
            now = before
            for done, known in enumerate(lacking):
                now = self._derived(now, known, part(progress, done / len(lacking), (done + 1) / len(lacking)))
        progress(1.0)

    def _derived(self, now: Generation, known: Import, progress: Progress) -> Generation:
        with staging(self.folder) as folder:
            made, staged = derive(known, self.folder, folder, progress)
            after = now.after(made)
            commit(self.folder, after, staged)
        return after

    def effort(self, of: Selection = EVERYTHING) -> pl.DataFrame:
        """How long each station watched, by month (schema EFFORT_BY_MONTH)."""
        with self._asked() as now:
            return queries.effort(now, self.folder, of)

    def rates(self, of: Selection = EVERYTHING, independence_minutes: float = BURST_MINUTES) -> pl.DataFrame:
        """How often each party met each taxon (schema RATES)."""
        with self._asked() as now:
            return queries.rates(now, self.folder, of, independence_minutes)

    def events(self, of: Selection = EVERYTHING, independence_minutes: float = BURST_MINUTES) -> pl.DataFrame:
        """Independent events, a row each (schema EVENTS_MET). Raises InputError if they are more than MOST_EVENTS."""
        with self._asked() as now:
            return queries.events(now, self.folder, of, independence_minutes)

    def captures(self, of: Selection = EVERYTHING, independence_minutes: float = BURST_MINUTES) -> pl.DataFrame:
        """Who was met where on which day, how often (schema CAPTURES_BY_DAY)."""
        with self._asked() as now:
            return queries.captures(now, self.folder, of, independence_minutes)

    @contextmanager
    def _asked(self) -> Iterator[Generation]:
        """What the store holds, ready to be asked."""
        self.derive()
        with told(self.folder), reading(self.folder) as now:
            yield now


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """What the system says against reading or writing becomes a finding of an InputError."""
    try:
        yield
    except OSError as error:
        facts = {"path": folder.name, "problem": error.strerror or type(error).__name__}
        raise InputError([Finding("system-refused", facts, Where(file=folder.name))]) from error
