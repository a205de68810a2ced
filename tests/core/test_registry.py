"""Extension points: what is installed, what is added by hand, and what is not there."""

import subprocess
import sys

import pytest

from limner.annotations.formats.protocol import READERS, WRITERS, Format
from limner.core.errors import UnknownNameError
from limner.core.registry import Registry
from limner.models.protocol import RUNTIMES
from limner.sources.protocol import SOURCES


def test_a_member_added_by_hand_is_found_by_name() -> None:
    registry: Registry[int] = Registry("limner.test-group", "number")
    registry.add("one", 1)
    assert registry.get("one") == 1
    assert registry.names() == ["one"]
    assert list(registry) == [1]
    assert "one" in registry
    assert "two" not in registry


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no output format called 'coko'. Did you mean coco"):
        WRITERS.get("coko")


def test_an_unknown_name_that_is_near_to_nothing_lists_all() -> None:
    registry: Registry[int] = Registry("limner.test-group", "number")
    registry.add("one", 1)
    with pytest.raises(UnknownNameError, match=r"Known: one\."):
        registry.get("xyz")


@pytest.mark.parametrize("registry", [WRITERS, READERS, SOURCES, RUNTIMES], ids=lambda registry: registry.group)
def test_every_built_in_can_be_loaded_and_goes_by_its_own_name(registry: Registry) -> None:
    assert registry.names()
    for name in registry.names():
        assert registry.get(name).name in (name, "yolo")  # yolo and yolo-seg are read by one reader


def test_every_writer_keeps_to_the_protocol() -> None:
    for member in WRITERS:
        assert isinstance(member, Format)


def test_a_strangers_package_is_found_through_its_entry_point(tmp_path) -> None:
    """A package on the path with an entry point is as good as one of ours."""
    (tmp_path / "stranger.py").write_text("class Stranger:\n    name = 'stranger'\nSTRANGER = Stranger()\n")
    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[limner.sources]\nstranger = stranger:STRANGER\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from limner.sources.protocol import SOURCES\n"
        "print(SOURCES.get('stranger').name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "stranger"
