"""Names of Darwin Core (https://dwc.tdwg.org/terms/) and its Humboldt Extension (https://eco.tdwg.org/terms/)."""

from __future__ import annotations

from collections.abc import Mapping

DWC = "http://rs.tdwg.org/dwc/terms/"
ECO = "http://rs.tdwg.org/eco/terms/"
DCTERMS = "http://purl.org/dc/terms/"
OBIS = "http://rs.iobis.org/obis/terms/"
TEXT = "http://rs.tdwg.org/dwc/text/"  # of meta.xml (Darwin Core text guide)

EVENT = f"{DWC}Event"
OCCURRENCE = f"{DWC}Occurrence"
INVENTORY = f"{ECO}Event"  # the Humboldt Extension
MEDIA = "http://rs.tdwg.org/ac/terms/Multimedia"  # Audiovisual Core (https://ac.tdwg.org)
MEASUREMENT = f"{DWC}MeasurementOrFact"
EXTENDED_MEASUREMENT = f"{OBIS}ExtendedMeasurementOrFact"  # the same with an occurrenceID
MEASUREMENTS = (MEASUREMENT, EXTENDED_MEASUREMENT)

STATUSES = ("present", "absent")  # controlled vocabulary of occurrenceStatus
COMPLETE, INCOMPLETE = "reportedComplete", "reportedIncomplete"  # of eco:taxonCompletenessReported
CAMERA = "machineobservation"  # basisOfRecord of camera traps, in lower case
LIST = " | "  # what stands between the values of a list

OBSERVERS, COVER, EXACTNESS = "number of observers", "visible share of site", "count exactness"
GAP, CAMERA_MODEL, DETECTOR = "camera not watching", "camera model", "kind of detector"
FLANK, CATALOGUE = "side seen", "catalogue of individuals"
"""Measurement types in which we write what neither vocabulary has a term for."""

DEPLOYMENT = "deployment"  # eventType, in lower case
MEDIA_ID, MEDIA_PATH = f"{DCTERMS}identifier", "http://rs.tdwg.org/ac/terms/accessURI"
MEDIA_TAKEN = "http://ns.adobe.com/xap/1.0/CreateDate"
MEDIA_TERMS: Mapping[str, str] = {
    "identifier": MEDIA_ID,
    "accessURI": MEDIA_PATH,
    "CreateDate": MEDIA_TAKEN,
}
"""Column of our table of media -> its term."""

EFFORT_UNITS: Mapping[str, tuple[float, str]] = {
    **dict.fromkeys(("minute", "minutes", "min"), (1.0, "minutes")),
    **dict.fromkeys(("hour", "hours", "h"), (60.0, "minutes")),
    **dict.fromkeys(("kilometre", "kilometres", "kilometer", "kilometers", "km"), (1.0, "km")),
    **dict.fromkeys(("metre", "metres", "meter", "meters", "m"), (0.001, "km")),
    **{
        f"{what} {time}": (1.0, "station_days") for what in ("trap", "camera", "station") for time in ("days", "nights")
    },
    **{f"{what} {time}": (1.0, "station_days") for what in ("trap", "camera", "station") for time in ("day", "night")},
}
"""Unit of effort as written, in lower case with spaces -> factor and unit as kept.

Not here: person hours, observer days and the like. Two people for an hour are not two hours of a site.
"""
WRITTEN_UNITS: Mapping[str, str] = {"minutes": "minutes", "km": "km", "station_days": "station days"}


def short(term: str) -> str:
    """A term of Darwin Core or Humboldt without its namespace or prefix; any other term as it is.

    Examples
    --------
    >>> [short(t) for t in ("http://rs.tdwg.org/dwc/terms/eventDate", "dwc:sex", "locality", "http://x.org/y")]
    ['eventDate', 'sex', 'locality', 'http://x.org/y']
    """
    for prefix in (DWC, ECO, "dwc:", "eco:"):
        if term.startswith(prefix):
            return term.removeprefix(prefix)
    return term
