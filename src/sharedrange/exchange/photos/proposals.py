"""What models say about pictures: MegaDetector batch files and SpeciesNet predictions, read as proposals.

MegaDetector: JSON with ``images``, ``detection_categories`` and ``info`` (its batch output format 1.0 to 1.6);
boxes are x, y, width, height as shares of the picture. SpeciesNet: JSON with ``predictions``. A proposal is
never an observation: a person decides.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from sharedrange.core.contents import PROPOSALS
from sharedrange.core.finding import Fact, Finding, Severity, Where
from sharedrange.exchange.opening import MIB, Opened, shown
from sharedrange.exchange.photos.pictures import nfc

MAX_BYTES = 256 * MIB  # a million pictures
_CATEGORIES = {"animal": "animal", "person": "human", "human": "human", "vehicle": "vehicle"}
_NOBODY = ("blank", "empty")
_NO_RESULT = "no cv result"  # SpeciesNet's word for a picture that it could not read
_SEPARATORS = 6  # a SpeciesNet label: uuid;class;order;family;genus;species;common name
Row = dict[str, Any]


def read_proposals(opened: Opened, name: str, media: Mapping[str, str]) -> tuple[pl.DataFrame, list[Finding]]:
    """Proposals of one JSON file with the columns of PROPOSALS. `media`: name of a picture -> id of the medium.

    Every entry is a row or is counted by a finding; a JSON of another kind is a note.
    """
    none = pl.DataFrame(schema=PROPOSALS)
    content, found = _json(opened, name)
    if found:
        return none, found
    reader = _reader(content)
    where = Where(file=shown(name))
    if reader is None:
        return none, [Finding("unread-file", {"path": shown(name)}, where, Severity.NOTE)]
    kind, entries, read_entry = reader
    folder = nfc(name).rpartition("/")[0]
    rows: list[Row] = []
    counts = {"proposals-without-media": 0, "proposals-failed": 0, "proposals-unread": 0}
    for entry in entries:
        medium = _medium(_file_of(entry), folder, media)
        try:
            made = list(read_entry(content, entry))
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
            counts["proposals-unread"] += 1
            continue
        if not made:
            counts["proposals-failed"] += 1
        elif medium is None:
            counts["proposals-without-media"] += 1
        else:
            rows += [{**row, "media": medium, "source": nfc(name)} for row in made]
    table = pl.DataFrame(rows, schema=PROPOSALS, orient="row")
    return table, [*_told(kind, table, where), *_counted(counts, where)]


def _json(opened: Opened, name: str) -> tuple[Any, list[Finding]]:
    text, found = opened.text(name, "utf-8", MAX_BYTES)
    if text is None:
        return None, [Finding(f.rule, f.facts, f.where, Severity.WARNING) for f in found]
    try:
        return json.loads(text, parse_constant=lambda _: None), []
    except (ValueError, RecursionError) as error:
        facts: dict[str, Fact] = {"problem": shown(str(error))}
        return None, [
            Finding("bad-json", facts, Where(shown(name), row=getattr(error, "lineno", None)), Severity.WARNING)
        ]


def _reader(content: Any) -> tuple[str, list[Any], Callable[[Row, Any], Iterator[Row]]] | None:
    """(who wrote it, its entries, how one is read), or None for a JSON of another kind."""
    if not isinstance(content, dict):
        return None
    images, predictions = content.get("images"), content.get("predictions")
    if isinstance(images, list) and isinstance(content.get("detection_categories"), dict):
        return "MegaDetector", images, _megadetector
    if isinstance(predictions, list):
        return "SpeciesNet", predictions, _speciesnet
    return None


def _file_of(entry: Any) -> str:
    if not isinstance(entry, dict):
        return ""
    file = entry.get("file", entry.get("filepath"))
    return nfc(file).replace("\\", "/") if isinstance(file, str) else ""


def _medium(file: str, folder: str, media: Mapping[str, str]) -> str | None:
    """The medium that a file name means: below the JSON's folder, below the delivery, or as the end of a longer path.

    Models are run elsewhere: ``D:/cards/2024/Кедр/IMG_1.JPG`` is the picture ``Кедр/IMG_1.JPG``.
    """
    if folder and f"{folder}/{file}" in media:
        return media[f"{folder}/{file}"]
    while file:
        if file in media:
            return media[file]
        file = file.partition("/")[2]
    return None


# --- MegaDetector ---


def _megadetector(content: Row, entry: Row) -> Iterator[Row]:
    """One row a detection; a picture without one is a row ``blank`` without a box; none where the model failed."""
    detections = entry.get("detections")
    if detections is None:
        return
    model = _detector(content.get("info") or {})
    if not detections:
        yield {**model, "category": "blank", "confidence": None}
    for detection in detections:
        label = str(content["detection_categories"][str(detection["category"])])
        best = max(detection.get("classifications") or [], key=lambda pair: float(pair[1]), default=None)
        row = {
            **model,
            **_box(detection.get("bbox")),
            "category": _category(label),
            "confidence": _share(detection["conf"]),
        }
        yield {**row, **(_classified(content, best) if best else {})}


def _detector(info: Row) -> Row:
    metadata = info.get("detector_metadata") or {}
    detector = str(info.get("detector") or "")
    version = str(metadata.get("megadetector_version") or detector)
    return {"model": "MegaDetector", "model_version": version or None}


def _classified(content: Row, best: list[Any]) -> Row:
    """What the classifier of a MegaDetector file says, with the classifier as the model."""
    key = str(best[0])
    label = str((content.get("classification_categories") or {})[key])
    described = (content.get("classification_category_descriptions") or {}).get(key)
    classifier = str((content.get("info") or {}).get("classifier") or "") or None
    taxon = _taxon(described) if isinstance(described, str) else None
    said = {"label": label, "taxon": taxon, "label_confidence": _share(best[1])}
    return {**said, "classifier": classifier}


# --- SpeciesNet ---


def _speciesnet(_: Row, entry: Row) -> Iterator[Row]:
    """One row a picture: the whole model's prediction, with the box of its surest detection of that category."""
    prediction = entry.get("prediction")
    if not isinstance(prediction, str) or prediction.endswith(_NO_RESULT):
        return
    detections = entry.get("detections") or []
    name = prediction.split(";")[-1]
    category = "blank" if name in _NOBODY else _CATEGORIES.get(name, "animal" if name != "unknown" else "unknown")
    own = [d for d in detections if _category(str(d.get("label", ""))) == category]
    best = max(own, key=lambda d: float(d["conf"]), default=None)
    version = entry.get("model_version")
    yield {
        **_box(best.get("bbox") if best else None),
        "category": category,
        "taxon": _taxon(prediction),
        "label": prediction,
        "confidence": _share(best["conf"]) if best else None,
        "label_confidence": _share(entry["prediction_score"]) if entry.get("prediction_score") is not None else None,
        "model": "SpeciesNet",
        "model_version": str(version) if version else None,
        "classifier": "SpeciesNet",
    }


