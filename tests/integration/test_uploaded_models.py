"""A model of another program is uploaded to a real server, which goes on answering and never loads torch."""

import threading
from pathlib import Path

import httpx
import numpy as np

from tests.limner_process import serving
from tests.models.importers.test_tiny_yolo import arrays, write_keras
from tests.operations.bright_pages import page


def test_a_foreign_model_is_uploaded_and_used(tmp_path: Path) -> None:
    layers = arrays()
    kernel, bias = layers[-1]
    bias = np.zeros_like(bias)
    cell = 3 * 7 + 3
    bias[cell * 3 + 2], bias[147 + cell * 2], bias[147 + 98 + cell * 8 :][:4] = 1, 0.9, [0.5, 0.5, 0.7, 0.7]
    layers[-1] = (np.zeros_like(kernel), bias)
    file = write_keras(tmp_path / "mine.hdf5", layers)
    answers: list[httpx.Response] = []
    with serving(tmp_path / "data", "--no-auth", LIMNER_WORKERS="0") as server:
        url = server.url

        def upload() -> None:
            with file.open("rb") as content, httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
                fields = {"name": "tiny", "labels": "a,b,c", "kind": "tiny-yolo"}
                answers.append(client.post("/v1/models", files={"file": ("mine.hdf5", content)}, data=fields))

        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            thread = threading.Thread(target=upload)
            thread.start()
            meanwhile = 0
            while thread.is_alive():
                assert client.get("/healthz").status_code == 200
                meanwhile += not answers
                thread.join(0.05)
            assert meanwhile > 0  # it answered while the model was being converted
            (answer,) = answers
            assert answer.status_code == 201, answer.text
            card = client.get(answer.headers["location"]).json()
            assert (card["ref"], card["decoder"]["name"], card["labels"]) == ("tiny@1", "tiny-yolo", ["a", "b", "c"])
            assert card["weights"]["sha256"]
            found = client.post("/v1/annotate", files={"file": page()}, data={"model": "tiny"})
            assert found.status_code == 200, found.text
            assert '"c"' in found.text
        maps = Path(f"/proc/{server.process.pid}/maps")
        if maps.exists():
            assert "onnxruntime" in maps.read_text()
            assert "libtorch" not in maps.read_text()
