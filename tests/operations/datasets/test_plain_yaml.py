import pytest

from limner.core.errors import FormatError
from limner.operations.datasets.plain_yaml import plain_yaml


def test_plain_values_are_read() -> None:
    assert plain_yaml(b"names: [a, b]\nnc: 2\n") == {"names": ["a", "b"], "nc": 2}


@pytest.mark.parametrize(
    "text", [b"- a", b"", b"a: &x 1\nb: *x", b"a: !!python/name:os.system", b"a: [", b"\xff\xfe\xfd"]
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(FormatError):
        plain_yaml(text)
