"""Tesseract: the real program, on a drawn page; and one that only pretends, for what goes wrong."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from limner.annotations.shapes import Box
from limner.core.errors import BundleError, ModelError
from limner.models.bundle import Bundle
from limner.models.importers.protocol import Wishes
from limner.models.importers.text_programs import TESSERACT as IMPORTER
from limner.models.protocol import Options, Predictor, RuntimeOptions
from limner.models.runtimes.tesseract import TESSERACT, installed_languages, parse_table

TABLE = """level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext
1\t1\t0\t0\t0\t0\t0\t0\t600\t200\t-1\t
2\t1\t1\t0\t0\t0\t30\t40\t500\t60\t-1\t
3\t1\t1\t1\t0\t0\t30\t40\t500\t60\t-1\t
4\t1\t1\t1\t1\t0\t30\t40\t300\t20\t-1\t
5\t1\t1\t1\t1\t1\t30\t40\t100\t20\t90.5\tUne
5\t1\t1\t1\t1\t2\t140\t40\t190\t20\t79.5\t"page
4\t1\t1\t1\t2\t0\t30\t80\t10\t20\t-1\t
5\t1\t1\t1\t2\t1\t30\t80\t10\t20\t95\t 
4\t1\t1\t1\t3\t0\t30\t120\t50\t20\t-1\t
5\t1\t1\t1\t3\t1\t30\t120\t50\t20\t-1\tx
"""  # noqa: W291


@pytest.fixture(scope="session")
def tesseract() -> str:
    """The program; installed on Debian where that is possible."""
    from tests.packages import install

    path = shutil.which("tesseract") or (install("tesseract-ocr") and shutil.which("tesseract"))
    if not path:
        message = "Tesseract is not installed: ITS TESTS DO NOT RUN. Install the package `tesseract-ocr`."
        sys.stderr.write(f"\n*** {message} ***\n")
        pytest.skip(message)
    return path


def bundle(folder: Path, name: str = "tesseract/eng", **parameters: object) -> Bundle:
    made = IMPORTER.convert(Path(name), folder, Wishes())
    return made.changed(parameters={**made.parameters, **parameters})


def loaded(folder: Path, **parameters: object) -> Predictor:
    return TESSERACT.load(bundle(folder, **parameters), RuntimeOptions(threads=1))


def page() -> np.ndarray:
    image = np.full((300, 900, 3), 255, np.uint8)
    cv2.putText(image, "The quick brown fox", (40, 90), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(image, "jumps over the lazy dog", (40, 220), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (0, 0, 0), 3, cv2.LINE_AA)
    return image


def test_the_lines_of_a_table() -> None:
    first, second = parse_table(TABLE)
    assert (first.text, first.score) == ('Une "page', pytest.approx(0.85))
    assert first.quad.tolist() == [[30, 40], [330, 40], [330, 60], [30, 60]]
    assert (second.text, second.score) == ("x", 0)


def test_a_table_that_is_none_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        [*parse_table("level\nnothing")]


def test_lines_are_read_in_their_order(tesseract: str, tmp_path: Path) -> None:
    found = loaded(tmp_path).predict(page(), (1800, 600), Options())
    assert [each.text for each in found] == ["The quick brown fox", "jumps over the lazy dog"]
    assert all(each.label == "line" and (each.score or 0) > 0.7 for each in found)
    # The original has twice as many pixels.
    first = found[0].shape.bounds
    assert 60 <= first.x <= 110
    assert 80 <= first.y <= 140
    assert first.y2 <= 220
    assert found[0].provenance.parameters["program"].startswith("tesseract")


def test_a_zone_and_a_threshold(tesseract: str, tmp_path: Path) -> None:
    lower = Box(0, 150, 900, 150)
    predictor = loaded(tmp_path, page_mode=6)
    (found,) = predictor.predict(page(), (900, 300), Options(zones=(lower,)))
    assert found.text == "jumps over the lazy dog"
    assert found.shape.bounds.y >= 150
    assert predictor.predict(page(), (900, 300), Options(threshold=1.0)) == []


def test_a_language_that_is_not_installed(tesseract: str, tmp_path: Path) -> None:
    assert "eng" in installed_languages(tesseract)
    with pytest.raises(ModelError, match=r"no tlh here; it has .*eng.*tesseract-ocr-tlh"):
        TESSERACT.load(bundle(tmp_path, "tesseract/eng+tlh"), RuntimeOptions())


def test_a_closed_model_reads_no_more(tesseract: str, tmp_path: Path) -> None:
    predictor = loaded(tmp_path)
    predictor.close()
    with pytest.raises(ModelError, match="has been closed"):
        predictor.predict(page(), (900, 300), Options())


@pytest.fixture
def pretender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called tesseract that knows its languages, and then does what a file beside it says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "tesseract"
    path.write_text(
        "#!/bin/sh\n"
        'case "$1" in --list-langs) echo "List of languages (1):"; echo eng;; --version) echo tesseract 0;;\n'
        f'*) . "{folder}/deed";; esac\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "deed"


def test_a_program_that_hangs_is_ended(pretender: Path, tmp_path: Path) -> None:
    pretender.write_text(f"echo $$ > {tmp_path}/pid; exec sleep 600\n")
    with pytest.raises(ModelError, match=r"took longer than 0\.5 s"):
        loaded(tmp_path / "b", timeout=0.5).predict(page(), (900, 300), Options())
    pid = (tmp_path / "pid").read_text().strip()
    assert subprocess.run(["/bin/kill", "-0", pid], capture_output=True, check=False).returncode != 0


def test_a_program_that_fails(pretender: Path, tmp_path: Path) -> None:
    pretender.write_text("echo out of memory >&2; exit 3\n")
    with pytest.raises(ModelError, match="failed with code 3: out of memory"):
        loaded(tmp_path / "b").predict(page(), (900, 300), Options())


def test_without_the_program_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match="apt-get install tesseract-ocr"):
        loaded(tmp_path / "b")


@pytest.mark.parametrize("languages", [["-x"], ["eng+fra"], ["../../etc/passwd"], [], ["a b"]])
def test_languages_are_never_options_or_paths(tmp_path: Path, languages: list[str]) -> None:
    with pytest.raises(BundleError, match="parameters of tesseract-eng"):
        loaded(tmp_path, languages=languages)


@pytest.mark.parametrize(
    ("name", "languages", "given"),
    [("tesseract", ["eng"], "tesseract-eng"), ("tesseract/fra+lat+fra", ["fra", "lat"], "tesseract-fra-lat")],
)
def test_a_model_is_named_by_its_languages(tmp_path: Path, name: str, languages: list[str], given: str) -> None:
    made = bundle(tmp_path, name)
    assert (made.name, made.parameters["languages"], made.task) == (given, languages, "ocr")
    assert not IMPORTER.accepts(tmp_path)
    assert IMPORTER.accepts_name("fra+lat")
    for odd in ("fra+", "-l", "a/b", "+"):
        assert not IMPORTER.accepts_name(odd)
    with pytest.raises(BundleError, match="no list of languages"):
        IMPORTER.convert(Path("tesseract/-l"), tmp_path, Wishes())
