"""Annotating a few images at once."""

import asyncio
import base64
import io
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from PIL import Image

from limner.annotations.shapes import Box
from limner.core.errors import DecodeError, ModelNotFoundError, TooLargeError, TooManyRequestsError, UsageError
from limner.core.settings import Settings
from limner.models.bundle import Bundle
from limner.models.bundle_files import read_bundle
from limner.models.protocol import RUNTIMES, Options, Predictor, RuntimeOptions
from limner.models.runtimes.onnx import ONNX
from limner.operations.candidates import ImageInput
from limner.operations.inference import InferenceThreads
from limner.operations.instant import InstantResult, annotate_now
from limner.operations.services import Services
from tests.models.networks import bright_boxes_bundle
from tests.operations.bright_pages import BOX, SIZE, drawn, encoded, page

WORKSPACE = "w1"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Services with the model ``bright``."""
    with Services(Settings(data=tmp_path / "data")) as services:
        services.store.add(read_bundle(bright_boxes_bundle(tmp_path / "bright", side=64)))
        yield services


def file(data: bytes, name: str = "") -> ImageInput:
    return ImageInput(io.BytesIO(data), name)


async def annotate(
    services: Services, *images: ImageInput, model: str = "bright", options: Options | None = None, **more: int | None
) -> InstantResult:
    return await annotate_now(images, model, options or Options(), services, workspace_id=WORKSPACE, **more)


async def test_an_image_is_annotated(services: Services) -> None:
    result = await annotate(services, file(page("JPEG"), "a.jpg"))
    assert result.model == "bright@1"
    (only,) = result.pages
    assert only.annotated.page.name == "a.jpg"
    assert (only.annotated.page.width, only.annotated.page.height) == SIZE
    assert [annotation.shape.bounds for annotation in only.annotated.annotations] == [Box(*BOX)]
    assert [annotation.id for annotation in only.annotated.annotations] == ["a.jpg-1"]
    assert only.picture is None
    assert set(only.seconds) == {"queue", "decode", "model"}


async def test_times_of_all_pages_are_summed(services: Services) -> None:
    result = await annotate(services, file(page()), file(page()))
    for stage, seconds in result.seconds.items():
        assert seconds == pytest.approx(sum(each.seconds[stage] for each in result.pages))


async def test_pictures_are_kept_where_they_are_wanted(services: Services) -> None:
    whole = await annotate(services, file(page()), picture_side=None)
    assert whole.pages[0].picture is not None
    assert whole.pages[0].picture.pixels.shape == (480, 640, 3)
    small = await annotate(services, file(page()), picture_side=200)
    assert small.pages[0].picture is not None
    assert 200 <= max(small.pages[0].picture.pixels.shape) < 640


async def test_zones_are_looked_at_closely(services: Services) -> None:
    result = await annotate(services, file(page()), options=Options(zones=(Box(0, 0, 320, 320),)), picture_side=1)
    assert result.pages[0].picture is not None
    assert result.pages[0].picture.pixels.shape == (480, 640, 3)
    assert len(result.pages[0].annotated.annotations) == 1


async def test_an_only_image_that_fails_is_an_error(services: Services) -> None:
    with pytest.raises(DecodeError, match=r"a\.jpg"):
        await annotate(services, file(b"no image", "a.jpg"))


async def test_of_several_the_bad_one_says_why(services: Services) -> None:
    bad, good = (await annotate(services, file(b"no image"), file(page()))).pages
    assert isinstance(bad.error, DecodeError)
    assert bad.annotated.error == str(bad.error)
    assert good.error is None


async def test_a_failure_that_is_none_of_ours_is_not_hidden(services: Services) -> None:
    class Broken(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await annotate(services, ImageInput(Broken(page())), file(page()))


async def test_an_image_with_too_many_pixels_is_refused(tmp_path: Path) -> None:
    with Services(Settings(data=tmp_path, max_pixels=1000)) as services:
        services.store.add(read_bundle(bright_boxes_bundle(tmp_path / "bright", side=64)))
        with pytest.raises(TooLargeError):
            await annotate(services, file(page()))


async def test_an_unknown_model_is_named(services: Services) -> None:
    with pytest.raises(ModelNotFoundError, match="brihgt"):
        await annotate(services, file(page()), model="brihgt")


async def test_a_label_that_the_model_does_not_have_is_refused(services: Services) -> None:
    with pytest.raises(UsageError, match="green"):
        await annotate(services, file(page()), options=Options(labels=frozenset({"green"})))


async def test_models_are_given_back(services: Services) -> None:
    await annotate(services, file(page()))
    with pytest.raises(DecodeError):
        await annotate(services, file(b"x"))
    assert [loaded.users for loaded in services.pool.loaded()] == [0]


async def test_nobody_who_goes_away_keeps_a_model(services: Services) -> None:
    """Cancelled while the model is still being loaded."""
    task = asyncio.ensure_future(annotate(services, file(page())))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(200):
        loaded = services.pool.loaded()
        if loaded and not loaded[0].users:
            break
        await asyncio.sleep(0.02)
    assert [each.users for each in services.pool.loaded()] in ([0], [])


async def test_whoever_observes_is_told_the_times(services: Services) -> None:
    seen: list[tuple[str, set[str]]] = []

    def observe(model: str, seconds: Mapping[str, float]) -> None:
        seen.append((model, set(seconds)))

    services.observer = observe
    result = await annotate(services, file(page()))
    services.observe(result.bundle, result.seconds)
    assert seen == [("bright@1", {"queue", "decode", "model"})]


async def test_requests_share_few_threads(services: Services) -> None:
    names: set[str] = set()
    inside = threading.Lock()
    most = now = 0
    original = services.inference.run

    async def run(work):
        def noted():
            nonlocal most, now
            with inside:
                now += 1
                most = max(most, now)
                names.add(threading.current_thread().name)
            try:
                return work()
            finally:
                with inside:
                    now -= 1

        return await original(noted)

    services.inference.run = run
    await asyncio.gather(*(annotate(services, file(page())) for _ in range(12)))
    assert most <= services.inference.size
    assert all(name.startswith("instant") for name in names)


async def test_too_many_waiting_pages_are_sent_away(services: Services) -> None:
    gate = threading.Event()
    services.__dict__["inference"] = InferenceThreads(1, most_waiting=0)
    waiting = asyncio.ensure_future(services.inference.run(lambda: gate.wait(10)))
    await asyncio.sleep(0.01)
    with pytest.raises(TooManyRequestsError):
        await annotate(services, file(page()))
    gate.set()
    assert await waiting
    for _ in range(100):
        if not services.inference.waiting and not services.inference._taken:
            break
        await asyncio.sleep(0.01)
    assert (await annotate(services, file(page()))).pages


async def test_text_is_annotated_like_a_file(services: Services) -> None:
    text = base64.b64encode(encoded(drawn(), "PNG")).decode()
    result = await annotate(services, ImageInput(text))
    assert [annotation.shape.bounds for annotation in result.pages[0].annotated.annotations] == [Box(*BOX)]


async def test_the_pages_are_a_document_for_the_formats(services: Services) -> None:
    result = await annotate(services, file(page(), "first.png"), file(encoded(Image.new("RGB", SIZE), "PNG"), "b.png"))
    assert result.document.title == "first.png"
    assert [each.page.name for each in result.document.pages] == ["first.png", "b.png"]


async def test_those_who_wait_for_a_model_hold_up_nobody_else(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, go = threading.Event(), threading.Event()

    class Held:
        name = "held"

        def load(self, bundle: Bundle, options: RuntimeOptions) -> Predictor:
            loading.set()
            assert go.wait(60)
            return ONNX.load(bundle, options)

    monkeypatch.setitem(RUNTIMES._added, "held", Held())
    services.store.add(read_bundle(bright_boxes_bundle(tmp_path / "held", side=64, runtime="held")))
    waiting = [asyncio.create_task(annotate(services, file(page()), model="held")) for _ in range(40)]
    try:
        await asyncio.to_thread(loading.wait, 30)
        done = await asyncio.wait_for(annotate(services, ImageInput(base64.b64encode(page()).decode())), 30)
        assert done.model == "bright@1"
    finally:
        go.set()
        assert {result.model for result in await asyncio.gather(*waiting)} == {"held@1"}
