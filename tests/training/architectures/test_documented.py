from pathlib import Path

from limner.training.architectures.offered import OFFERED
from limner.training.architectures.protocol import ARCHITECTURES
from limner.training.augment.presets import NAMES

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "architectures.md").read_text(encoding="utf-8")


def test_all_architectures_stand_there_with_their_defaults() -> None:
    for each in ARCHITECTURES:
        assert f"| `{each.name}` | " + ("boxes" if each.task == "detect" else "") in PAGE
        size, batch, rate, decay = (each.defaults[key] for key in _KEYS)
        assert f"| `{each.name}` | {size} | {batch} | {rate:f}".rstrip("0") in PAGE
        assert f"| {decay:f}".rstrip("0") in PAGE


def test_all_presets_and_weights_stand_there() -> None:
    assert all(f"| `{name}`" in PAGE for name in (*NAMES, *OFFERED))


_KEYS = ("image_size", "batch_size", "learning_rate", "weight_decay")
