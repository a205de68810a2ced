"""A private S3 for the tests: moto's server in a process of its own, on loopback, gone when they end."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

#: Writes its address and then serves until its input ends, which it does with the process that started it.
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def server() -> Iterator[str]:
    """A running S3; yields its address."""
    # Without proxies and profiles of this machine: what it serves is asked for on loopback alone.
    command = [sys.executable, "-W", "ignore", "-c", _SERVER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            address = process.stdout.readline().strip()  # type: ignore[union-attr]
            if not address:
                raise RuntimeError("moto's server did not start.")
            yield address
        finally:
            process.kill()


def environment(address: str) -> Mapping[str, str]:
    """The variables that lead to it, for this process or for one that is started."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "limner",
        "AWS_SECRET_ACCESS_KEY": "not a secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def bucket(address: str) -> str:
    """The name of a new, empty bucket."""
    import httpx

    name = f"limner-{uuid.uuid4().hex[:12]}"
    # moto asks for no signature, and so spares us a second client library here.
    httpx.put(f"{address}/{name}", trust_env=False, headers={"Host": "s3.amazonaws.com"}).raise_for_status()
    return name
