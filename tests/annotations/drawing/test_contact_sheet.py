"""Contact sheets."""

from PIL import Image

from limner.annotations.drawing.contact_sheet import SheetStyle, Thumbnail, contact_sheet

RED, GROUND = (200, 0, 0), (250, 248, 244)


def _thumbnails(count: int) -> list[Thumbnail]:
    return [Thumbnail(Image.new("RGB", (60, 80), RED), f"page {n}", "3 found") for n in range(count)]


def _red(sheet: Image.Image) -> int:
    return (
        sum(1 for pixel in sheet.get_flattened_data() if pixel == RED)
        if hasattr(sheet, "get_flattened_data")
        else (sum(1 for pixel in sheet.getdata() if pixel == RED))
    )


def test_every_picture_is_there() -> None:
    sheet = contact_sheet("Six pages", _thumbnails(6), SheetStyle(cell=(60, 80)))
    assert _red(sheet) >= 6 * 58 * 78


def test_a_sheet_grows_by_rows() -> None:
    style = SheetStyle(cell=(60, 80), columns=3)
    heights = [contact_sheet("x", _thumbnails(count), style).height for count in (3, 4, 7)]
    assert heights[0] < heights[1] < heights[2]


def test_no_more_than_the_most_are_drawn_and_the_rest_is_counted() -> None:
    style = SheetStyle(cell=(60, 80), most=4)
    full, cut = contact_sheet("x", _thumbnails(4), style), contact_sheet("x", _thumbnails(9), style)
    assert cut.height == full.height + 40
    assert _red(cut) == _red(full)


def test_long_titles_stay_on_the_sheet() -> None:
    sheet = contact_sheet("A very long title " * 30, _thumbnails(1), SheetStyle(cell=(60, 80)))
    right = sheet.crop((sheet.width - 10, 0, sheet.width, sheet.height))
    assert set(right.convert("RGB").getcolors() or []) == {(right.width * right.height, GROUND)}
