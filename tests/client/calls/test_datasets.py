"""Datasets: what is sent, and a real server's answers."""

import json
import zipfile
from pathlib import Path

import pytest

from limner.client import AsyncClient, Client, Dataset
from limner.client.calls import datasets
from limner.core.errors import DatasetNotFoundError, LimnerError, UsageError
from tests.operations.datasets.files import coco, drawn, packed

_NAMES = [f"{n}.png" for n in range(4)]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "sent.zip"
    path.write_bytes(packed({"c.json": coco(_NAMES), **{name: drawn(n) for n, name in enumerate(_NAMES)}}))
    return path


def test_a_form_carries_everything_as_text(archive: Path) -> None:
    shares = {"train": 1, "val": 0, "test": 0}
    call = datasets.upload(
        "a", archive, format="coco", labels={"x": None}, append=True, looked_for=["a", "b"], shares=shares, title="T"
    )
    assert call.form == {
        "name": "a",
        "format": "coco",
        "append": "true",
        "looked_for": "a,b",
        "shares": json.dumps(shares),
        "title": "T",
        "labels": '{"x": null}',
    }
    assert not call.repeatable


def test_a_dataset_has_one_origin() -> None:
    call = datasets.create("a", documents=["0" * 32], labels={"x": "y"}, reviewed=False)
    assert call.body == {"name": "a", "documents": ["0" * 32], "labels": {"x": "y"}, "reviewed": False}
    for origins in ({}, {"url": "http://x.example", "received": "y"}):
        with pytest.raises(UsageError, match="made of"):
            datasets.create("a", **origins)


def test_it_is_sent_shown_saved_and_deleted(client: Client, archive: Path, tmp_path: Path) -> None:
    made = client.datasets.upload("by-hand", archive, shares={"train": 1, "val": 1, "test": 0})
    assert isinstance(made, Dataset)
    assert (made.ref, made.labels, made.pages) == ("by-hand@1", ("seal",), {"train": 2, "val": 2})
    assert client.datasets.get("by-hand").card["statistics"]["labels"][0]["annotations"] == 4
    assert made.ref in [each.ref for each in client.datasets.list()]
    assert [page.name for page in client.datasets.pages(made.ref)] == _NAMES
    assert len(list(client.datasets.pages(made.ref, split="val"))) == 2
    assert client.datasets.image(made.ref, 0, side=64, marked=False).startswith(b"\xff\xd8")
    assert list(client.datasets.duplicates(made.ref, within=60, across=False))
    assert client.datasets.split(made.ref, train=1, val=0, test=0).pages == {"train": 4}
    both = client.datasets.create("both", datasets=["by-hand@1"], labels={"seal": "stamp"})
    assert both.labels == ("stamp",)
    path = client.datasets.save_export(made.ref, tmp_path, "voc")
    assert zipfile.ZipFile(path).testzip() is None
    for ref in (made.ref, "by-hand@2", "both"):
        client.datasets.delete(ref)
    with pytest.raises(LimnerError) as refused:
        client.datasets.get("by-hand")
    assert isinstance(refused.value, DatasetNotFoundError)


async def test_the_other_client_does_so_too(async_client: AsyncClient, archive: Path, tmp_path: Path) -> None:
    made = await async_client.datasets.upload("awaited", archive)
    assert [page.name async for page in async_client.datasets.pages(made.ref)] == _NAMES
    assert (await async_client.datasets.save_export(made.ref, tmp_path / "out.zip")).stat().st_size > 1000
    await async_client.datasets.delete(made.ref)
