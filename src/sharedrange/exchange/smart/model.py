"""The words of a SMART conservation area: data models and configurable models, labels in every language to keys.

A *key* is what SMART never translates: ``numberofpeople``. A *path* is keys from the root down, joined by dots, as
``humanactivity.weaponsequipment.trap``: categories and the items of trees have one.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sharedrange.core.finding import Finding
from sharedrange.exchange.opening import Opened
from sharedrange.exchange.trees import local, read_xml

_ITEMS = ("values", "tree", "children", "listItem", "treeNode")
_NAMES = ("names", "name")
Words = dict[str, set[str]]  # folded label or key -> keys or paths


@dataclass(slots=True)
class Attribute:
    """One attribute: `kind` is NUMERIC, TEXT, LIST, TREE, ...; `items`: what its values may be called -> paths."""

    kind: str = ""
    items: Words = field(default_factory=dict)


@dataclass(slots=True)
class Model:
    """All models of a delivery together.

    `headers`: what an attribute may be called -> keys; `categories`: path of the parent ("" at the root) -> what
    a category below it may be called -> paths; `asked`: path of a category -> attributes that it asks for itself;
    `uuids`: identifiers that SMART Mobile writes -> key of an attribute; `paths`: every category.
    """

    attributes: dict[str, Attribute] = field(default_factory=dict)
    headers: Words = field(default_factory=dict)
    categories: dict[str, Words] = field(default_factory=dict)
    asked: dict[str, set[str]] = field(default_factory=dict)
    uuids: dict[str, str] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Whether no model was delivered."""
        return not self.attributes

    def kind(self, key: str) -> str:
        """NUMERIC, TEXT, LIST, ... of an attribute; empty if the model does not know it."""
        return self.attributes[key].kind if key in self.attributes else ""

    def asks(self, path: str) -> set[str]:
        """The attributes that a category asks for, by itself or by those above it."""
        return set().union(*(self.asked.get(above, ()) for above in _with_ancestors(path)))

    def category(self, labels: Iterable[str]) -> set[str]:
        """The paths that labels from the root down may mean; a single label may be a path itself."""
        given = [fold(label) for label in labels]
        if len(given) == 1 and given[0].strip(".") in self.paths:
            return {given[0].strip(".")}
        paths = {""}
        for label in given:
            paths = {path for parent in paths for path in self.categories.get(parent, {}).get(label, ())}
        return paths - {""}

    def item(self, key: str, label: str) -> set[str]:
        """The items (paths) of an attribute that a label may mean; the deepest where one lies within another."""
        found = self.attributes[key].items.get(fold(label), set()) if key in self.attributes else set()
        return {path for path in found if not any(other.startswith(f"{path}.") for other in found)}


def fold(label: str) -> str:
    """A label as it is compared: in lower case, spaces single.

    Examples
    --------
    >>> fold(" Number of  People ")
    'number of people'
    """
    return " ".join(label.split()).casefold()


def read_models(opened: Opened) -> tuple[Model, list[str], list[Finding]]:
    """The models of a delivery, the names of their files, and what is wrong with any XML file."""
    model, names, found = Model(), [], []
    for name in sorted(opened.sizes):
        if name.lower().endswith(".xml"):
            root, wrong = read_xml(opened, name)
            found += wrong
            if root is not None and local(root) in _READERS:
                _READERS[local(root)](model, root)
                names.append(name)
    return model, names, found


def _with_ancestors(path: str) -> Iterator[str]:
    parts = path.split(".")
    return (".".join(parts[: n + 1]) for n in range(len(parts)))


def _labels(element: ET.Element) -> Iterator[str]:
    return (fold(name.get("value", "")) for name in element if local(name) in _NAMES and name.get("value"))


def _learn(words: Words, labels: Iterable[str], meaning: str) -> None:
    for label in labels:
        words.setdefault(label, set()).add(meaning)


def _of(root: ET.Element, *names: str) -> Iterator[ET.Element]:
    return (element for element in root if local(element) in names)


# --- data model ---


def _data_model(model: Model, root: ET.Element) -> None:
    for attribute in (a for group in _of(root, "attributes") for a in _of(group, "attribute")):
        key = attribute.get("key", "")
        known = model.attributes.setdefault(key, Attribute())
        known.kind = attribute.get("type", known.kind)
        _learn(model.headers, (key.casefold(), *_labels(attribute)), key)
        _items(known.items, attribute, "")
    for group in _of(root, "categories"):
        _categories(model, group, "")


def _items(words: Words, parent: ET.Element, above: str) -> None:
    for item in _of(parent, *_ITEMS):
        key = item.get("key") or item.get("keyRef") or ""
        path = f"{above}{key}"
        _learn(words, (key.casefold(), path.casefold(), *_labels(item)), path)
        _items(words, item, f"{path}.")


def _categories(model: Model, parent: ET.Element, above: str) -> None:
    for category in _of(parent, "category"):
        key = category.get("key", "")
        path = f"{above}.{key}" if above else key
        model.paths.add(path)
        _learn(model.categories.setdefault(above, {}), (key.casefold(), *_labels(category)), path)
        asked = (a.get("attributekey", "") for a in _of(category, "attributes"))
        model.asked.setdefault(path, set()).update(asked)
        _categories(model, category, path)


# --- configurable model ---


def _configurable_model(model: Model, root: ET.Element) -> None:
    for nodes in _of(root, "nodes"):
        _nodes(model, nodes)
    for config in _of(root, "attributeConfig"):
        key = config.get("attributeKey", "")
        known = model.attributes.setdefault(key, Attribute())
        _items(known.items, config, "")
        _know(model.uuids, config.get("attributeUuid"), key)


def _nodes(model: Model, parent: ET.Element) -> None:
    for node in _of(parent, "node"):
        path = node.get("categoryHkey", "").strip(".")
        if path:
            _place(model, path, _labels(node))
        for attribute in _of(node, "attribute"):
            key = attribute.get("attributeKey", "")
            known = model.attributes.setdefault(key, Attribute())
            known.kind = attribute.get("type", known.kind)
            _learn(model.headers, (key.casefold(), *_labels(attribute)), key)
            _know(model.uuids, attribute.get("dmUuid"), key)
            model.asked.setdefault(path, set()).add(key)
        _nodes(model, node)


def _place(model: Model, path: str, labels: Iterable[str]) -> None:
    """Learn a category by its path: the model of a phone shows few of the categories, under names of its own."""
    parents = list(_with_ancestors(path))
    model.paths.update(parents)
    for above, below in zip(["", *parents], parents, strict=False):
        _learn(model.categories.setdefault(above, {}), [below.rpartition(".")[2].casefold()], below)
    _learn(model.categories.setdefault(path.rpartition(".")[0], {}), labels, path)


def _know(uuids: dict[str, str], uuid: str | None, key: str) -> None:
    if uuid:
        uuids[uuid.replace("-", "").lower()] = key


_READERS: Mapping[str, Callable[[Model, ET.Element], None]] = {
    "DataModel": _data_model,
    "ConfigurableModel": _configurable_model,
}
