"""Files as other programs write them."""

import pytest

from limner.annotations.annotation import ByModel, ByPerson
from limner.annotations.formats.alto import ALTO
from limner.annotations.formats.protocol import ParseContext
from limner.annotations.shapes import Box, Polygon
from limner.core.errors import FormatError
from tests.annotations.formats.files import problems_of, reread


def alto(
    page: str, head: str = "", namespace: str = "http://www.loc.gov/standards/alto/ns-v4#", unit: str = "pixel"
) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<alto xmlns="{namespace}"><Description><MeasurementUnit>{unit}'
        "</MeasurementUnit><sourceImageInformation><fileName>C:\\scans\\p1.tif</fileName></sourceImageInformation>"
        f'</Description>{head}<Layout><Page ID="P1" PHYSICAL_IMG_NR="1" WIDTH="400" HEIGHT="300">{page}</Page>'
        "</Layout></alto>"
    )


def space(inner: str) -> str:
    return f"<PrintSpace>{inner}</PrintSpace>"


LINE = (
    '<TextBlock ID="B1" HPOS="0" VPOS="0" WIDTH="200" HEIGHT="50"><TextLine ID="L1" HPOS="0" VPOS="0" WIDTH="200" '
    'HEIGHT="20">{}</TextLine></TextBlock>'
)


@pytest.mark.parametrize(
    "namespace",
    [
        "http://www.loc.gov/standards/alto/ns-v4#",
        "http://www.loc.gov/standards/alto/ns-v3#",
        "http://www.loc.gov/standards/alto/ns-v2#",
        "http://schema.ccs-gmbh.com/ALTO",
        "",
    ],
)
def test_every_version_is_read(namespace: str):
    (page,) = reread(ALTO, {"a.xml": alto(space(LINE.format('<String CONTENT="a"/>')), namespace=namespace)})
    assert (page.page.name, page.page.id, page.page.width, page.page.height) == ("p1.tif", "p1.tif", 400, 300)
    assert [(each.id, each.label, each.text, each.shape) for each in page.annotations] == [
        ("B1", "TextBlock", None, Box(0, 0, 200, 50)),
        ("L1", "TextLine", "a", Box(0, 0, 200, 20)),
    ]


@pytest.mark.parametrize(
    ("strings", "text"),
    [
        ('<String CONTENT="a"/><SP/><String CONTENT="b"/>', "a b"),
        ('<String CONTENT="a"/><String CONTENT="b"/>', "a b"),
        ('<String CONTENT="a"/><String CONTENT=","/><SP/><String CONTENT="b"/>', "a, b"),
        ('<String CONTENT="exam" SUBS_TYPE="HypPart1" SUBS_CONTENT="example"/><HYP CONTENT="-"/>', "exam-"),
        ('<String CONTENT=""/>', None),
    ],
)
def test_the_text_of_a_line_is_put_together(strings: str, text: str | None):
    (page,) = reread(ALTO, {"a.xml": alto(space(LINE.format(strings)))})
    assert page.annotations[1].text == text


def test_words_with_a_position_are_annotations_too():
    strings = (
        '<String ID="S1" CONTENT="a" HPOS="0" VPOS="0" WIDTH="90" HEIGHT="20" WC="0.5"/><SP/>'
        '<String ID="S2" CONTENT="b" HPOS="110" VPOS="0" WIDTH="90" HEIGHT="20" WC="1.5"/>'
    )
    (page,) = reread(ALTO, {"a.xml": alto(space(LINE.format(strings)))})
    words = page.annotations[2:]
    assert [(word.id, word.text, word.score, dict(word.attributes)) for word in words] == [
        ("S1", "a", 0.5, {"level": "word"}),
        ("S2", "b", None, {"level": "word"}),
    ]
    assert page.annotations[1].score is None


def test_one_string_as_large_as_its_line_is_the_text_of_the_line():
    string = '<String ID="S1" CONTENT="a b" HPOS="0" VPOS="0" WIDTH="200" HEIGHT="20" WC="0.5"/>'
    (page,) = reread(ALTO, {"a.xml": alto(space(LINE.format(string)))})
    assert [(each.id, each.text, each.score) for each in page.annotations] == [("B1", None, None), ("L1", "a b", 0.5)]


