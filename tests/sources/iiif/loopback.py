"""A small IIIF server on loopback, over a folder of images: what the tests of the reader talk to.

It speaks Presentation 2 and 3 and Image API 1.1, 2 and 3 at any level, counts what it is asked for,
waits before it answers if told to, and gives canned answers (errors, HTML, redirects) on demand.

    with IIIFServer(folder, level=1) as server:
        ... server.manifest_url(3) ...
        assert server.sizes == {"640,": 3}
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

from PIL import Image

from tests.sources.iiif.image_server import CONTEXTS, Ability, BadRequestError, region_box, render

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Canned:
    """An answer given instead of the real one."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class IIIFServer:
    """The server; see the module's docstring. Images are served in the order of their names."""

    def __init__(
        self,
        folder: Path,
        *,
        api: int = 3,
        level: int = 2,
        max_width: int | None = None,
        listed: Sequence[int] = (),
        latency: float = 0.0,
        services: bool = True,
        embed_size: bool = False,
        declared: Callable[[str, int, int], tuple[int, int]] = lambda _, w, h: (w, h),
        reverse: bool = False,
    ) -> None:
        self.ability = Ability(api, level, max_width, tuple(listed))
        self.latency = latency
        #: Whether manifests name image services; otherwise the images are plain files.
        self.services = services
        #: Whether the services in manifests carry width, height and sizes.
        self.embed_size = embed_size
        #: What the manifest says the size of an image is.
        self.declared = declared
        paths = sorted((p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES), reverse=reverse)
        self.images = {path.stem: path for path in paths}
        self._known: dict[str, tuple[int, int]] = {}
        #: Paths asked for, in order.
        self.log: list[str] = []
        #: How often each size was asked for.
        self.sizes: Counter[str] = Counter()
        #: Manifests and other JSON to serve besides, by path.
        self.documents: dict[str, Any] = {}
        self._canned: list[tuple[str, Canned, int]] = []
        self._held, self._go = "", threading.Event()
        self._lock = threading.Lock()
        self._active = 0
        #: Most requests that were in work at one time.
        self.busiest = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)

    # Addresses

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def manifest_url(self, version: int = 3) -> str:
        return f"{self.url}/presentation/{version}/pages/manifest.json"

    def collection_url(self, version: int = 3) -> str:
        return f"{self.url}/presentation/{version}/collection.json"

    def service_url(self, name: str) -> str:
        return f"{self.url}/image/{self.ability.api}/{quote(name, safe='')}"

    def info_url(self, name: str) -> str:
        return f"{self.service_url(name)}/info.json"

    def file_url(self, name: str) -> str:
        return f"{self.url}/files/{quote(self.images[name].name)}"

    # Documents

    def size_of(self, name: str) -> tuple[int, int]:
        if name not in self._known:
            with Image.open(self.images[name]) as image:
                self._known[name] = image.size
        return self._known[name]

    def info(self, name: str) -> dict[str, Any]:
        width, height = self.size_of(name)
        key, kind = ("id", {"type": "ImageService3"}) if self.ability.api == 3 else ("@id", {})
        info: dict[str, Any] = {
            "@context": CONTEXTS[self.ability.api],
            key: self.service_url(name),
            **kind,
            **({"protocol": "http://iiif.io/api/image"} if self.ability.api > 1 else {}),
            "width": width,
            "height": height,
            "profile": self.ability.profile(),
        }
        if self.ability.listed:
            info["sizes"] = [{"width": w, "height": h} for w, h in self.ability.listed_sizes(width, height)]
        if self.ability.api == 3 and self.ability.max_width:
            info["maxWidth"] = self.ability.max_width
        return info

    def service(self, name: str) -> dict[str, Any]:
        """The service as a manifest has it; its limits stand in the ``info.json`` alone."""
        info = self.info(name)
        if isinstance(info["profile"], list):
            info["profile"] = info["profile"][0]
        if self.ability.api < 3:
            info["@type"] = f"ImageService{self.ability.api}"
        keys = {"@context", "id", "@id", "type", "@type", "profile"}
        return {key: value for key, value in info.items() if self.embed_size or key in keys}

    def resource(self, name: str, version: int) -> dict[str, Any]:
        """The image as a manifest has it."""
        width, height = self.declared(name, *self.size_of(name))
        word = "max" if self.ability.api == 3 else "full"
        image = f"{self.service_url(name)}/full/{word}/0/{self.ability.quality}.jpg"
        key, kind = ("id", "type") if version == 3 else ("@id", "@type")
        body: dict[str, Any] = {
            key: image if self.services else self.file_url(name),
            kind: "Image" if version == 3 else "dctypes:Image",
        }
        if width and height:
            body |= {"width": width, "height": height}
        if self.services:
            body["service"] = [self.service(name)] if version == 3 else self.service(name)
        return body

    def manifest(self, version: int = 3) -> dict[str, Any]:
        return self._manifest3() if version == 3 else self._manifest2()

    def _manifest3(self) -> dict[str, Any]:
        base = self.manifest_url(3).removesuffix("/manifest.json")
        canvases = []
        for n, name in enumerate(self.images, start=1):
            width, height = self.size_of(name)
            canvas = f"{base}/canvas/{n}"
            painting = {
                "id": f"{canvas}/painting",
                "type": "Annotation",
                "motivation": "painting",
                "body": self.resource(name, 3),
                "target": canvas,
            }
            page = {"id": f"{canvas}/page", "type": "AnnotationPage", "items": [painting]}
            canvases.append(
                {"id": canvas, "type": "Canvas", "label": {"none": [name]}, "width": width, "height": height}
                | {"items": [page]}
            )
        return {
            "@context": "http://iiif.io/api/presentation/3/context.json",
            "id": self.manifest_url(3),
            "type": "Manifest",
            "label": {"en": ["Loopback pages"]},
            "rights": "http://creativecommons.org/publicdomain/mark/1.0/",
            "items": canvases,
        }

    def _manifest2(self) -> dict[str, Any]:
        base = self.manifest_url(2).removesuffix("/manifest.json")
        canvases = []
        for n, name in enumerate(self.images, start=1):
            width, height = self.size_of(name)
            canvas = f"{base}/canvas/{n}"
            painting = {
                "@type": "oa:Annotation",
                "motivation": "sc:painting",
                "resource": self.resource(name, 2),
                "on": canvas,
            }
            canvases.append(
                {"@id": canvas, "@type": "sc:Canvas", "label": name, "width": width, "height": height}
                | {"images": [painting]}
            )
        return {
            "@context": "http://iiif.io/api/presentation/2/context.json",
            "@id": self.manifest_url(2),
            "@type": "sc:Manifest",
            "label": "Loopback pages",
            "license": "http://creativecommons.org/publicdomain/mark/1.0/",
            "sequences": [{"@type": "sc:Sequence", "canvases": canvases}],
        }

    def collection(self, version: int = 3) -> dict[str, Any]:
        member = self.manifest_url(version)
        if version == 3:
            return {
                "@context": "http://iiif.io/api/presentation/3/context.json",
                "id": self.collection_url(3),
                "type": "Collection",
                "label": {"en": ["Loopback collection"]},
                "items": [{"id": member, "type": "Manifest", "label": {"en": ["Loopback pages"]}}],
            }
        return {
            "@context": "http://iiif.io/api/presentation/2/context.json",
            "@id": self.collection_url(2),
            "@type": "sc:Collection",
            "label": "Loopback collection",
            "manifests": [{"@id": member, "@type": "sc:Manifest", "label": "Loopback pages"}],
        }

    # Answers

    def answer(self, part: str, canned: Canned, times: int = 1) -> None:
        """Give a canned answer to the next requests whose path contains some text."""
        with self._lock:
            self._canned.append((part, canned, times))

    def hold(self, part: str) -> None:
        """Let requests wait whose path contains some text, until `release` is called."""
        self._held = part

    def release(self) -> None:
        """Answer what was held."""
        self._go.set()

    def reply(self, path: str) -> Canned:
        """The answer to a path, after the wait."""
        with self._lock:
            self.log.append(path)
            self._active += 1
            self.busiest = max(self.busiest, self._active)
        try:
            if self.latency:
                time.sleep(self.latency)
            if self._held and self._held in path:
                self._go.wait(120)
            return self._take_canned(path) or self._route(path)
        except BadRequestError as error:
            return Canned(400, str(error).encode(), {"Content-Type": "text/plain"})
        except (KeyError, ValueError) as error:
            return Canned(404, f"No such thing: {error}".encode(), {"Content-Type": "text/plain"})
        finally:
            with self._lock:
                self._active -= 1

    def _take_canned(self, path: str) -> Canned | None:
        with self._lock:
            for place, (part, canned, times) in enumerate(self._canned):
                if part in path:
                    self._canned[place : place + 1] = [(part, canned, times - 1)] if times > 1 else []
                    return canned
        return None

    def _route(self, path: str) -> Canned:
        if path in self.documents:
            return _json(self.documents[path])
        parts = [unquote(part) for part in path.partition("?")[0].strip("/").split("/")]
        match parts:
            case ["presentation", version, "pages", "manifest.json"]:
                return _json(self.manifest(int(version)))
            case ["presentation", version, "collection.json"]:
                return _json(self.collection(int(version)))
            case ["files", name]:
                path_of = next(p for p in [*self.images.values(), None] if p is None or p.name == name)
                if path_of is None:
                    raise KeyError(name)
                return Canned(
                    200, path_of.read_bytes(), {"Content-Type": f"image/{path_of.suffix[1:].replace('jpg', 'jpeg')}"}
                )
            case ["image", _, name, "info.json"]:
                return _json(self.info(name))
            case ["image", _, name, region, size, rotation, quality]:
                with self._lock:
                    self.sizes[size] += 1
                return self._image(name, region, size, rotation, quality)
        raise KeyError(path)

    def _image(self, name: str, region: str, size: str, rotation: str, quality: str) -> Canned:
        if rotation != "0" or quality not in {f"{self.ability.quality}.jpg", "color.jpg"}:
            raise BadRequestError(f"{rotation}/{quality} is not supported.")
        whole = self.size_of(name)
        box = region_box(region, whole)
        if box != (0, 0, *whole) and self.ability.level == 0:
            raise BadRequestError("Regions need level 1.")
        part = (box[2] - box[0], box[3] - box[1])
        return Canned(
            200,
            render(self.images[name], box, self.ability.sized(size, part, part == whole)),
            {"Content-Type": "image/jpeg"},
        )


#: Starts a server with the options of `IIIFServer`.
MakeServer = Callable[..., IIIFServer]


def _json(value: Any) -> Canned:
    return Canned(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _handler(server: IIIFServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            canned = server.reply(self.path)
            self.send_response(canned.status)
            headers = {"Content-Length": str(len(canned.body))} | canned.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(canned.body)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
