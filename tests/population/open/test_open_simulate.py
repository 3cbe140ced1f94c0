from __future__ import annotations

from dataclasses import replace

import numpy as np

from sharedrange.core.chance import stream
from sharedrange.core.history import CAPTURES, DETECTORS, INDIVIDUALS
from sharedrange.population.open import YearsDesign, of_party, simulate_years


def test_the_same_seed_gives_the_same_animals(design: YearsDesign) -> None:
    (first, truth), (again, same) = (simulate_years(design, stream(2, "x")) for _ in range(2))
    assert truth == same
    assert all(a.captures.equals(b.captures) for a, b in zip(first, again, strict=True))


def test_tables_have_the_columns_of_capture_histories(design: YearsDesign) -> None:
    for history in simulate_years(design, stream(2, "x"))[0]:
        assert history.captures.schema == CAPTURES
        assert history.individuals.schema == INDIVIDUALS
        assert history.detectors.schema == DETECTORS
        assert set(history.captures["individual"]) == set(history.individuals["individual"])


def test_animals_survive_and_arrive_at_the_rates_asked() -> None:
    design = YearsDesign(density_per_100km2=60.0, years=6, lambda0=1e-9)
    _, truth = simulate_years(design, stream(4, "rates"))
    survived, before = np.array(truth.survived), np.array(truth.alive[:-1])
    assert abs(survived.sum() / before.sum() - design.survival) < 0.02
    assert abs((np.array(truth.alive[1:]) - survived).sum() / before.sum() - design.recruits) < 0.02
    assert [sum(side.values()) for side in truth.by_side] == list(truth.alive)


def test_nobody_crosses_without_moving(design: YearsDesign) -> None:
    assert simulate_years(replace(design, move_m=1e-6), stream(2, "x"))[1].crossings == (0, 0)
    assert sum(simulate_years(replace(design, move_m=20_000.0), stream(2, "x"))[1].crossings) > 0


def test_a_party_alone_knows_only_what_its_own_cameras_saw(design: YearsDesign) -> None:
    histories, _ = simulate_years(design, stream(2, "x"))
    for whole, *parts in zip(histories, of_party(histories, "north"), of_party(histories, "south"), strict=True):
        assert sum(part.n_detections for part in parts) == whole.n_detections
        assert all(part.detectors["party"].n_unique() == 1 for part in parts)
        assert all(set(part.captures["individual"]) == set(part.individuals["individual"]) for part in parts)
        assert all(len(part.effort) == part.detectors.height for part in parts)