def test_labels_come_from_tags_of_every_kind():
    head = '<Tags><LayoutTag ID="T1" LABEL="MainZone"/><OtherTag ID="T2" LABEL="DefaultLine" DESCRIPTION="x"/></Tags>'
    block = (
        '<TextBlock ID="B1" TAGREFS="T9 T1" HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9"><TextLine ID="L1" TAGREFS="T2" '
        'HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9"><String CONTENT="a"/></TextLine></TextBlock>'
    )
    (page,) = reread(ALTO, {"a.xml": alto(space(block), head)})
    assert [each.label for each in page.annotations] == ["MainZone", "DefaultLine"]


def test_all_kinds_of_blocks_and_margins_are_read():
    blocks = (
        '<ComposedBlock ID="C" HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9"><Illustration ID="I" HPOS="1" VPOS="1" WIDTH="2" '
        'HEIGHT="2"/><ComposedBlock ID="C2" HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9"/></ComposedBlock>'
        '<GraphicalElement ID="G" HPOS="0" VPOS="0" WIDTH="9" HEIGHT="1"/>'
    )
    text = alto(f"<LeftMargin>{blocks}</LeftMargin><PrintSpace/>")
    (page,) = reread(ALTO, {"a.xml": text})
    assert [(each.id, each.label) for each in page.annotations] == [
        ("C", "ComposedBlock"),
        ("I", "Illustration"),
        ("C2", "ComposedBlock"),
        ("G", "GraphicalElement"),
    ]


@pytest.mark.parametrize("points", ["0,0 10,0 10,5", "0 0 10 0 10 5"])
def test_polygons_are_read_in_both_spellings(points: str):
    block = f'<Illustration ID="I" HPOS="0" VPOS="0"><Shape><Polygon POINTS="{points}"/></Shape></Illustration>'
    (page,) = reread(ALTO, {"a.xml": alto(space(block))})
    assert page.annotations[0].shape == Polygon(((0, 0), (10, 0), (10, 5)))


@pytest.mark.parametrize(
    ("shape", "bounds"),
    [
        ('<Circle HPOS="50" VPOS="60" RADIUS="10"/>', Box(40, 50, 20, 20)),
        ('<Ellipse HPOS="50" VPOS="60" HLENGTH="40" VLENGTH="20"/>', Box(30, 50, 40, 20)),
        ('<Ellipse HPOS="50" VPOS="60" HLENGTH="40" VLENGTH="20" ROTATION="90"/>', Box(40, 40, 20, 40)),
    ],
)
def test_round_shapes_become_polygons(shape: str, bounds: Box):
    block = f'<Illustration ID="I"><Shape>{shape}</Shape></Illustration>'
    (page,) = reread(ALTO, {"a.xml": alto(space(block))})
    assert page.annotations[0].shape.bounds.corners == pytest.approx(bounds.corners)


def test_a_block_without_a_position_lies_around_its_words():
    block = (
        '<TextBlock ID="B"><TextLine ID="L"><String CONTENT="a" HPOS="5" VPOS="5" WIDTH="10" HEIGHT="10"/><SP/>'
        '<String CONTENT="b" HPOS="25" VPOS="5" WIDTH="10" HEIGHT="10"/></TextLine></TextBlock>'
    )
    (page,) = reread(ALTO, {"a.xml": alto(space(block))})
    assert [each.shape for each in page.annotations[:2]] == [Box(5, 5, 30, 10), Box(5, 5, 30, 10)]


def test_a_block_without_a_position_and_without_words_lies_around_its_lines():
    lines = "".join(
        f'<TextLine ID="L{y}" HPOS="5" VPOS="{y}" WIDTH="10" HEIGHT="10"><String CONTENT="a"/></TextLine>'
        for y in (5, 25)
    )
    (page,) = reread(ALTO, {"a.xml": alto(space(f'<TextBlock ID="B">{lines}</TextBlock>'))})
    assert page.annotations[0].shape == Box(5, 5, 10, 30)


@pytest.mark.parametrize(
    ("value", "baseline"),
    [
        ("18", [[0, 18], [200, 18]]),
        ("0,18 200,19", [[0, 18], [200, 19]]),
        ("0 18 200 19", [[0, 18], [200, 19]]),
        ("0,18", None),
    ],
)
def test_baselines_of_old_and_new_files(value: str, baseline: list | None):
    text = alto(space(LINE.format('<String CONTENT="a"/>'))).replace('ID="L1"', f'ID="L1" BASELINE="{value}"')
    (page,) = reread(ALTO, {"a.xml": text})
    assert page.annotations[1].attributes.get("baseline") == baseline


