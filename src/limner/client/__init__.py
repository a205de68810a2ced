"""The Python client: `Client` for ordinary code, `AsyncClient` for asyncio; typed, with the same methods."""

from limner.client.asynchronous import AsyncClient
from limner.client.blocking import Client
from limner.client.call import Upload
from limner.client.errors import ApiError, ServerUnreachableError
from limner.client.values import (
    Change,
    Dataset,
    DatasetPage,
    Document,
    DocumentPage,
    Estimate,
    Failure,
    Job,
    JobDocument,
    JobEvent,
    JobPage,
    Model,
    NewToken,
    PageAnnotations,
    PageCounts,
    Queue,
    Route,
    Skipped,
    Token,
    Webhook,
    Workspace,
)

__all__ = [
    "ApiError",
    "AsyncClient",
    "Change",
    "Client",
    "Dataset",
    "DatasetPage",
    "Document",
    "DocumentPage",
    "Estimate",
    "Failure",
    "Job",
    "JobDocument",
    "JobEvent",
    "JobPage",
    "Model",
    "NewToken",
    "PageAnnotations",
    "PageCounts",
    "Queue",
    "Route",
    "ServerUnreachableError",
    "Skipped",
    "Token",
    "Upload",
    "Webhook",
    "Workspace",
]
