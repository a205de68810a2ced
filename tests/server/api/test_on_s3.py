"""A server whose blobs are on S3: documents, jobs, results, and nothing left when they are deleted."""

from __future__ import annotations

import io
import zipfile

from limner.storage.blobs import Blobs
from tests.server.api.work import LINE, PAGE, ended, files, made
from tests.server.conftest import MakeClient
from tests.server.running import state_of, token_for, with_token
from tests.sources.image_files import tiff_pages


def test_documents_and_jobs_on_s3_from_their_uploads_to_their_end(make_client: MakeClient, s3_storage: str) -> None:
    anonymous = make_client(workers=1, storage_url=s3_storage)
    client = with_token(anonymous, token_for(anonymous, "annotate"))
    assert state_of(client).blobs.local is None
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inside.png", PAGE)
    sent = [*files("a.png"), ("file", ("more.zip", packed.getvalue())), ("file", ("scan.tif", tiff_pages((40, 30))))]
    document = client.post("/v1/documents", files=sent).json()
    assert (document["pages"], document["skipped"]) == (3, [])
    image = client.get(f"{document['links']['pages']}/0/image")
    assert (image.content, image.headers["content-length"]) == (PAGE, str(len(PAGE)))

    over_document = ended(client, made(client, document=document["id"], pages="1-2"))
    uploads = ended(client, client.post("/v1/jobs", files=sent[:2]).json())
    for job in (over_document, uploads):
        assert (job["status"], job["pages"]["done"]) == ("succeeded", 2), job
    lines = client.get(over_document["links"]["results"], params={"format": "extractor"}).text.splitlines()
    assert lines[1::2] == [LINE, LINE]
    assert client.get(uploads["links"]["results"], params={"format": "coco"}).content[:2] == b"PK"

    kept = Blobs(s3_storage)
    assert {key.partition("/")[0] for prefix in ("documents", "jobs", "inbox") for key in kept.keys(prefix)} == {
        "documents",
        "jobs",
    }
    for url in (over_document["links"]["self"], uploads["links"]["self"], document["links"]["self"]):
        assert client.delete(url).status_code == 204
    assert [key for prefix in ("documents", "jobs", "inbox") for key in kept.keys(prefix)] == []
    here = [path for path in (state_of(client).settings.data / "blobs").rglob("*") if path.is_file()]
    assert here == []