@pytest.mark.parametrize("unit", ["mm10", "inch1200"])
def test_other_units_are_turned_into_pixels_where_the_image_is_there(unit: str):
    context = ParseContext(size_of=lambda name: (800, 600) if name == "p1.tif" else None)
    (page,) = ALTO.parse({"a.xml": alto(space(LINE.format('<String CONTENT="a"/>')), unit=unit)}, context)
    assert (page.page.width, page.annotations[0].shape) == (800, Box(0, 0, 400, 100))


def test_other_units_are_reported_where_the_image_is_not_there():
    (page,), problems = problems_of(ALTO, {"a.xml": alto(space(LINE.format("")), unit="mm10")})
    assert (page.page.width, page.annotations) == (0, ())
    assert problems == [
        "a.xml: the annotations were left out: they are in mm10, and the image is not there to reckon with."
    ]


def test_a_file_made_from_a_copy_of_another_resolution_is_scaled():
    context = ParseContext(size_of=lambda _: (200, 150))
    (page,) = ALTO.parse({"a.xml": alto(space(LINE.format('<String CONTENT="a"/>')))}, context)
    assert [each.shape for each in page.annotations] == [Box(0, 0, 100, 25), Box(0, 0, 100, 10)]


@pytest.mark.parametrize(
    "block",
    [
        '<Illustration ID="bad"/>',
        '<Illustration ID="bad" HPOS="0" VPOS="0" WIDTH="0" HEIGHT="9"/>',
        '<Illustration ID="bad" HPOS="0" VPOS="0" WIDTH="9"/>',
        '<Illustration ID="bad" HPOS="x" VPOS="0" WIDTH="9" HEIGHT="9"/>',
        '<Illustration ID="bad"><Shape><Polygon POINTS="0,0 1,1"/></Shape></Illustration>',
        '<Illustration ID="bad"><Shape><Polygon POINTS="0,0 1,1 2"/></Shape></Illustration>',
    ],
)
def test_blocks_that_cannot_be_used_are_reported_by_name(block: str):
    good = '<Illustration ID="good" HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9"/>'
    (page,), problems = problems_of(ALTO, {"a.xml": alto(space(block + good))})
    assert [each.id for each in page.annotations] == ["good"]
    assert len(problems) == 1
    assert problems[0].startswith("a.xml, Illustration bad was passed over: ")


def test_ids_that_are_there_twice_are_told_apart():
    block = '<Illustration ID="I" HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9"/>'
    (page,) = reread(ALTO, {"a.xml": alto(space(block * 2))})
    assert [each.id for each in page.annotations] == ["I", "I-2"]


def test_the_software_of_others_is_read_where_elements_refer_to_it():
    head = (
        '<Description><MeasurementUnit>pixel</MeasurementUnit><Processing ID="K"><processingStepSettings>fast'
        "</processingStepSettings><processingSoftware><softwareName>kraken</softwareName></processingSoftware></Processing>"
        '<Processing ID="A"><processingAgency>BnF</processingAgency></Processing></Description>'
    )
    blocks = "".join(
        f'<Illustration ID="I{ref}" PROCESSINGREFS="{ref}" HPOS="0" VPOS="0" WIDTH="9" HEIGHT="9"/>' for ref in "KAX"
    )
    text = f'<alto>{head}<Layout><Page ID="P" PHYSICAL_IMG_NR="1">{space(blocks)}</Page></Layout></alto>'
    (page,) = reread(ALTO, {"scan 7.xml": text})
    assert [each.provenance for each in page.annotations] == [
        ByModel("kraken", "", "", {"settings": "fast"}),
        ByPerson("BnF"),
        None,
    ]
    assert (page.page.name, page.page.width) == ("scan 7.jpg", 0)


def test_several_pages_in_one_file_get_names_of_their_own():
    text = '<alto><Layout><Page ID="A"><PrintSpace/></Page><Page ID="B"/></Layout></alto>'
    assert [page.page.name for page in reread(ALTO, {"x.xml": text})] == ["x-1.jpg", "x-2.jpg"]


@pytest.mark.parametrize("text", ["", "<html/>", "<alto/>", "<alto><Layout/></alto>", "{}"])
def test_other_files_are_refused_by_name(text: str):
    with pytest.raises(FormatError, match=r"a\.xml"):
        list(ALTO.parse({"a.xml": text}, ParseContext()))


def test_beside_good_files_bad_ones_are_reported():
    good = alto(space(""))
    pages, problems = problems_of(ALTO, {"mets.xml": "<mets/>", "a.xml": good, "b.txt": "x"})
    assert len(pages) == 1
    assert problems == ["mets.xml is no ALTO file: its root is <mets>, not <alto>."]
