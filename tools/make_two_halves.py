"""Cut one published study in two, as if two parties had each watched their half; makes examples/two-halves.

The ovenbird mist nets of R package secr (Dawson and Efford 2009), five years, as binary proximity detectors:
nets west of the median x are party `west`'s own, the others are what party `east` released. Ring numbers stay
the codes on both sides, and nothing joins them but the decisions in decisions.csv. Run again it writes the
same bytes.

    python tools/make_two_halves.py SOURCE_FOLDER examples/two-halves
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from sharedrange.core.files import write_atomically
from sharedrange.exchange.delivery import Delivery, write_delivery
from sharedrange.exchange.manifest import write_manifest

TAXON = "Seiurus aurocapilla"
CRS = "local:ovenbird-nets"
CATALOGUE = "rings"
DATASET = "nets"
KEY = ["session", "id"]


def main(source: Path, folder: Path) -> None:
    """Write the two deliveries, the decisions and the mask, and say how many birds each side lists."""
    study = {name: _read(source / f"{name}.csv") for name in ("traps", "captures", "individuals")}
    median = study["traps"]["x"].cast(pl.Float64).median()
    west = pl.col("x").cast(pl.Float64) < median
    halves = {"west": _half(study, west), "east": _half(study, ~west)}
    occasions = {
        session: int(n) for session, n in _read(source / "summary.csv").select("session", "occasions").iter_rows()
    }
    _deliver(halves["west"], "west", folder / "own" / DATASET, occasions)
    _deliver(halves["east"], "east", folder / "received" / "east" / DATASET, occasions)
    write_manifest(folder / "received" / "east" / DATASET, "east")
    decided = _decisions(halves["west"]["captures"], halves["east"]["captures"])
    _write(decided, folder / "decisions.csv")
    _write(_mask(_read(source / "mask.csv")), folder / "mask.csv")
    _say(halves["west"]["captures"], halves["east"]["captures"], decided.height)


def _read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def _write(table: pl.DataFrame, path: Path) -> None:
    write_atomically(path, table.write_csv().encode())


def _half(study: dict[str, pl.DataFrame], here: pl.Expr) -> dict[str, pl.DataFrame]:
    """The nets of one side, what they caught, and the birds that they caught that year."""
    traps = study["traps"].filter(here)
    captures = study["captures"].join(traps, on=["session", "trap"], how="semi")
    individuals = study["individuals"].join(captures, on=KEY, how="semi")
    return {"traps": traps, "captures": captures, "individuals": individuals}


def _deliver(tables: dict[str, pl.DataFrame], party: str, folder: Path, occasions: dict[str, int]) -> None:
    for name, table in tables.items():
        _write(table, folder / f"{name}.csv")
    delivery = Delivery(
        party=party,
        dataset=DATASET,
        format="captures",
        crs=CRS,
        catalogue=CATALOGUE,
        taxon=TAXON,
        detector="proximity",
        occasions=occasions,
    )
    write_delivery(delivery, folder)


def _decisions(west: pl.DataFrame, east: pl.DataFrame) -> pl.DataFrame:
    """One decision a bird that both sides list: the ring was read in the hand on both."""
    rings = sorted(set(west["id"]) & set(east["id"]))
    return pl.DataFrame({"code_a": rings, "code_b": rings}, schema={"code_a": pl.String, "code_b": pl.String}).select(
        party_a=pl.lit("west"),
        catalogue_a=pl.lit(CATALOGUE),
        code_a="code_a",
        party_b=pl.lit("east"),
        catalogue_b=pl.lit(CATALOGUE),
        code_b="code_b",
        taxon=pl.lit(TAXON),
        verdict=pl.lit("same"),
        evidence=pl.lit("ring number read in the hand on both sides"),
    )


def _mask(mask: pl.DataFrame) -> pl.DataFrame:
    """The points of the habitat mask, which must be the same in every session."""
    points = [rows.select("x", "y") for _, rows in mask.group_by("session", maintain_order=True)]
    if any(not rows.equals(points[0]) for rows in points):
        raise SystemExit("the sessions have different masks")
    return points[0]


def _say(west: pl.DataFrame, east: pl.DataFrame, decided: int) -> None:
    west_years, east_years = set(west.select(KEY).iter_rows()), set(east.select(KEY).iter_rows())
    rings = {ring for _, ring in west_years | east_years}
    print(f"bird-years: west {len(west_years)}, east {len(east_years)}, on both sides {len(west_years & east_years)},")
    print(f"in all {len(west_years | east_years)}; birds: {len(rings)}, of which {decided} on both lists")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
