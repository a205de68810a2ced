"""``limner models export``: a model as a bundle, for OpenVINO, or with 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.remote.server import server_of
from limner.core.errors import UsageError

if TYPE_CHECKING:
    from limner.core.settings import Settings
    from limner.models.bundle import Bundle
    from limner.operations.accuracy.agreement import Agreement

_LEAST = 10


def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, name@version or alias.")],
    onnx: Annotated[bool, typer.Option("--onnx", help="A bundle with the network in ONNX.")] = False,
    openvino: Annotated[bool, typer.Option("--openvino", help="The files of OpenVINO (extra `openvino`).")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="A bundle with a network of 8 bits (extra `train`).")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where to. [default: ./NAME-VERSION-KIND]")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", metavar="DIR", help="For --int8: a folder of typical pages.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="DATASET", help="For --int8: annotated pages to measure both on."),
    ] = None,
) -> None:
    """Write a model in another form; with --int8 its accuracy before and after is printed."""
    chosen = [kind for kind, wanted in (("onnx", onnx), ("openvino", openvino), ("int8", int8)) if wanted]
    if len(chosen) != 1:
        raise UsageError("Choose one of --onnx, --openvino and --int8.")
    if server_of(context) is not None:
        raise UsageError("Models are exported where they are installed: leave --server out.")
    if (calibration is not None) != int8 or (against is not None and not int8):
        raise UsageError("--int8 needs --calibration DIR, and nothing else takes it or --against.")
    from limner.core.settings import load_settings
    from limner.models.store import ModelStore

    settings = load_settings()
    bundle = ModelStore(settings.models_dir).get(name)
    folder = output or Path(f"{bundle.name}-{bundle.version}-{chosen[0]}")
    if calibration is not None:
        _int8(bundle, folder, calibration, against, settings)
        return
    from limner.operations.exporting.folders import export_bundle, export_openvino

    if onnx:
        export_bundle(bundle, folder)
    else:
        export_openvino(bundle, folder)
    typer.echo(f"{bundle.ref} is in {folder}.")


def _int8(bundle: Bundle, folder: Path, calibration: Path, against: Path | None, settings: Settings) -> None:
    """Quantise, compare, print."""
    from limner.models.protocol import RUNTIMES, RuntimeOptions
    from limner.operations.accuracy.agreement import agreement
    from limner.operations.exporting.int8 import calibration_images, quantise

    images = calibration_images(calibration)
    if len(images) < _LEAST:
        typer.secho(f"Only {len(images)} calibration pages; some dozens are better.", fg=typer.colors.YELLOW, err=True)
    made = quantise(bundle, images, folder, settings)
    options = RuntimeOptions(threads=settings.threads)
    before, after = (RUNTIMES.get(each.runtime).load(each, options) for each in (bundle, made))
    try:
        sizes = [each.weights.size / 1e6 if each.weights else 0 for each in (bundle, made)]
        typer.echo(f"{made.ref} is in {folder}: {sizes[1]:.1f} MB, before {sizes[0]:.1f} MB.")
        typer.echo(compared(agreement(before, after, images, settings)))
        if against is not None:
            from limner.operations.accuracy.figures import measure
            from limner.operations.accuracy.labelled import read_labelled

            pages = read_labelled(against).pages
            first, second = (measure(each, pages, settings) for each in (before, after))
            typer.echo(
                f"On the {first.pages} pages of {against}: mAP50 {_share(first.map50)} → {_share(second.map50)}, "
                f"F1 {_share(first.all.f1)} → {_share(second.all.f1)}."
            )
    finally:
        before.close()
        after.close()


def compared(found: Agreement) -> str:
    """One line on how far two models agree and how fast each is."""
    ratio = found.seconds_before / found.seconds_after if found.seconds_after else float("inf")
    times = f"{found.seconds_before:.3f} s → {found.seconds_after:.3f} s a page ({ratio:.2f} times as fast)"
    if not found.ratios.things and not found.ratios.finds:
        return f"On the {found.pages} calibration pages neither finds anything, so nothing is compared; {times}."
    return (
        f"Agreement with the model before on the {found.pages} calibration pages, where it finds "
        f"{found.ratios.things}: F1 {_share(found.ratios.f1)}, mean IoU {_share(found.ratios.mean_iou)}; {times}."
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
