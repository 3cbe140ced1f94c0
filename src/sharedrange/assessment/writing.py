"""A simulated programme as a secretariat's node: what the parties released, the decisions, and the truth apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl
from shapely import to_geojson
from shapely.geometry.base import BaseGeometry

from sharedrange.assessment.node import told
from sharedrange.assessment.programme import MaskSpec
from sharedrange.core.chance import stream
from sharedrange.core.errors import ProgrammeError
from sharedrange.core.files import folder_in_place
from sharedrange.core.finding import Finding, Where
from sharedrange.core.individuals import CATALOGUE, Verdict
from sharedrange.exchange import camtrapdp
from sharedrange.exchange.manifest import write_manifest
from sharedrange.population.simulate import (
    Design,
    Rectangle,
    Simulation,
    SpeciesDesign,
    Truth,
    comparable,
    simulate,
    small,
    two_parks,
)

SECRETARIAT = "secretariat"
COMPONENT = "border-range"
PRESETS = MappingProxyType({"two-parks": two_parks, "small": small})
MASK_SPACING_M = 2000.0  # 0.6 of the smallest sigma of the presets (Efford, secr manual: detail below that is lost)
_BUFFER_SIGMAS = 5.0  # far enough to reach all of the presets' habitat, to which the mask is cut
_MOST_UNCERTAIN = 3
_DEGREE_DIGITS = 6
_DECISIONS = (
    "party_a",
    "catalogue_a",
    "code_a",
    "party_b",
    "catalogue_b",
    "code_b",
    "taxon",
    "verdict",
    "evidence",
)
_MARK = "SIMULATED"
_HABITAT_FILE = f"{_MARK}-habitat.geojson"


def simulate_node(folder: Path, *, preset: str, seed: int) -> None:
    """Write the node of a preset (`PRESETS`), simulated with `seed`, to a folder that is new or empty.

    Raises ProgrammeError if the folder holds something, or if there is no such preset.
    """
    if preset not in PRESETS:
        raise ProgrammeError([Finding("unknown-preset", {"given": preset, "known": ", ".join(sorted(PRESETS))})])
    design = PRESETS[preset]()
    write_simulation(simulate(design, stream(seed, "simulate")), design, folder, seed=seed)


def write_simulation(simulation: Simulation, design: Design, folder: Path, *, seed: int = 1) -> None:
    """Write a simulation as a secretariat's node: whole or not at all.

    `received/` holds a Camtrap DP package a party, `decisions.csv` what careful people would decide,
    `truth/` what nobody can know. Every file with simulated data has SIMULATED in its name.
    Raises ProgrammeError if the folder exists and is not empty, InputError if the disk does not take it.
    """
    folder = Path(folder).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProgrammeError([Finding("node-folder-not-empty", {"folder": folder.name}, Where(file=folder.name))])
    with told(folder), folder_in_place(folder) as new:
        _write_texts(design, new, seed)
        _write_areas(design, new / "sides")
        _write_deliveries(simulation, design, new / "received")
        decisions(simulation).write_csv(new / "decisions.csv")
        _write_truth(simulation.truth, design, new / "truth")


def _write_texts(design: Design, folder: Path, seed: int) -> None:
    (folder / "node.toml").write_text(f'party = "{SECRETARIAT}"\n', encoding="utf-8")
    (folder / "programme.toml").write_text(programme_toml(design, seed), encoding="utf-8")
    (folder / "README.md").write_text(_readme(design, seed), encoding="utf-8")


# -- programme.toml ------------------------------------------------------------------------------------------


def programme_toml(design: Design, seed: int) -> str:
    """The programme of a design: parties, species, one component, and the questions that the presets ask."""
    head = {"id": design.id, "title": design.title, "seed": seed, "languages": ["en"], "simulated": True}
    parties = [(SECRETARIAT, "Secretariat (invented)", ""), *((p.id, p.name, p.state) for p in design.parties)]
    tables = [
        _table("[programme]", head),
        *(_table("[[parties]]", dict(zip(("id", "name", "state"), party, strict=True))) for party in parties),
        *(_table("[[species]]", {"key": k, "taxon": t, "names": {"en": n}}) for k, t, n in _species(design)),
        _table("[[components]]", _component(design)),
        *(_table("[[questions]]", question) for question in _questions(design)),
    ]
    return f"# {_MARK}. Parks, codes and numbers are invented; no cat lives there.\n\n" + "\n".join(tables)


def _species(design: Design) -> list[tuple[str, str, str]]:
    """Key, taxon and name of every species, by-catch last."""
    cats = [(one.key, one.taxon, one.name) for one in design.species]
    return cats + [(one.key, one.taxon, one.name) for one in design.bycatch]


def _component(design: Design) -> dict[str, object]:
    return {
        "id": COMPONENT,
        "title": f"{_MARK}: range across an invented border",
        "parties": [party.id for party in design.parties],
        "species": [key for key, _, _ in _species(design)],
        "projection": design.projection.crs,
        "occasion_timezone": design.occasion_timezone,
        "sides": {party.id: f"sides/{_side_file(party.id)}" for party in design.parties},
    }


def _questions(design: Design) -> list[dict[str, object]]:
    last_day = design.first_day + timedelta(days=design.days - 1)
    common = {"component": COMPONENT, "start": design.first_day, "end": last_day}
    counted = [
        {"id": f"{one.key}-number", "engine": "population.scr", "species": one.key}
        | common
        | {"life_stages": ["adult"], "mask": _mask(mask_spec(one))}
        for one in design.species
    ]
    rated = [{"id": f"{one.key}-rate", "engine": "population.rates", "species": one.key} for one in design.bycatch]
    return [*counted, *(one | common for one in rated)]


def mask_spec(species: SpeciesDesign) -> MaskSpec:
    """The mask of a species' question: five of its largest sigmas around the cameras, cut to the habitat."""
    buffer_m = float(np.ceil(_BUFFER_SIGMAS * max(species.sigma_m.values()) / MASK_SPACING_M) * MASK_SPACING_M)
    return MaskSpec(buffer_m=buffer_m, spacing_m=MASK_SPACING_M, polygon=f"sides/{_HABITAT_FILE}")


