"""A report for people: figures, and pictures of the pages that went worst."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from limner.annotations.annotation import Annotation
from limner.annotations.drawing.overlay import draw_overlay
from limner.operations.evaluation.comparison import Comparison
from limner.operations.evaluation.plain import comparison_plain, label_csv, label_rows, measured_plain, worst
from limner.operations.evaluation.running import Measured
from limner.training.datasets.dataset import Dataset

#: Pages that are shown.
_SHOWN = 10
#: Longer side of their pictures, pixels.
_SIDE = 900
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1f1d1a;background:#faf8f4;margin:2rem auto;max-width:70rem;
padding:0 1rem}
h1{font-family:Georgia,serif;font-weight:500}
table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.25rem .75rem;border-bottom:1px solid #e4dfd5;text-align:right}
td:first-child,th:first-child{text-align:left}
.muted{color:#6b655c}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
img{max-width:100%;border:1px solid #e4dfd5}
@media(prefers-color-scheme:dark){
body{color:#ece7dd;background:#171614}td,th,img{border-color:#34312c}.muted{color:#a49c8e}}
"""


def write_report(
    folder: Path, measured: Measured, dataset: Dataset, comparison: Comparison | None = None, *, pictures: str = "pages"
) -> Path:
    """Write ``report.json``, ``labels.csv``, ``report.html`` and pictures into a folder; the page's path.

    ``pictures`` is the folder of the pictures in that folder, and in the page.
    """
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    figures = measured_plain(measured, dataset)
    if comparison is not None:
        figures["comparison"] = comparison_plain(comparison)
    (folder / "report.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "labels.csv").write_text(label_csv(measured), encoding="utf-8")
    page = folder / "report.html"
    pairs = [_pair(pictures, name, note) for name, note in _draw_worst(measured, dataset, folder / pictures)]
    page.write_text(_document(measured, dataset, comparison, pairs), encoding="utf-8")
    return page


def _document(measured: Measured, dataset: Dataset, comparison: Comparison | None, pairs: Sequence[str]) -> str:
    title = f"{measured.model} on {dataset.ref}"
    parts = [f"<h1>{_text(title)}</h1>", f"<p class=muted>{_text(_subtitle(measured))}</p>"]
    if measured.text is not None:
        rows = [
            ["Characters", measured.text.characters, measured.text.cer],
            ["Words", measured.text.words, measured.text.wer],
        ]
        parts.append(_table(["", "there", "error rate"], rows))
    if measured.evaluation is not None:
        parts += ["<h2>Labels</h2>", _labels(measured), "<h2>What is taken for what</h2>", _confusion(measured)]
    if comparison is not None:
        parts += [f"<h2>Beside {_text(comparison.second)}</h2>", _comparison(comparison)]
    if pairs:
        parts += ["<h2>The worst pages</h2><p class=muted>What is there, and what was found.</p>", *pairs]
    body = "\n".join(parts)
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{_text(title)}</title>"
    return f"<!doctype html>\n<html lang=en><head>{head}<style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"


def _subtitle(measured: Measured) -> str:
    out = f"{len(measured.pages)} pages"
    if (evaluation := measured.evaluation) is not None:
        what = "masks" if evaluation.kind == "segm" else "boxes"
        out += f"; {what}; mAP@50 {_number(evaluation.coco.ap50)}, mAP {_number(evaluation.coco.ap)}"
        out += f"; precision and recall at a score of {evaluation.threshold:g}"
    if measured.unknown:
        out += f"; not known to the model: {', '.join(measured.unknown)}"
    return out


def _labels(measured: Measured) -> str:
    keys = [
        "things",
        "ap50",
        "ap50_interval",
        "ap",
        "precision",
        "recall",
        "f1",
        "mean_iou",
        "best_threshold",
        "best_f1",
    ]
    names = ["Label", "things", "AP50", "95 %", "AP", "precision", "recall", "F1", "mean IoU", "best at", "F1 there"]
    if measured.pixels is not None:
        keys, names = [*keys, "pixel_iou"], [*names, "pixel IoU"]
    return _table(names, ([row["label"], *(row[key] for key in keys)] for row in label_rows(measured)))


def _confusion(measured: Measured) -> str:
    if measured.evaluation is None:
        return ""
    names = [*measured.labels, "nothing"]
    rows = ([name, *row] for name, row in zip(names, measured.evaluation.confusion.tolist(), strict=True))
    return _table(["is ↓ taken for →", *names], rows)


def _comparison(comparison: Comparison) -> str:
    sure = "surely better" if comparison.surely_better else "not surely better"
    interval = comparison.interval
    ends = "" if interval is None else f" (95 % between {interval.low:+.3f} and {interval.high:+.3f})"
    gain = "unknown" if comparison.gain is None else f"{comparison.gain:+.3f}"
    lead = f"<p>{_text(comparison.first)} has {gain} mAP@50{ends}: {sure}.</p>"
    rows = ([each.label, each.first, each.second] for each in comparison.labels)
    pages = ([each.page, each.first_alone, each.second_alone, each.together] for each in comparison.pages[:_SHOWN])
    return (
        lead
        + _table(["Label", comparison.first, comparison.second], rows)
        + _table(["Page", f"only {comparison.first}", f"only {comparison.second}", "both"], pages)
    )


def _pair(folder: str, name: str, note: str) -> str:
    file = html.escape(f"{folder}/{name}", quote=True)
    return (
        f"<h3>{_text(note)}</h3><div class=pair><img loading=lazy alt='what is there' src='{file}-there.jpg'>"
        f"<img loading=lazy alt='what was found' src='{file}-found.jpg'></div>"
    )


def _draw_worst(measured: Measured, dataset: Dataset, folder: Path) -> list[tuple[str, str]]:
    """Pictures of the worst pages: name of the files, and what is said of them."""
    if measured.evaluation is None:
        return []
    places = {id(figures): at for at, figures in enumerate(measured.evaluation.pages)}  # two may have one name
    out = []
    for number, row in enumerate(worst(measured.evaluation, _SHOWN), 1):
        at = places[id(row)]
        page = measured.pages[at]
        with Image.open(dataset.image_path(page)) as image:
            image.draft("RGB", (_SIDE, _SIDE))
            small = image.convert("RGB")
        small.thumbnail((_SIDE, _SIDE))
        size = (page.page.width, page.page.height)
        known = [each for each in page.annotations if each.label in measured.labels]
        sure = _sure(measured.annotations[at], measured)
        draw_overlay(small, known, size).save(folder / f"{number:02}-there.jpg", quality=85)
        draw_overlay(small, sure, size).save(folder / f"{number:02}-found.jpg", quality=85)
        out.append((f"{number:02}", f"{row.name}: {row.missed} missed, {row.wrong} wrong, {row.right} right"))
    return out


def _sure(annotations: Iterable[Annotation], measured: Measured) -> list[Annotation]:
    threshold = 0.5 if measured.evaluation is None else measured.evaluation.threshold
    return [each for each in annotations if each.label in measured.labels and (each.score or 0) >= threshold]


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, list):
        return _text("–".join(_number(each) if isinstance(each, float) else str(each) for each in value))
    return _text(_number(value) if value is None or isinstance(value, float) else str(value))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _text(value: str) -> str:
    return html.escape(value)
