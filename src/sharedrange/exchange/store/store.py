"""The store of a node: deliveries in, tables out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from sharedrange.core.contents import Delivered
from sharedrange.core.errors import InputError
from sharedrange.core.finding import Finding, Where
from sharedrange.core.progress import Progress, silent
from sharedrange.exchange.store import queries
from sharedrange.exchange.store.derived import BURST_MINUTES
from sharedrange.exchange.store.duck import IMPORT_MEMORY_MB, duck, load
from sharedrange.exchange.store.generations import Generation, Import, commit, reading, staging, writing
from sharedrange.exchange.store.importing import build, gather, refuse_repeated, whose
from sharedrange.exchange.store.layout import TABLES, assembled
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
        replaces: str = "",
    ) -> bool:
        """Take a delivery in, whole or in pieces; False if it was there already, and nothing changed.

        `source` is the hash of its bytes: the same bytes of the same party and dataset are one delivery. Pieces of
        a delivery too large for the memory share party, dataset and facts, and each row is in one of them.
        `replaces`: source of the delivery that this one corrects, which leaves the store in the same moment.
        If the import fails or is stopped (`progress` raises), the store stays as it was. Raises InputError if
        a row has the id of one that is there already.
        """
        party, dataset, pieces = whose(delivered)
        with told(self.folder), writing(self.folder) as now, staging(self.folder) as folder:
            if any(known.key == (party, dataset, source) for known in now.imports):
                progress(1.0)
                return False
            before = _without(now, (party, dataset, replaces)) if replaces else now
            gathered = gather(party, dataset, pieces, folder, progress)
            with duck(IMPORT_MEMORY_MB, folder) as open_duck:
                refuse_repeated(open_duck, gathered, before.imports, self.folder)
                made, staged = build(open_duck, gathered, source, progress)
            commit(self.folder, before.with_import(made), staged)
        progress(1.0)
        return True

    def remove(self, source: str) -> bool:
        """Take a delivery out; False if it was not there. Its files vanish with the next import."""
        with told(self.folder), writing(self.folder) as now:
            keys = [known.key for known in now.imports if known.source == source]
            after = now
            for key in keys:
                after = after.without(key)
            if keys:
                commit(self.folder, after, {})
            return bool(keys)

    def delivered(self, source: str) -> Delivered | None:
        """One delivery as it came in, its rows in the order of the files; None if it is not there."""
        with told(self.folder), reading(self.folder) as now:
            known = next((i for i in now.imports if i.source == source), None)
            return None if known is None else assembled(known.facts, self._tables(known))

    def _tables(self, known: Import) -> Mapping[str, pl.DataFrame]:
        tables = {}
        for kept in TABLES.values():
            paths = [self.folder / part.path for part in known.parts if part.table == kept.name]
            tables[kept.name] = pl.concat([pl.DataFrame(schema=kept.schema), *map(load, paths)])
        return tables

    def effort(self, of: Selection = EVERYTHING) -> pl.DataFrame:
        """How long each station watched, by month (schema EFFORT_BY_MONTH)."""
        with told(self.folder), reading(self.folder) as now:
            return queries.effort(now, self.folder, of)

    def rates(self, of: Selection = EVERYTHING, independence_minutes: float = BURST_MINUTES) -> pl.DataFrame:
        """How often each party met each taxon (schema RATES)."""
        with told(self.folder), reading(self.folder) as now:
            return queries.rates(now, self.folder, of, independence_minutes)

    def events(self, of: Selection = EVERYTHING, independence_minutes: float = BURST_MINUTES) -> pl.DataFrame:
        """Independent events, a row each (schema EVENTS_MET). Raises InputError if they are more than MOST_EVENTS."""
        with told(self.folder), reading(self.folder) as now:
            return queries.events(now, self.folder, of, independence_minutes)

    def captures(self, of: Selection = EVERYTHING, independence_minutes: float = BURST_MINUTES) -> pl.DataFrame:
        """Who was met where on which day, how often (schema CAPTURES_BY_DAY)."""
        with told(self.folder), reading(self.folder) as now:
            return queries.captures(now, self.folder, of, independence_minutes)


def _without(now: Generation, key: tuple[str, str, str]) -> Generation:
    """Without the delivery that is replaced, as the same generation: both changes count in one moment."""
    return Generation(now.number, tuple(known for known in now.imports if known.key != key))


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """What the system says against reading or writing becomes a finding of an InputError."""
    try:
        yield
    except OSError as error:
        facts = {"path": folder.name, "problem": error.strerror or type(error).__name__}
        raise InputError([Finding("system-refused", facts, Where(file=folder.name))]) from error
