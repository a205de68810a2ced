"""The methods of both clients."""

import inspect
import subprocess
import sys

import pytest

import limner
from limner.client import AsyncClient, Client, surface
from limner.client.surface import Every, One

PARTS = ("jobs", "documents", "datasets", "evaluations", "models", "tokens", "workspaces", "routes")


def _methods(cls: type) -> dict[str, object]:
    return {name: made for base in cls.__mro__ for name, made in vars(base).items() if isinstance(made, One | Every)}


@pytest.fixture
def client() -> Client:
    return Client("http://127.0.0.1:9")


@pytest.mark.parametrize("part", ["", *PARTS])
def test_both_clients_have_the_same_methods_that_say_what_they_do(client: Client, part: str) -> None:
    other = AsyncClient("http://127.0.0.1:9")
    ours, theirs = (getattr(each, part) if part else each for each in (client, other))
    assert {name for name in dir(ours) if not name.startswith("_")} == {
        name for name in dir(theirs) if not name.startswith("_")
    }
    for name in _methods(type(ours)):
        assert getattr(ours, name).__doc__
        assert inspect.signature(getattr(ours, name)) == inspect.signature(getattr(theirs, name))


def test_a_method_has_the_signature_of_its_call(client: Client) -> None:
    assert list(inspect.signature(client.jobs.get).parameters) == ["job"]
    assert inspect.signature(client.jobs.get).return_annotation == "Job"
    assert inspect.signature(client.jobs.list).return_annotation == "Iterator[Job]"
    assert client.jobs.list.__name__ == "list"
    assert isinstance(surface.JobCalls.list, Every)


def test_a_wrong_argument_is_refused_before_anything_is_sent(client: Client) -> None:
    with pytest.raises(TypeError, match="treshold"):
        client.annotate("a.png", treshold=0.5)


def test_limner_itself_has_both_and_loads_them_when_asked() -> None:
    assert (limner.Client, limner.AsyncClient) == (Client, AsyncClient)
    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        _ = limner.Server
    code = "import sys, limner; print(sorted({'httpx', 'numpy', 'limner.client'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
