from limner.operations.images.limits import Limits


def test_the_longest_side_and_the_area_count() -> None:
    limits = Limits(side=100, area=5000)
    assert limits.allow(100, 50)
    assert not limits.allow(101, 1)
    assert not limits.allow(80, 80)


def test_the_largest_size_keeps_the_proportions() -> None:
    limits = Limits(side=100, area=5000)
    assert limits.largest(40, 30) == (40, 30)
    assert limits.largest(1000, 10) == (100, 1)
    assert limits.largest(200, 200) == (70, 70)
    assert limits.largest(100_000, 1) == (100, 1)
