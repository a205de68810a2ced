"""What tests in several folders share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import mlflow_server as mlflow
from tests import postgres, s3

# In CI the same examples each time: what changed is then the code. Elsewhere new ones are tried.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a private PostgreSQL server."""
    with postgres.cluster() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of a fresh, empty database on PostgreSQL."""
    with postgres.database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a fresh, empty database: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'limner.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of a private S3."""
    with s3.server() as address:
        yield address


@pytest.fixture
def s3_storage(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty place on S3, to which the environment of this process leads."""
    for name, value in s3.environment(s3_server).items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.bucket(s3_server)}/limner"


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mlflow.MLflow]:
    """A private MLflow server, which takes seconds to start: one for all tests."""
    with mlflow.running(tmp_path_factory.mktemp("mlflow")) as server:
        yield server