def _taxon(label: str) -> str | None:
    """The scientific name of a label ``uuid;class;order;family;genus;species;common name``; its lowest rank.

    Examples
    --------
    >>> _taxon("x;mammalia;carnivora;felidae;panthera;pardus;leopard"), _taxon("x;mammalia;carnivora;felidae;;;cats")
    ('Panthera pardus', 'Felidae')
    """
    parts = [part.strip() for part in label.split(";")]
    if len(parts) != _SEPARATORS + 1:
        return None
    *higher, genus, species = parts[1:6]
    if genus and species:
        return f"{genus.capitalize()} {species.removeprefix(genus).strip()}"
    return next((name.capitalize() for name in (genus, *reversed(higher)) if name), None)


# --- both ---


def _category(label: str) -> str:
    return _CATEGORIES.get(label.lower(), "unknown")


def _box(box: Any) -> Row:
    """A box as shares of the picture. Raises ValueError for one that is none."""
    if box is None:
        return {}
    x, y, width, height = (_number(value) for value in box)
    return {"box_x": x, "box_y": y, "box_width": width, "box_height": height}


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _share(value: Any) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError(value)
    return number


def _told(kind: str, table: pl.DataFrame, where: Where) -> list[Finding]:
    versions = sorted(table["model_version"].drop_nulls().unique())
    facts: dict[str, Fact] = {
        "model": kind,
        "version": shown(", ".join(versions)) or "?",
        "proposals": table.height,
        "files": table["media"].n_unique(),
    }
    found = [Finding("proposals-read", facts, where, Severity.NOTE)]
    if table.height and not versions:
        found.append(Finding("proposals-without-version", {"model": kind}, where, Severity.WARNING))
    return found


def _counted(counts: Mapping[str, int], where: Where) -> list[Finding]:
    return [Finding(rule, {"entries": n}, where, Severity.WARNING) for rule, n in counts.items() if n]