def _mask(spec: MaskSpec) -> dict[str, object]:
    return {"buffer_m": spec.buffer_m, "spacing_m": spec.spacing_m, "polygon": spec.polygon}


def _table(header: str, values: Mapping[str, object]) -> str:
    lines = [header, *(f"{key} = {_toml(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """A value as TOML writes it; strings, numbers and lists as in JSON, dates bare; keys are ids, so bare too."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | int | float) else str(value)


# -- sides, deliveries, truth --------------------------------------------------------------------------------


def _side_file(party: str) -> str:
    return f"{_MARK}-{party}.geojson"


def _write_areas(design: Design, folder: Path) -> None:
    folder.mkdir()
    for party in design.parties:
        _write_geojson(area_in_degrees(design, party.side), folder / _side_file(party.id))
    _write_geojson(area_in_degrees(design, design.habitat), folder / _HABITAT_FILE)


def area_in_degrees(design: Design, rectangle: Rectangle) -> BaseGeometry:
    """A rectangle of the design as a polygon in longitude and latitude."""
    return design.projection.unproject(rectangle.polygon())


def _write_geojson(area: BaseGeometry, file: Path) -> None:
    geometry = json.loads(to_geojson(area))
    rings = [
        [[round(x, _DEGREE_DIGITS), round(y, _DEGREE_DIGITS)] for x, y in ring] for ring in geometry["coordinates"]
    ]
    feature = {
        "type": "Feature",
        "properties": {"name": file.stem},
        "geometry": {"type": "Polygon", "coordinates": rings},
    }
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}) + "\n", encoding="utf-8")


def _write_deliveries(simulation: Simulation, design: Design, folder: Path) -> None:
    for survey in simulation.surveys:
        package = folder / survey.party / survey.dataset
        package.mkdir(parents=True)
        name = design.party(survey.party).name
        camtrapdp.write(
            survey,
            package,
            title=f"{_MARK}: {name}",
            catalogue=CATALOGUE,
            description=f"{_MARK}: made by a program. {name} does not exist; no cat lives there.",
            contributor=name,
            prefix=f"{_MARK}-",
        )
        write_manifest(package, survey.party)


def _write_truth(truth: Truth, design: Design, folder: Path) -> None:
    folder.mkdir()
    longitude, latitude = design.projection.inverse(truth.animals["x_m"].to_numpy(), truth.animals["y_m"].to_numpy())
    animals = truth.animals.drop("x_m", "y_m").with_columns(
        pl.Series("longitude", np.round(longitude, _DEGREE_DIGITS)),
        pl.Series("latitude", np.round(latitude, _DEGREE_DIGITS)),
    )
    tables = {"animals": animals, "codes": truth.codes, "labels": truth.labels, "numbers": truth.numbers}
    for name, table in tables.items():
        table.write_csv(folder / f"{_MARK}-{name}.csv")
    (folder / "README.md").write_text(_TRUTH_README, encoding="utf-8")


# -- decisions -----------------------------------------------------------------------------------------------


