"""The APIs of other systems, one file each: translation only. What they do is in `limner.operations`.

To add one, write ``NAME.py`` beside this file with

    router = APIRouter(tags=["NAME"])      # all routes on this router itself, with their whole paths
    API = ForeignAPI(router=router)        # tokenless=True where its clients can send no token

(`limner.server.foreign`), then import it here and put it into `COMPAT` under the name that
`limner.core.settings.ForeignName` lists. The middleware asks for a token at every path of the router: as
``Bearer``, ``X-API-Key`` or the password of HTTP Basic. The routes take `AnnotatorDep` as those of v1 do.
"""

from __future__ import annotations

from limner.server.compat import aikon, detectron2, easyocr, extractor, labelstudio, maskrcnn
from limner.server.foreign import ForeignAPI

#: The systems by the names that the settings know them under.
COMPAT: dict[str, ForeignAPI] = {
    "extractor": extractor.API,
    "aikon": aikon.API,
    "easyocr": easyocr.API,
    "maskrcnn": maskrcnn.API,
    "detectron2": detectron2.API,
    "labelstudio": labelstudio.API,
}
