from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from limner.storage.columns import Packed, Utc, iso, now
from limner.storage.database import Database

_TABLE = sa.Table(
    "samples",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Utc),
    sa.Column("v", Packed),
)


@pytest.fixture
def samples(database: Database) -> Iterator[Database]:
    with database.write() as c:
        _TABLE.create(c)
    yield database
    with database.write() as c:
        _TABLE.drop(c)


def _there_and_back(database: Database, **values: object) -> sa.Row[object]:
    with database.write() as c:
        c.execute(_TABLE.delete())
        c.execute(_TABLE.insert(), {"id": 1, **values})
    with database.read() as c:
        return c.execute(sa.select(_TABLE)).one()


def test_a_moment_comes_back_as_the_same_moment_in_utc(samples: Database) -> None:
    paris = datetime(2026, 7, 1, 14, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    found = _there_and_back(samples, at=paris).at
    assert found == paris
    assert found.tzinfo == UTC


def test_moments_are_compared_as_moments(samples: Database) -> None:
    at = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    _there_and_back(samples, at=at)
    later = (at + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=-8)))
    with samples.read() as c:
        assert c.execute(sa.select(_TABLE).where(_TABLE.c.at < later)).one()
        assert c.execute(sa.select(_TABLE).where(_TABLE.c.at > later)).first() is None


def test_a_moment_without_a_zone_is_refused(samples: Database) -> None:
    with pytest.raises(sa.exc.StatementError, match="needs a zone"):
        _there_and_back(samples, at=datetime(2026, 7, 1))  # noqa: DTZ001


def test_a_value_comes_back_and_nothing_stays_nothing(samples: Database) -> None:
    value = {"text": "Voilà ☞ 𝔄", "boxes": [[1, 2.5, None, True]], "deep": {"": []}}
    assert _there_and_back(samples, v=value).v == value
    row = _there_and_back(samples)
    assert (row.at, row.v) == (None, None)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4)))
def test_packing_loses_nothing(value: object) -> None:
    column = Packed()
    packed = column.process_bind_param({"value": value}, None)
    assert column.process_result_value(packed, None) == {"value": value}


def test_annotations_become_much_smaller() -> None:
    annotations = [{"label": "illustration", "box": [n, n, 200.5, 300.25], "score": 0.91} for n in range(50)]
    assert len(Packed().process_bind_param(annotations, None)) < 1000


def test_iso() -> None:
    assert iso(None) is None
    assert datetime.fromisoformat(iso(moment := now())) == moment
