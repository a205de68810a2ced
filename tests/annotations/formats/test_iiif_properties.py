import pytest

from limner.annotations.annotation import Json
from limner.annotations.formats.iiif_properties import language_map, properties_of, rights_uri

CC = "http://creativecommons.org/licenses/by/4.0/"
TERMS = {"label": {"en": ["Rights"]}, "value": {"none": ["https://x.example/terms"]}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", {"none": ["a"]}),
        (["a", "b", "a"], {"none": ["a", "b"]}),
        (5, {"none": ["5"]}),
        ({"@value": "a", "@language": "fr"}, {"fr": ["a"]}),
        ([{"@value": "a", "@language": "fr"}, {"@value": "b"}, "c"], {"fr": ["a"], "none": ["b", "c"]}),
        ({"en": ["a"], "fr-CA": ["b"]}, {"en": ["a"], "fr-CA": ["b"]}),
        ({"@none": ["a"]}, {"none": ["a"]}),
        ({"en": "a"}, {"en": ["a"]}),
        ({"en": [1, None], "fr": []}, {}),
        ({"not a language!": ["a"]}, {"none": ["a"]}),
        ("  ", {}),
        (None, {}),
        ([], {}),
    ],
)
def test_text_of_any_form_is_a_language_map(value: Json, expected: Json):
    assert language_map(value) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (CC, CC),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "http://creativecommons.org/publicdomain/mark/1.0/"),
        (" http://rightsstatements.org/vocab/UND/1.0/ ", "http://rightsstatements.org/vocab/UND/1.0/"),
        ("https://x.example/creativecommons.org/", None),
        ("public domain", None),
        ("", None),
        (None, None),
    ],
)
def test_rights_are_those_of_two_vocabularies(address: str | None, expected: str | None):
    assert rights_uri(address) == expected


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({}, {}),
        ({"description": "a"}, {"summary": {"none": ["a"]}}),
        ({"summary": {"en": ["a"]}}, {"summary": {"en": ["a"]}}),
        (
            {
                "metadata": [
                    {"label": "Date", "value": ["1508", "1509"]},
                    {"label": "", "value": "x"},
                    {"label": "y"},
                    "z",
                ]
            },
            {"metadata": [{"label": {"none": ["Date"]}, "value": {"none": ["1508", "1509"]}}]},
        ),
        ({"attribution": "BnF"}, {"requiredStatement": {"label": {"en": ["Attribution"]}, "value": {"none": ["BnF"]}}}),
        (
            {"requiredStatement": {"label": {"@none": ["By"]}, "value": "BnF"}, "attribution": "x"},
            {"requiredStatement": {"label": {"none": ["By"]}, "value": {"none": ["BnF"]}}},
        ),
        ({"license": CC}, {"rights": CC}),
        ({"license": [CC, "https://x.example/terms"]}, {"rights": CC, "metadata": [TERMS]}),
        ({"rights": "https://x.example/terms"}, {"metadata": [TERMS]}),
        ({"license": ""}, {}),
        ({"navDate": "1943-01-01T00:00:00Z"}, {"navDate": "1943-01-01T00:00:00Z"}),
        ({"navDate": "1949-01-01:T00:00:00Z"}, {}),
        ({"viewingDirection": "right-to-left"}, {"viewingDirection": "right-to-left"}),
        ({"viewingDirection": "up"}, {}),
        ({"viewingHint": "paged"}, {"behavior": ["paged"]}),
        ({"behavior": ["unordered", "individuals"]}, {"behavior": ["unordered"]}),
        ({"behavior": ["dance"]}, {}),
        (
            {"related": "https://x.example/item"},
            {
                "homepage": [
                    {"id": "https://x.example/item", "type": "Text", "label": {"none": ["https://x.example/item"]}}
                ]
            },
        ),
        (
            {"homepage": {"id": "https://x.example/item", "type": "Text", "label": "Item", "format": "text/html"}},
            {
                "homepage": [
                    {"id": "https://x.example/item", "type": "Text", "label": {"none": ["Item"]}, "format": "text/html"}
                ]
            },
        ),
        ({"related": {"label": "no address"}, "homepage": None}, {}),
        (
            {"seeAlso": [{"@id": "https://x.example/x.xml", "format": "text/xml", "profile": "p"}, {"format": "x"}, 5]},
            {"seeAlso": [{"id": "https://x.example/x.xml", "type": "Dataset", "format": "text/xml", "profile": "p"}]},
        ),
        (
            {"rendering": {"@id": "https://x.example/x.pdf", "label": "PDF", "format": ""}},
            {"rendering": [{"id": "https://x.example/x.pdf", "type": "Text", "label": {"none": ["PDF"]}}]},
        ),
        (
            {
                "provider": [
                    {
                        "id": "https://x.example",
                        "type": "Agent",
                        "label": {"en": ["Lib"]},
                        "logo": [{"id": "https://x.example/logo.png", "type": "Image", "format": "image/png"}],
                        "homepage": [{"id": "https://x.example/home", "type": "Text"}],
                    },
                    {"id": "https://x.example/nameless", "type": "Agent"},
                ]
            },
            {
                "provider": [
                    {
                        "id": "https://x.example",
                        "type": "Agent",
                        "label": {"en": ["Lib"]},
                        "homepage": [
                            {
                                "id": "https://x.example/home",
                                "type": "Text",
                                "label": {"none": ["https://x.example/home"]},
                            }
                        ],
                        "logo": [{"id": "https://x.example/logo.png", "type": "Image", "format": "image/png"}],
                    }
                ]
            },
        ),
    ],
)
def test_properties_in_the_form_of_presentation_3(manifest: dict[str, Json], expected: dict[str, Json]):
    assert properties_of(manifest) == expected
