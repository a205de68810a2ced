from __future__ import annotations

import importlib
import re
from pathlib import Path

from limner.sources.opening import open_documents
from limner.sources.protocol import SOURCES
from tests.sources.documents import all_of, picture_of
from tests.sources.image_files import jpeg

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-source.md"


def test_the_built_in_sources_are_there_and_no_two_have_one_place():
    sources = {source.name: source.priority for source in SOURCES}
    assert set(sources) >= {"base64", "files", "iiif", "pdf", "urls", "zip"}
    assert len(set(sources.values())) == len(sources)


def test_the_how_to_tells_the_right_priorities():
    told = re.search(r"Built in: (.*)\.", HOW_TO.read_text())[1]
    assert {tuple(item.split()) for item in told.split(", ")} >= {
        (source.name, str(source.priority)) for source in SOURCES if type(source).__module__.startswith("limner.")
    }


async def test_the_source_of_the_how_to_works(tmp_path, context, monkeypatch):
    code = re.search(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)[1]
    (tmp_path / "mjpeg_of_the_how_to.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    SOURCES.add("mjpeg", importlib.import_module("mjpeg_of_the_how_to").MJPEG)
    try:
        (tmp_path / "camera.mjpeg").write_bytes(jpeg() * 3)
        (document,) = await all_of(open_documents([str(tmp_path / "camera.mjpeg")], context))
        assert [handle.page.name for handle in document.handles] == [f"camera_000{n}.jpg" for n in (1, 2, 3)]
        assert (await picture_of(document.handles[1], 640)).width == 60
    finally:
        SOURCES._added.pop("mjpeg")
