from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from limner.models.bundle import Bundle, parse_bundle, render_bundle
from limner.models.bundle_files import read_bundle
from limner.models.importers.protocol import Wishes
from limner.models.schema import bundle_schema
from limner.models.tasks.specs import Input, YoloV5
from tests.models.networks import fixed_outputs, save

COMMITTED = Path(__file__).parents[2] / "docs" / "reference" / "bundle.schema.json"


def test_the_committed_schema_is_current():
    assert COMMITTED.read_text(encoding="utf-8") == bundle_schema(), (
        "run: python -m limner.models.schema > docs/reference/bundle.schema.json"
    )


def test_the_module_prints_the_schema():
    printed = subprocess.run(
        [sys.executable, "-m", "limner.models.schema"], capture_output=True, check=True, timeout=60
    )
    assert printed.stdout.decode() == bundle_schema()


def test_bundles_fit_the_schema_and_misspelt_ones_do_not():
    schema = json.loads(bundle_schema())
    bundle = Bundle(name="m", task="detect", labels=("a",), input=Input(), decoder=YoloV5())
    plain = json.loads(render_bundle(bundle))
    jsonschema.validate(plain, schema)
    with pytest.raises(jsonschema.ValidationError, match="Additional properties"):
        jsonschema.validate(plain | {"lables": []}, schema)


def test_every_key_is_described():
    schema = json.loads(bundle_schema())
    keys = [(name, each) for name, each in {**schema["$defs"], "Bundle": schema}.items()]
    bare = [f"{n}.{k}" for n, each in keys for k, v in each.get("properties", {}).items() if not _described(k, v)]
    assert bare == []


def _described(key: str, value: dict) -> bool:
    """Discriminators explain themselves."""
    return "description" in value or (key in {"rule", "kind", "name"} and "const" in value)


def test_every_key_and_decoder_is_in_the_reference():
    page = COMMITTED.with_name("bundle.md").read_text(encoding="utf-8")
    schema = json.loads(bundle_schema())
    keys = {key for each in [*schema["$defs"].values(), schema] for key in each.get("properties", {})}
    names = {
        value["const"]
        for each in schema["$defs"].values()
        for value in each.get("properties", {}).values()
        if "const" in value
    }
    missing = [word for word in sorted({*keys, *names}) if f"`{word}`" not in page and f'"{word}"' not in page]
    assert missing == []


def test_the_example_in_the_reference_is_a_bundle():
    page = COMMITTED.with_name("bundle.md").read_text(encoding="utf-8")
    example = page.split("```json\n")[1].split("```")[0].replace("9f86d08188…", "0" * 64)
    bundle = parse_bundle(example)
    assert (bundle.ref, bundle.decoder, bundle.input.dynamic) == ("page-elements@2", YoloV5(), True)


def test_the_examples_in_the_how_tos_work(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how_to = COMMITTED.parents[1] / "how-to"
    save(fixed_outputs({"boxes": np.zeros((1, 4), np.float32)}), tmp_path / "miniatures" / "model.onnx")
    exec(python_in(how_to / "bring-an-onnx-model.md"), {})
    assert read_bundle(tmp_path / "miniatures").labels == ("miniature", "border")

    defined: dict = {"__name__": "mine"}
    exec(python_in(how_to / "add-an-importer.md"), defined)
    (tmp_path / "a.mine").write_text('{"labels": ["x"]}')
    save(fixed_outputs({"boxes": np.zeros((1, 4), np.float32)}), tmp_path / "a.onnx")
    importer = defined["MINE"]
    assert importer.accepts(tmp_path / "a.mine")
    assert importer.convert(tmp_path / "a.mine", tmp_path / "bundle", Wishes()).ref == "a@1"


def python_in(page: Path) -> str:
    return page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
