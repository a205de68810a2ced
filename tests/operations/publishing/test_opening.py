import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.core.errors import NotFoundError
from limner.core.settings import Settings
from limner.operations.documents.desk import DocumentDesk
from limner.operations.documents.uploads import Upload
from limner.operations.publishing.opening import Publisher
from limner.operations.services import Services
from limner.storage.blobs import Blobs
from limner.storage.database import Database
from limner.storage.shares import Shares
from limner.storage.workspaces import Workspaces
from tests.sources.image_files import encoded, gradient


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    settings = Settings(data=tmp_path)
    database = Database(settings.database)
    database.upgrade()
    with Services(settings) as services:
        yield Publisher(database, Blobs(settings.storage), services)
    database.close()


def _kept(publisher: Publisher, workspace_id: str) -> str:
    desk = DocumentDesk(publisher.database, publisher.blobs, publisher.services.sources, workspace_id)
    upload = Upload("a.png", io.BytesIO(encoded(gradient(), "PNG")))
    return desk.take_in([upload], title="Ms 22", kind=None, author="me").id


def test_a_key_opens_what_was_shared_and_an_id_what_one_owns(publisher: Publisher) -> None:
    mine, other = (Workspaces(publisher.database).ensure(name).id for name in ("mine", "other"))
    document = _kept(publisher, mine)
    assert publisher.own(mine, document).title == "Ms 22"
    with pytest.raises(NotFoundError, match="Nothing is published"):
        publisher.own(other, document)
    assert publisher.shared(document) is None
    share = Shares(publisher.database, mine).ensure("document", document)
    found = publisher.shared(share.key)
    assert found is not None
    assert found.titles() == {0: "Ms 22"}
    Shares(publisher.database, mine).revoke("document", document)
    assert publisher.shared(share.key) is None


@pytest.mark.parametrize("key", ["", "x", "0" * 32, "a\0b" * 10, "x" * 65, "../" * 8, "é" * 32])
def test_what_is_no_key_opens_nothing(publisher: Publisher, key: str) -> None:
    assert publisher.shared(key) is None
    with pytest.raises(NotFoundError):
        publisher.own("w", key)
