"""What leaves, to look at: the tables as files, and the pictures on one page, for their recipient too when they came.

The page holds everything itself and asks nobody for anything: no address, no script. It is a file on the reader's own
disk, outside every node's chain.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
from markupsafe import Markup

from sharedrange.assessment.node import told
from sharedrange.core.canonical import canonical
from sharedrange.core.errors import InputError
from sharedrange.core.files import folder_in_place, write_into, write_with
from sharedrange.core.finding import Finding, Where
from sharedrange.core.release import MANIFEST, PICTURES, file_of, picture_file
from sharedrange.core.words import Words
from sharedrange.sharing.release import Released
from sharedrange.sharing.sealing import Package, csv_of

_TOLD = ("flank", "sex", "life_stage", "station", "period")  # beside the name of the animal
_HEAD = Markup(
    """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1rem/1.4 system-ui, sans-serif; margin: 1.5rem; max-width: 90rem }}
section {{ display: flex; flex-wrap: wrap; gap: 1rem }}
figure {{ margin: 0; width: 16rem }}
img {{ width: 100%; height: 16rem; object-fit: contain; background: #808080 }}
figcaption {{ font-size: .85rem; overflow-wrap: anywhere }}
</style></head><body>
<h1>{title}</h1>
<p>{intro}</p>
"""
)
_ANIMAL = Markup('<h2 translate="no"><i>{taxon}</i> {name}</h2>\n<section>\n')
_FIGURE = Markup(
    '<figure><img alt="{picture}" src="data:image/jpeg;base64,{data}">'
    '<figcaption translate="no">{picture}<br>{told}</figcaption></figure>\n'
)


def show_released(released: Released, file: Path, words: Words) -> int:
    """Write a page with the pictures that would leave; their number.

    Raises InputError if the file cannot be written.
    """
    table = released.tables.get("pictures", pl.DataFrame(schema=PICTURES))
    return _show(table, released.files, released.manifest, file, words)


def show_received(package: Package, file: Path, words: Words) -> int:
    """Write a page with the pictures of a package that was opened or verified; their number.

    Raises InputError if the file cannot be written.
    """
    content = package.files.get(file_of("pictures"))
    table = pl.DataFrame(schema=PICTURES) if content is None else pl.read_csv(io.BytesIO(content), schema=PICTURES)
    return _show(table, package.files, package.manifest, file, words)


def write_tables(released: Released, folder: Path) -> None:
    """Write what would leave into a new folder, byte for byte as it would stand in the package.

    Raises InputError if the folder is there already, or cannot be written.
    """
    if folder.exists():
        raise InputError([Finding("folder-exists", {"folder": folder.name}, Where(folder.name))])
    with told(folder.parent), folder_in_place(folder) as new:
        tables = {file_of(name): csv_of(table) for name, table in released.tables.items()}
        write_into(new, {MANIFEST: canonical(dict(released.manifest)), **tables, **released.files})


def _show(
    table: pl.DataFrame, files: Mapping[str, bytes], manifest: Mapping[str, object], file: Path, words: Words
) -> int:
    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.writelines(_page(table, files, manifest, words))

    with told(file.parent):
        write_with(file, write)
    return table.height


def _page(
    table: pl.DataFrame, files: Mapping[str, bytes], manifest: Mapping[str, object], words: Words
) -> Iterator[str]:
    """The page, piece by piece: thousands of pictures need not lie in memory twice."""
    facts = {name: manifest[name] for name in ("owner", "recipient", "agreement", "released_on")}
    facts["agreement"] = manifest["agreement"]["id"]  # type: ignore[index]  # a manifest's agreement has an id
    mark = f"{words('report.simulated.badge')} - " if manifest.get("simulated") else ""
    title = mark + words("pictures.title", n=table.height, **facts)
    yield _HEAD.format(language=words.language, title=title, intro=words("pictures.intro", **facts))
    for (taxon, name), rows in _by_animal(table):
        yield _ANIMAL.format(taxon=taxon, name=name or words("pictures.nobody"))
        for row in rows.iter_rows(named=True):
            facts_told = ", ".join(str(row[column]) for column in _TOLD if row[column] is not None)
            data = base64.b64encode(files[picture_file(row["picture"])]).decode("ascii")
            yield _FIGURE.format(picture=row["picture"], data=data, told=facts_told)
        yield "</section>\n"
    yield "</body></html>\n"


def _by_animal(table: pl.DataFrame) -> Iterator[tuple[tuple[str, str], pl.DataFrame]]:
    """Pictures by taxon and animal, those of animals without a name last."""
    name = pl.concat_str("catalogue", "individual", separator=" ", ignore_nulls=True)
    named = table.with_columns(name=pl.when(pl.col("individual").is_not_null()).then(name))
    ordered = named.sort("taxon", "name", "flank", "picture", nulls_last=True)
    for (taxon, who), rows in ordered.group_by("taxon", "name", maintain_order=True):
        yield (str(taxon), str(who or "")), rows
