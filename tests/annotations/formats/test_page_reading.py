"""Files as other programs write them."""

import pytest

from limner.annotations.formats.page import PAGE
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import FormatError
from tests.annotations.formats.files import problems_of, reread

VERSIONS = ["2019-07-15", "2018-07-15", "2017-07-15", "2016-07-15", "2013-07-15", "2010-03-19"]
BOX = '<Coords points="0,0 100,0 100,50 0,50"/>'


def pcgts(inner: str, version: str = "2013-07-15", order: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/{version}" pcGtsId="pc-7">'
        "<Metadata><Creator>x</Creator></Metadata>"
        f'<Page imageFilename="scans/p1.jpg" imageWidth="400" imageHeight="300">{order}{inner}</Page></PcGts>'
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(version: str):
    line = f'<TextLine id="l1">{BOX}<TextEquiv><Unicode>a</Unicode></TextEquiv></TextLine>'
    (page,) = reread(PAGE, {"a.xml": pcgts(f'<TextRegion id="r1">{BOX}{line}</TextRegion>', version)})
    assert (page.page.id, page.page.name, page.page.width, page.page.height) == ("pc-7", "p1.jpg", 400, 300)
    assert [(each.id, each.label, each.text, each.shape) for each in page.annotations] == [
        ("r1", "TextRegion", None, Box(0, 0, 100, 50)),
        ("l1", "TextLine", "a", Box(0, 0, 100, 50)),
    ]


def test_points_as_elements_are_read():
    coords = '<Coords><Point x="0" y="0"/><Point x="10" y="0"/><Point x="5" y="9"/></Coords>'
    (page,) = reread(PAGE, {"a.xml": pcgts(f'<ImageRegion id="r">{coords}</ImageRegion>', "2010-03-19")})
    assert page.annotations[0].shape == Polygon(((0, 0), (10, 0), (5, 9)))


@pytest.mark.parametrize(
    "points",
    ["0,0 10,0 10,5 0,5", "10,5 0,5 0,0 10,0", "0,0 0,5 10,5 10,0", "0,0 10,0 10,5 0,5 0,0"],
)
def test_upright_rectangles_are_boxes_wherever_they_begin(points: str):
    (page,) = reread(PAGE, {"a.xml": pcgts(f'<NoiseRegion id="r"><Coords points="{points}"/></NoiseRegion>')})
    assert page.annotations[0].shape == Box(0, 0, 10, 5)


@pytest.mark.parametrize("points", ["0,0 10,5 10,0 0,5", "0,0 10,0 10,5 1,5", "5,0 10,5 5,10 0,5"])
def test_other_quadrangles_are_polygons(points: str):
    (page,) = reread(PAGE, {"a.xml": pcgts(f'<NoiseRegion id="r"><Coords points="{points}"/></NoiseRegion>')})
    assert isinstance(page.annotations[0].shape, Polygon)


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ('custom="readingOrder {index:0;} structure {type:heading;}"', "heading"),
        ('custom="structure {score:0.9; type:MainZone;}"', "MainZone"),
        ('custom="structure {type:some\\u0020text;}"', "some text"),
        ('custom="structure {type:;}" type="caption"', "caption"),
        ('custom="readingOrder {index:0;}"', "TextRegion"),
        ('type="page-number"', "page-number"),
        ("", "TextRegion"),
    ],
)
def test_labels_of_transkribus_escriptorium_and_plain_page(attributes: str, label: str):
    (page,) = reread(PAGE, {"a.xml": pcgts(f'<TextRegion id="r" {attributes}>{BOX}</TextRegion>')})
    assert page.annotations[0].label == label


def test_regions_in_regions_and_tables_are_read():
    cell = f'<TableCell id="c">{BOX}<TextLine id="l">{BOX}</TextLine></TableCell>'
    inner = f'<TableRegion id="t">{BOX}{cell}<TextRegion id="n">{BOX}</TextRegion></TableRegion>'
    (page,) = reread(PAGE, {"a.xml": pcgts(inner)})
    assert [(each.id, each.label) for each in page.annotations] == [
        ("t", "TableRegion"),
        ("c", "TableCell"),
        ("l", "TextLine"),
        ("n", "TextRegion"),
    ]
    assert dict(page.annotations[2].attributes) == {"level": "line"}


