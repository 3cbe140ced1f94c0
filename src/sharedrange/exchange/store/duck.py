"""DuckDB over the files of the store, with bounds on memory and threads, offline.

Answers come back through a small temporary Parquet file: DuckDB's own way to polars needs another package of
some 100 MB, and its stream interface leaves complaints on standard error when the program ends (DuckDB 2.0).
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from sharedrange.exchange.store.generations import damaged
from sharedrange.exchange.store.layout import ROW

THREADS = 2
QUERY_MEMORY_MB = 256
IMPORT_MEMORY_MB = 768
ROW_GROUP_ROWS = 122_880  # DuckDB's own: large enough to scan fast, small enough to pass over what is not asked
_CELLS_AT_ONCE = 2_000_000  # two columns of a million rows, all columns of a small table
PARQUET = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"


@dataclass(frozen=True, slots=True)
class Duck:
    """An open DuckDB. `folder` is a temporary place of its own."""

    connection: duckdb.DuckDBPyConnection
    folder: Path

    def run(self, sql: str) -> None:
        """Run a statement. Raises InputError if a file is missing or damaged, OSError if memory or disk are full."""
        try:
            self.connection.execute(sql)
        except (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException) as error:
            raise _told(str(error).splitlines()[0]) from error
        except duckdb.OutOfMemoryException as error:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)) from error

    def table(self, sql: str) -> pl.DataFrame:
        """What a query gives."""
        file = self.folder / "answer.parquet"
        self.run(f"COPY ({sql}) TO {text(str(file))} (FORMAT parquet, COMPRESSION lz4)")
        try:
            return pl.read_parquet(file, memory_map=False)
        finally:
            file.unlink()

    def write(self, sql: str, file: Path) -> int:
        """Write what a query gives into a Parquet file of the store; the number of rows."""
        self.run(f"COPY ({sql}) TO {text(str(file))} ({PARQUET})")
        return int(pl.scan_parquet(file).select(pl.len()).collect().item())


@contextmanager
def duck(memory_mb: int = QUERY_MEMORY_MB, beside: Path | None = None) -> Iterator[Duck]:
    """A DuckDB in memory that spills to a temporary folder (in `beside`, if given) and never asks the network."""
    with tempfile.TemporaryDirectory(prefix=".duck-", dir=beside) as name:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": THREADS,
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": f"{name}/spill",
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        with duckdb.connect(":memory:", config=config) as connection:
            yield Duck(connection, Path(name))


def text(value: str) -> str:
    """A text as it stands in SQL.

    Examples
    --------
    >>> text("L'Amour")
    "'L''Amour'"
    """
    return "'" + value.replace("'", "''") + "'"


def texts(values: Sequence[str]) -> str:
    """A list of texts as it stands in SQL behind IN."""
    return "(" + ", ".join(map(text, values)) + ")"


def files(paths: Sequence[Path]) -> str:
    """A table of SQL that reads these Parquet files."""
    return f"read_parquet([{', '.join(text(str(path)) for path in paths)}], hive_partitioning = false)"


def _told(problem: str) -> Exception:
    """What DuckDB says against a file: the disk is full or refuses, or the file is not what it should be."""
    if any(word in problem.lower() for word in ("no space", "write", "too large")):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return damaged(problem[:160])


def save(rows: pl.LazyFrame, file: Path) -> None:
    """Write a table as Parquet, some rows at a time where it can. Raises OSError if the disk takes no more."""
    try:
        rows.sink_parquet(file, compression="zstd", compression_level=1, row_group_size=ROW_GROUP_ROWS)
    except pl.exceptions.PolarsError as error:  # polars wraps what the system says
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def load(paths: Sequence[Path], schema: pl.Schema, only: pl.Expr | None = None) -> pl.DataFrame:
    """The rows of a table in the order in which they were delivered, those for which `only` holds.

    Few columns are put in order at a time: the whole table is in memory once and not twice. Raises InputError if a
    file is missing or damaged.
    """
    if not paths:
        return pl.DataFrame(schema=schema)
    scanned = pl.scan_parquet(list(paths), hive_partitioning=False)
    rows = scanned if only is None else scanned.filter(only)
    try:
        places = rows.select(ROW).collect()[ROW].arg_sort()
        at_once = max(1, _CELLS_AT_ONCE // max(1, len(places)))
        some = [schema.names()[n : n + at_once] for n in range(0, len(schema), at_once)]
        return pl.concat([rows.select(names).collect()[places] for names in some], how="horizontal")
    except (FileNotFoundError, pl.exceptions.PolarsError) as error:
        raise damaged(paths[0].name) from error
