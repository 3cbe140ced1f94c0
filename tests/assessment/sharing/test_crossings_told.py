"""What left of crossings before is laid beside what would leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.assessment.sharing.conftest import TEXT

from sharedrange.assessment.sharing import releasing
from sharedrange.core.release import CROSSINGS
from sharedrange.sharing.release import release as made

if TYPE_CHECKING:
    from tests.assessment.sharing.conftest import Three


def test_every_release_is_compared_with_those_before(strangers: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    before: list[Any] = []

    def release(*given: Any, **more: Any) -> Any:
        before.append(more["crossings_told"])
        return made(*given, **more)

    monkeypatch.setattr(releasing, "release", release)
    strangers.agree(TEXT.replace("identity =", 'concordance = "crossings"\nidentity ='))
    for _ in range(3):
        strangers.seal(look=False)
    assert [len(tables) for tables in before] == [0, 1, 2]
    assert all(table.schema == CROSSINGS for tables in before for table in tables)