def test_the_reading_order_of_the_file_is_kept():
    order = (
        '<ReadingOrder><OrderedGroup id="g"><RegionRefIndexed index="1" regionRef="a"/>'
        '<UnorderedGroupIndexed id="u" index="0"><RegionRef regionRef="c"/></UnorderedGroupIndexed></OrderedGroup>'
        "</ReadingOrder>"
    )
    regions = "".join(f'<TextRegion id="{name}">{BOX}</TextRegion>' for name in "xabc")
    (page,) = reread(PAGE, {"a.xml": pcgts(regions, order=order)})
    assert [each.id for each in page.annotations] == ["c", "a", "x", "b"]


@pytest.mark.parametrize(
    ("text", "expected", "score"),
    [
        ('<TextEquiv conf="0.5"><Unicode>a</Unicode></TextEquiv>', "a", 0.5),
        (
            '<TextEquiv index="1"><Unicode>b</Unicode></TextEquiv><TextEquiv><Unicode>a</Unicode></TextEquiv>',
            "a",
            None,
        ),
        ("<TextEquiv><PlainText>a</PlainText></TextEquiv>", "a", None),
        ("<TextEquiv><Unicode/></TextEquiv>", None, None),
        ('<TextEquiv conf="7"><Unicode>a</Unicode></TextEquiv>', "a", None),
        ("<TextEquiv/>", None, None),
        ("", None, None),
    ],
)
def test_the_first_reading_counts(text: str, expected: str | None, score: float | None):
    inner = f'<TextRegion id="r">{BOX}<TextLine id="l">{BOX}{text}</TextLine></TextRegion>'
    (page,) = reread(PAGE, {"a.xml": pcgts(inner)})
    assert (page.annotations[1].text, page.annotations[1].score) == (expected, score)


def test_words_baselines_and_region_texts_are_read():
    inner = (
        f'<TextRegion id="r">{BOX}<TextLine id="l">{BOX}<Baseline points="0,9 50,8"/><Word id="w">'
        f'<Coords points="0,0 9,0 9,9 0,9" conf="0.25"/><TextEquiv><Unicode>a</Unicode></TextEquiv></Word></TextLine>'
        "<TextEquiv><Unicode>all</Unicode></TextEquiv></TextRegion>"
    )
    (page,) = reread(PAGE, {"a.xml": pcgts(inner)})
    zone, line, word = page.annotations
    assert (zone.text, dict(zone.attributes)) == ("all", {"level": "zone"})
    assert line.attributes["baseline"] == [[0, 9], [50, 8]]
    assert (word.text, word.score, dict(word.attributes)) == ("a", 0.25, {"level": "word"})


def test_a_file_made_from_a_copy_of_another_resolution_is_scaled():
    context = ParseContext(size_of=lambda name: (800, 300) if name == "p1.jpg" else None)
    (page,) = PAGE.parse({"a.xml": pcgts(f'<NoiseRegion id="r">{BOX}</NoiseRegion>')}, context)
    assert (page.page.width, page.annotations[0].shape) == (800, Box(0, 0, 200, 50))


@pytest.mark.parametrize(
    "coords",
    ["", "<Coords/>", '<Coords points="0,0"/>', '<Coords points="0,0 5,5 1"/>', '<Coords points="0,0 5,5 9,9"/>'],
)
def test_regions_that_cannot_be_used_are_reported_by_name(coords: str):
    inner = f'<TextRegion id="bad">{coords}<TextLine id="l">{BOX}</TextLine></TextRegion>'
    (page,), problems = problems_of(PAGE, {"a.xml": pcgts(inner)})
    assert [each.id for each in page.annotations] == ["l"]
    assert len(problems) == 1
    assert problems[0].startswith("a.xml, TextRegion bad was passed over: ")


@pytest.mark.parametrize("text", ["", "<alto/>", "<PcGts/>", "hello"])
def test_other_files_are_refused_by_name(text: str):
    with pytest.raises(FormatError, match=r"a\.xml"):
        list(PAGE.parse({"a.xml": text}, ParseContext()))


def test_a_page_that_says_nothing_of_itself_is_called_as_its_file():
    (page,) = reread(PAGE, {"x/scan 7.xml": "<PcGts><Page/></PcGts>"})
    assert (page.page.id, page.page.name, page.page.sized) == ("scan 7.jpg", "scan 7.jpg", False)
