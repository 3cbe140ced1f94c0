"""What an archive says about itself: the least that the GBIF metadata profile 1.3 (EML 2.2.0) asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.sax.saxutils import escape, quoteattr

NAMESPACE = "https://eml.ecoinformatics.org/eml-2.2.0"
_SCHEMA = f"{NAMESPACE} https://rs.gbif.org/schema/eml-gbif-profile/1.3/eml.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
LICENCES: Mapping[str, tuple[str, str]] = MappingProxyType(
    # The three that GBIF takes, by their SPDX names: address and title as its profile has them.
    {
        "CC0-1.0": (
            "http://creativecommons.org/publicdomain/zero/1.0/legalcode",
            "Public Domain (CC0 1.0)",
        ),
        "CC-BY-4.0": (
            "http://creativecommons.org/licenses/by/4.0/legalcode",
            "Creative Commons Attribution (CC-BY) 4.0 License",
        ),
        "CC-BY-NC-4.0": (
            "http://creativecommons.org/licenses/by-nc/4.0/legalcode",
            "Creative Commons Attribution Non Commercial (CC-BY-NC) 4.0 License",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class About:
    """What is said about a dataset. `published` is a day; `licence` a key of `LICENCES`."""

    party: str
    dataset: str
    title: str
    description: str
    contributor: str
    email: str
    licence: str
    published: str


def eml(about: About) -> str:
    """The document, its elements in the order of the schema."""
    address, name = LICENCES[about.licence]
    agent = _agent(about)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<eml:eml xmlns:eml="{NAMESPACE}" xmlns:xsi="{_INSTANCE}"
    xsi:schemaLocation="{_SCHEMA}"
    packageId={quoteattr(_clean(f"{about.party}/{about.dataset}/{about.published}"))}
    system="http://gbif.org" scope="system" xml:lang="en">
  <dataset>
    <title xml:lang="en">{_text(about.title)}</title>
    <creator>{agent}</creator>
    <metadataProvider>{agent}</metadataProvider>
    <pubDate>{_text(about.published)}</pubDate>
    <language>en</language>
    <abstract><para>{_text(about.description)}</para></abstract>
    <intellectualRights>
      <para>This work is licensed under a <ulink url="{address}"><citetitle>{name}</citetitle></ulink>.</para>
    </intellectualRights>
    <contact>{agent}</contact>
  </dataset>
</eml:eml>
"""


def _agent(about: About) -> str:
    email = f"<electronicMailAddress>{_text(about.email)}</electronicMailAddress>" if about.email else ""
    return f"<organizationName>{_text(about.contributor)}</organizationName>{email}"


def _text(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    """`text` without the control characters that XML has no way to write."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
