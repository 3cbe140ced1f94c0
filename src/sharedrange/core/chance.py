"""Chance is handed in: one named stream a step, so that adding a step moves no number of another."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """A generator that depends on the programme's seed and the step's name, and on nothing else.

    Examples
    --------
    >>> stream(1, "population.scr").integers(1000) == stream(1, "population.scr").integers(1000)
    np.True_
    """
    key = hashlib.sha256(name.encode()).digest()
    words = np.frombuffer(key, dtype=np.uint32)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(int(w) for w in words)))
