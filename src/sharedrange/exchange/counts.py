"""Door `counts`: waterbird counts, sign and snow-track transects, point counts, as visits and what was counted on them.

``visits.csv`` has a row for every visit, also where nothing was seen: site, time, method, effort, observers, whether
the count was complete. ``counts.csv`` has a row a species (or sign) and visit. Their columns are ours; sheets of any
other layout, also sites by species, come with a ``mapping.toml`` (see `mapping`).

Zero is not missing: a count of 0 was looked for and not found, an empty count was not counted. A species that is not
listed is zero where the visit is complete and unknown where it is not (`core.counts.every_taxon`). The method stays on
every visit: numbers of unlike methods are never one column.
"""

from __future__ import annotations

from pathlib import Path

from sharedrange.core.contents import Delivered, SiteCounts
from sharedrange.core.files import write_atomically
from sharedrange.core.finding import Finding
from sharedrange.core.sheets import neutral_csv
from sharedrange.exchange.delivery import Delivery, write_delivery
from sharedrange.exchange.native import read_native, written_times

TABLES = ("visits", "counts")


def read(folder: Path, delivery: Delivery) -> tuple[Delivered | None, tuple[Finding, ...]]:
    """The counts of a folder or zip: visits.csv and counts.csv, or sheets with a mapping; None on an error."""
    return read_native(folder, delivery, TABLES)


def write(counts: SiteCounts, folder: Path) -> None:
    """Write visits.csv, counts.csv and delivery.toml into `folder`; door `counts` reads them back."""
    write_atomically(folder / "visits.csv", neutral_csv(written_times(counts.visits)))
    write_atomically(folder / "counts.csv", neutral_csv(counts.counts))
    write_delivery(Delivery(counts.party, counts.dataset, "counts", crs=counts.frame), folder)