def decisions(simulation: Simulation) -> pl.DataFrame:
    """What careful people of both sides would decide, one row a pair of codes.

    Same where two codes are one animal and a flank can be compared; cannot-compare where none can; different
    where equal codes are two animals; uncertain for a few look-alikes near the border. Nothing about ghosts:
    nobody knows that they are.
    """
    truth = simulation.truth
    taxa = {(c["party"], c["code"]): c["taxon"] for c in truth.codes.iter_rows(named=True)}
    rows: list[tuple[str, ...]] = [
        (*link.a, *link.b, taxa[link.a.party, link.a.code], str(link.verdict), _evidence(link.verdict))
        for link in truth.concordance().links
    ]
    rows += _decided(_equal_codes(truth), Verdict.DIFFERENT)
    rows += _decided(_look_alikes(truth), Verdict.UNCERTAIN)
    return pl.DataFrame(rows, schema=dict.fromkeys(_DECISIONS, pl.String()), orient="row")


def _evidence(verdict: Verdict) -> str:
    said = {
        Verdict.SAME: "coats compared on a flank in common: alike",
        Verdict.DIFFERENT: "equal codes, unlike coats",
        Verdict.UNCERTAIN: "one blurred photograph: look again next season",
        Verdict.CANNOT_COMPARE: "no flank in common",
    }
    return f"{_MARK}: {said[verdict]}"


def _decided(pairs: pl.DataFrame, verdict: Verdict) -> list[tuple[str, ...]]:
    sides = ("party", "catalogue", "code", "party_b", "catalogue_b", "code_b", "taxon")
    return [(*row, str(verdict), _evidence(verdict)) for row in pairs.select(sides).iter_rows()]


def _unlike_pairs(truth: Truth) -> pl.DataFrame:
    """Pairs of codes of two parties and one species that are two animals and could be compared."""
    facts = truth.animals.select("animal", "life_stage", "sex", "x_m", "y_m")
    codes = truth.codes.filter(~pl.col("ghost")).join(facts, on="animal", how="left")
    pairs = codes.join(codes, on="taxon", suffix="_b")
    pairs = pairs.filter((pl.col("party") < pl.col("party_b")) & (pl.col("animal") != pl.col("animal_b")))
    can = [comparable(a, b) for a, b in pairs.select("flanks", "flanks_b").iter_rows()]
    return pairs.filter(pl.Series(can, dtype=pl.Boolean)).sort("taxon", "party", "code", "party_b", "code_b")


def _equal_codes(truth: Truth) -> pl.DataFrame:
    return _unlike_pairs(truth).filter(pl.col("code") == pl.col("code_b"))


def _look_alikes(truth: Truth) -> pl.DataFrame:
    """The nearest few pairs of adults of one sex whose codes differ and that have no known match."""
    same = [link for link in truth.concordance().links if link.verdict is Verdict.SAME]
    matched = {(who.party, who.code) for link in same for who in (link.a, link.b)}
    pairs = _unlike_pairs(truth)
    alone = [
        (a, code_a) not in matched and (b, code_b) not in matched
        for a, code_a, b, code_b in pairs.select("party", "code", "party_b", "code_b").iter_rows()
    ]
    pairs = pairs.filter(
        pl.Series(alone, dtype=pl.Boolean)
        & (pl.col("code") != pl.col("code_b"))
        & (pl.col("sex") == pl.col("sex_b"))
        & (pl.col("life_stage") == "adult")
        & (pl.col("life_stage_b") == "adult")
    )
    apart_m = ((pl.col("x_m") - pl.col("x_m_b")) ** 2 + (pl.col("y_m") - pl.col("y_m_b")) ** 2).sqrt()
    return pairs.sort(apart_m, "code", "code_b").head(_MOST_UNCERTAIN)


# -- texts ---------------------------------------------------------------------------------------------------


def _readme(design: Design, seed: int) -> str:
    parks = " and ".join(party.name for party in design.parties)
    return f"""# {design.title}

{_MARK}: {parks} do not exist, no cat lives on this steppe, every code is made up.
Made by `sharedrange simulate` with seed {seed}; the design is described in docs/simulate.md.

- `received/`: what each park released, one Camtrap DP package each
- `decisions.csv`: who is who, as careful people of both sides would decide;
  `sharedrange decide . decisions.csv` signs it
- `truth/`: every animal, which nobody who assesses the node reads
"""


_TRUTH_README = f"""# {_MARK}: the truth

What the simulator knows and the parties do not. No command reads this folder.

- `{_MARK}-animals.csv`: every animal with its centre of activity, side, sex, life stage and mother
- `{_MARK}-codes.csv`: whose each code is; `flanks` it was seen from; `ghost`: a second code, made by mistake
- `{_MARK}-labels.csv`: which animal each photograph shows; `wrong`: `ghost` or `swapped` where the label is wrong
- `{_MARK}-numbers.csv`: how many animals have their centre on each side, and how many adults were expected
"""
