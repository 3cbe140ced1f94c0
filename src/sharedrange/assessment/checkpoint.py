"""What an engine remembers while it works, so that a stopped run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from sharedrange.core.files import write_atomically


class Checkpoint(MutableMapping[str, Any]):
    """A mapping of JSON values that outlives the process: one small file, written whole at every change."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._values: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value
        write_atomically(self._file, json.dumps(self._values).encode())

    def __delitem__(self, key: str) -> None:
        del self._values[key]
        write_atomically(self._file, json.dumps(self._values).encode())

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def done(self) -> None:
        """Forget everything: the work is finished."""
        self._values.clear()
        self._file.unlink(missing_ok=True)
