"""Labelling configurations."""

import pytest

from limner.core.errors import UsageError
from limner.operations.foreign.labelstudio.config import parse_config

OCR = """
<View>
  <!-- the template for transcriptions -->
  <Image name="page" value="$ocr" zoom="true"/>
  <Labels name="kind" toName="page"><Label value="Text" background="green"/><Label value="Hand" alias="h"/></Labels>
  <Rectangle name="box" toName="page" strokeWidth="3"/>
  <Polygon name="outline" toName="page"/>
  <TextArea name="transcription" toName="page" perRegion="true"/>
  <Choices name="sort" toName="page"><Choice value="a"/></Choices>
</View>
"""


def test_the_image_and_the_tags_that_belong_to_it() -> None:
    config = parse_config(OCR)
    assert (config.image, config.key) == ("page", "ocr")
    assert {kind: control.name for kind, control in config.controls.items()} == {
        "labels": "kind",
        "rectangle": "box",
        "polygon": "outline",
        "textarea": "transcription",
    }
    assert config.controls["labels"].labels == ("Text", "h")


def test_labels_are_known_by_what_models_call_them() -> None:
    config = parse_config(
        '<View><Image name="i" value="$i"/><RectangleLabels name="l" toName="i,j">'
        '<Label value="Car" predicted_values="vehicle, Truck"/><Label value="Person" alias="p"/><Label value="$x"/>'
        "</RectangleLabels></View>"
    )
    meant = config.controls["rectanglelabels"].meant
    assert meant == {"car": "Car", "vehicle": "Car", "truck": "Car", "person": "p", "p": "p"}


def test_tags_of_other_images_do_not_count() -> None:
    with pytest.raises(UsageError, match="no tag for the image 'a'"):
        parse_config(
            '<View><Image name="a" value="$a"/><Image name="b" value="$b"/>'
            '<RectangleLabels name="l" toName="b"><Label value="x"/></RectangleLabels></View>'
        )


BOMB = '<!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><View><Image name="i" value="&b;"/></View>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no XML"),
        ("<View>", "no XML"),
        (BOMB, "no XML"),
        ('<!DOCTYPE v SYSTEM "file:///etc/passwd"><View/>', "no Image tag"),
        ('<View><Image name="i" value="a.png"/></View>', "no key of the tasks"),
        ('<View><Image name="i" value="$i"/><Labels name="l" toName="i"/></View>', "no tag for the image"),
        (f"<View>{' ' * 1_000_001}</View>", "longer than"),
    ],
)
def test_what_cannot_be_used_says_why(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_config(text)
