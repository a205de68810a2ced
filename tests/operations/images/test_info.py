from limner.operations.images.info import image_info, scale_factors
from limner.operations.images.limits import Limits
from limner.operations.images.requests import read_request
from limner.sources.iiif.image_api import image_services

ADDRESS = "https://limner.example/iiif/key/0/images/3"


def test_it_says_what_can_be_asked_for() -> None:
    info = image_info(ADDRESS, 2403, 1501)
    assert (info["id"], info["type"], info["profile"]) == (ADDRESS, "ImageService3", "level2")
    assert (info["width"], info["height"]) == (2403, 1501)
    assert info["tiles"] == [{"width": 512, "height": 512, "scaleFactors": [1, 2, 4, 8]}]
    assert info["sizes"][0] == {"width": 301, "height": 188}
    assert info["sizes"][-1] == {"width": 2403, "height": 1501}


def test_every_size_that_is_listed_can_be_had() -> None:
    for image in ((2403, 1501), (1, 1), (513, 7), (30_000, 20_000)):
        for size in image_info(ADDRESS, *image)["sizes"]:
            words = f"{size['width']},{size['height']}"
            assert read_request("full", words, "0", "default.jpg", image).size == (size["width"], size["height"])


def test_sizes_that_are_too_large_are_not_listed() -> None:
    info = image_info(ADDRESS, 1000, 1000, Limits(side=600, area=300_000))
    assert info["sizes"] == [{"width": 500, "height": 500}]
    assert (info["maxWidth"], info["maxArea"]) == (600, 300_000)


def test_scales_end_where_the_image_is_one_tile() -> None:
    assert scale_factors(512, 100) == [1]
    assert scale_factors(513, 100) == [1, 2]


def test_our_own_reader_understands_it() -> None:
    (service,) = image_services({"service": [image_info(ADDRESS, 2403, 1501)]})
    assert (service.id, service.version, service.level) == (ADDRESS, 3, 2)
    assert (service.width, service.max_area) == (2403, 60_000_000)
    assert service.can("sizeByConfinedWh", 2)
