"""The demo: sample pages served as IIIF on loopback, annotated into every format, with a page to look at."""

from __future__ import annotations

import html
import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path

from limner.annotations.formats.protocol import WRITERS
from limner.core.settings import Settings
from limner.operations.annotate import AnnotateRequest, Reporter, Summary, annotate
from limner.operations.outputs import Pictures, Target
from limner.operations.samples import sample_manifest, sample_pages
from limner.operations.services import Services


async def run_demo(folder: Path, model: str, reporter: Reporter) -> Summary:
    """Serve the samples, annotate them as any other manifest, and write ``index.html`` beside the results.

    Downloads go to a temporary folder: nothing is left behind but the output.
    """
    with tempfile.TemporaryDirectory(prefix="limner-demo-") as data, serve_samples() as manifest:
        settings = Settings(data=Path(data), source_networks=(ip_network("127.0.0.0/8"),), host_concurrency=4)
        request = AnnotateRequest(
            sources=(manifest,),
            target=Target(tuple(WRITERS), folder=folder),
            model=model,
            pictures=Pictures(overlays=True, crops=True, contact_sheet=True),
        )
        with Services(settings) as services:
            summary = await annotate(request, services, reporter)
    (folder / "index.html").write_text(index_page(summary, folder), encoding="utf-8")
    return summary


@contextmanager
def serve_samples() -> Iterator[str]:
    """A server on loopback with the sample pages and their manifest; gives the manifest's address."""
    files: dict[str, tuple[str, bytes]] = {f"/images/{page.name}": ("image/jpeg", page.jpeg) for page in sample_pages()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer with a file."""
            media_type, body = files.get(self.path, ("text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            """Keep the screen for the progress bar."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        base = f"http://127.0.0.1:{server.server_address[1]}"
        files["/manifest.json"] = ("application/json", json.dumps(sample_manifest(base)).encode())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"{base}/manifest.json"
        finally:
            server.shutdown()
            thread.join()


_STYLE = """
:root { color-scheme: light dark; --ground: #faf8f4; --ink: #1f1d1a; --muted: #6b655c; --line: #e4dfd5;
  --accent: #2846b8 }
@media (prefers-color-scheme: dark) {
  :root { --ground: #171614; --ink: #ece7dd; --muted: #a49c8e; --line: #34312c; --accent: #8ea2ff } }
body { margin: 0 auto; max-width: 1100px; padding: 32px 24px 64px; background: var(--ground); color: var(--ink);
  font: 15px/1.55 system-ui, sans-serif }
h1 { font: 600 30px/1.2 Georgia, serif; margin: 0 0 4px } h2 { font-size: 17px; margin: 40px 0 12px }
p { margin: 0 0 16px; color: var(--muted); max-width: 70ch } a { color: var(--accent); text-underline-offset: 3px }
img { max-width: 100%; border: 1px solid var(--line); border-radius: 6px; display: block }
ul { list-style: none; padding: 0; columns: 3 240px; column-gap: 24px } li { padding: 3px 0; break-inside: avoid }
.pages { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 16px }
.pages a { color: var(--muted); font-size: 13px; text-decoration: none } .pages img { margin-bottom: 4px }
"""


def index_page(summary: Summary, folder: Path) -> str:
    """A page of HTML that shows the annotated pages and links everything that was written."""
    (document,) = summary.documents
    files = [path.relative_to(folder) for path in document.files]
    folders = Counter(path.parts[0] for path in files if len(path.parts) > 1)
    folders.update(overlays=document.done, crops=sum(document.labels.values()))
    found = ", ".join(f"{count} × {html.escape(label)}" for label, count in document.labels.most_common())
    said = f"{document.done} of {document.total} pages annotated with {summary.model} in {document.seconds:.1f} s"
    single = "".join(f"<li>{_link(path.name, html.escape(path.name))}</li>" for path in files if len(path.parts) == 1)
    many = "".join(f"<li>{_link(f'{name}/', f'{name}/')} · {count} files</li>" for name, count in folders.items())
    overlays = sorted((folder / "overlays").glob("*.png"))
    pages = "".join(_link(f"overlays/{path.name}", _thumbnail(f"overlays/{path.name}", path.stem)) for path in overlays)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(document.title)} · Limner</title><style>{_STYLE}</style>
<h1>{html.escape(document.title)}</h1>
<p>{html.escape(said)}: {found}.</p>
<div class="pages">{pages}</div>
<h2>Files</h2><ul>{single}</ul>
<h2>Folders, one file a page</h2><ul>{many}</ul>
</html>
"""


def _thumbnail(source: str, caption: str) -> str:
    return f'<img src="{html.escape(source)}" alt="" loading="lazy">{html.escape(caption)}'


def _link(target: str, content: str) -> str:
    return f'<a href="{html.escape(target)}">{content}</a>'
