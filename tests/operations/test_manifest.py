from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from limner.core.errors import NotIIIFError, SourceError
from limner.core.settings import Settings
from limner.operations.manifest import MOST_MEMBERS, ManifestReport, check_manifest
from limner.sources.net.downloader import Downloader
from limner.sources.net.politeness import Backoff
from limner.sources.protocol import SourceContext
from tests.real_data import real_data
from tests.sources.iiif.loopback import IIIFServer

KEYS = ["type", "version", "title", "rights", "canvases", "images", "sizes", "skipped", "problems", "estimate_seconds"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for number, size in enumerate([(600, 800), (300, 400)], start=1):
        Image.new("RGB", size, "white").save(folder / f"p{number}.png")
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[IIIFServer]:
    with IIIFServer(folder) as running:
        yield running


def make_settings(tmp_path: Path, **more: Any) -> Settings:
    return Settings(data=tmp_path, source_networks="127.0.0.0/8", fetch_retries=0, fetch_timeout=10, **more)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[SourceContext]:
    settings = make_settings(tmp_path)
    with Downloader(settings, backoff=Backoff(first=0.01)) as downloader:
        yield SourceContext(settings, downloader)


def delayed(context: SourceContext, tmp_path: Path, **more: Any) -> SourceContext:
    return SourceContext(make_settings(tmp_path, **more), context.downloader)


@pytest.fixture
def real(context: SourceContext) -> Path:
    return real_data("iiif-manifests")


async def check(spec: object, context: SourceContext, **options: Any) -> ManifestReport:
    return await check_manifest(str(spec), context, **options)


@pytest.mark.parametrize("version", [2, 3])
async def test_a_manifest(server: IIIFServer, context, version):
    report = await check(server.manifest_url(version), context)
    plain = report.to_plain()
    assert list(plain) == KEYS
    assert plain == json.loads(json.dumps(plain))
    assert (plain["type"], plain["version"], plain["title"]) == ("Manifest", str(version), "Loopback pages")
    assert plain["rights"] == "http://creativecommons.org/publicdomain/mark/1.0/"
    assert (plain["canvases"], plain["images"]) == (2, 2)
    assert plain["sizes"] == {"smallest": [300, 400], "largest": [600, 800], "unknown": 0}
    assert (plain["skipped"], plain["problems"]) == ([], [])
    assert report.usable


async def test_no_image_is_fetched(server: IIIFServer, context):
    await check(server.manifest_url(), context)
    assert server.log == ["/presentation/3/pages/manifest.json"]


async def test_what_cannot_be_used_is_named(server: IIIFServer, context):
    raw = server.manifest()
    raw["items"][0]["items"] = []
    del raw["items"][1]["width"]
    server.documents["/m.json"] = raw
    plain = (await check(f"{server.url}/m.json", context)).to_plain()
    assert (plain["canvases"], plain["images"]) == (2, 1)
    assert plain["skipped"] == [{"canvas": raw["items"][0]["id"], "reason": "No image is painted on it."}]
    assert plain["problems"] == [f"A canvas has no size, and takes that of its image: {raw['items'][1]['id']}."]


async def test_nothing_to_annotate(server: IIIFServer, context):
    raw = server.manifest() | {"items": []}
    server.documents["/m.json"] = raw
    report = await check(f"{server.url}/m.json", context, seconds_per_page=5)
    assert not report.usable
    assert report.estimate_seconds == 0
    assert report.problems == ("The manifest has no canvases.",)


async def test_an_image(server: IIIFServer, context):
    report = await check(server.info_url("p1"), context)
    assert (report.type, report.version, report.canvases, report.images) == ("Image", "3", 0, 1)
    assert report.sizes.largest == (600, 800)


async def test_a_collection_is_the_sum_of_its_members(server: IIIFServer, context):
    raw = server.collection()
    raw["items"] += [
        {"id": server.manifest_url(2), "type": "Manifest"},
        {"id": f"{server.url}/gone", "type": "Manifest"},
    ]
    server.documents["/c.json"] = raw
    report = await check(f"{server.url}/c.json", context)
    assert list(report.to_plain()) == [*KEYS[:4], "manifests", *KEYS[4:]]
    assert (report.type, report.manifests, report.canvases, report.images) == ("Collection", 2, 4, 4)
    assert [entry.where for entry in report.skipped] == [f"{server.url}/gone"]


async def test_of_a_long_collection_only_the_beginning_is_looked_at(server: IIIFServer, context):
    raw = server.collection()
    members = [f"/m{number}.json" for number in range(MOST_MEMBERS + 7)]
    raw["items"] = [{"id": f"{server.url}{path}", "type": "Manifest"} for path in members]
    server.documents |= {"/c.json": raw} | {path: server.manifest() for path in members}
    report = await check(f"{server.url}/c.json", context)
    assert report.manifests == MOST_MEMBERS
    assert report.skipped[-1].reason == "7 more members were not looked at."


async def test_what_is_no_iiif_is_an_error(server: IIIFServer, context, tmp_path: Path):
    path = tmp_path / "broken.json"
    path.write_text('{"test": "Broken"}')
    with pytest.raises(NotIIIFError):
        await check(path, context)
    with pytest.raises(NotIIIFError):
        await check(tmp_path / "missing.json", context)
    with pytest.raises(SourceError):
        await check(f"{server.url}/gone", context)


# The estimate


async def test_smaller_images_take_less_time(server: IIIFServer, context):
    full = await check(server.manifest_url(), context)
    small = await check(server.manifest_url(), context, wanted_side=200)
    assert 0 < small.estimate_seconds < full.estimate_seconds


async def test_the_delay_of_a_host_lies_between_full_images_only(server: IIIFServer, context, tmp_path: Path):
    slow = delayed(context, tmp_path, host_delays={"127.0.0.1": 100})
    assert (await check(server.manifest_url(), slow)).estimate_seconds >= 100
    assert (await check(server.manifest_url(), slow, wanted_side=200)).estimate_seconds < 10


async def test_more_requests_at_a_time_take_less_time(server: IIIFServer, context, tmp_path: Path):
    one = await check(server.manifest_url(), context)
    four = await check(server.manifest_url(), delayed(context, tmp_path, host_concurrency=4))
    assert four.estimate_seconds < one.estimate_seconds


async def test_the_slower_of_download_and_model_counts(server: IIIFServer, context):
    alone = (await check(server.manifest_url(), context)).estimate_seconds
    quick = (await check(server.manifest_url(), context, seconds_per_page=0.01)).estimate_seconds
    slow = (await check(server.manifest_url(), context, seconds_per_page=60)).estimate_seconds
    assert alone <= quick < alone + 0.2
    assert 120 <= slow < 122


async def test_an_unknown_size_costs_a_question(server: IIIFServer, context):
    known = await check(server.manifest_url(), context, wanted_side=200)
    server.declared = lambda *_: (0, 0)
    report = await check(f"{server.manifest_url()}?again", context, wanted_side=200)
    assert report.sizes.unknown == 2
    assert report.estimate_seconds > known.estimate_seconds


async def test_hosts_are_asked_side_by_side(server: IIIFServer, context):
    raw = server.manifest()
    alone = (await check(server.manifest_url(), context)).estimate_seconds
    body = raw["items"][1]["items"][0]["items"][0]["body"]
    body["service"][0]["id"] = "https://other.example/iiif/p2"
    server.documents["/m.json"] = raw
    assert (await check(f"{server.url}/m.json", context)).estimate_seconds < alone


async def test_gallica_takes_as_long_as_it_asks_for(real: Path, context):
    report = await check(real / "v2/bnf_valid_manifest.json", context)
    assert report.images == 106
    assert report.estimate_seconds == pytest.approx(105 * 12, rel=0.01)


async def test_real_manifests_are_all_reported(real: Path, context, tmp_path: Path):
    facts = json.loads((real / "facts.json").read_text())
    for name, fact in facts.items():
        if fact["type"] is None:
            with pytest.raises(NotIIIFError):
                await check(real / name, context)
        elif "Collection" not in fact["type"]:
            plain = (await check(real / name, context, seconds_per_page=0.1, wanted_side=640)).to_plain()
            assert list(plain) == KEYS
            assert plain["version"] == fact["version"]
            assert len({entry["canvas"] for entry in plain["skipped"]}) <= plain["canvases"]
            assert (plain["estimate_seconds"] > 0) == (plain["images"] > 0)
