import pytest

from limner.annotations.formats.zone_kinds import Kind, kind_of


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("text", Kind.TEXT),
        ("MainZone", Kind.TEXT),
        ("MarginTextZone:note", Kind.TEXT),
        ("DropCapitalZone", Kind.TEXT),
        ("Page-header", Kind.TEXT),
        ("figure caption", Kind.TEXT),
        ("UnheardOfZone", Kind.TEXT),
        ("text_block", Kind.TEXT),
        ("figure", Kind.IMAGE),
        ("Figures", Kind.IMAGE),
        ("illustration", Kind.IMAGE),
        ("PICTURE", Kind.IMAGE),
        ("diagram", Kind.DRAWING),
        ("LineDrawing", Kind.DRAWING),
        ("GraphicZone", Kind.GRAPHIC),
        ("initial", Kind.GRAPHIC),
        ("TableZone", Kind.TABLE),
        ("bar chart", Kind.CHART),
        ("map", Kind.MAP),
        ("separator", Kind.SEPARATOR),
        ("formula", Kind.MATHS),
        ("chem", Kind.CHEMISTRY),
        ("MusicZone", Kind.MUSIC),
        ("advertisement", Kind.ADVERT),
        ("DamageZone", Kind.NOISE),
        ("dog", Kind.OTHER),
        ("人物", Kind.OTHER),
        ("0", Kind.OTHER),
    ],
)
def test_labels_of_known_datasets(label: str, kind: Kind):
    assert kind_of(label) is kind
