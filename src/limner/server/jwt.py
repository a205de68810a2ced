"""JWTs of an identity provider, for apps that have one.

A JWT names the workspace (its name or id) in the claim ``workspace`` and what is allowed in ``scope``
(words separated by spaces, or a list). It must expire, and name the audience, and the issuer where one
is set. Which algorithm is believed depends on the key alone, never on what the JWT says of itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
from jwt.types import Options

from limner.core.errors import SettingsError
from limner.core.settings import Settings
from limner.server.auth import Caller
from limner.storage.database import Database
from limner.storage.tokens import SCOPES
from limner.storage.workspaces import Workspaces

logger = logging.getLogger(__name__)

#: Seconds that two clocks may be apart.
_LEEWAY = 30
#: Seconds that the provider's keys are used before they are fetched again …
_KEYS_LAST = 600.0
#: … and the least between two fetches, whatever key somebody names.
_KEYS_REST = 30.0
_MOST_BYTES = 1_000_000
#: What the two kinds of keys sign with.
_SHARED, _PUBLIC = "HS256", "RS256"


class Jwks:
    """The keys that an identity provider publishes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")

    def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id; fetches the keys where they are old, or do not have it yet."""
        with self._lock:
            age = time.monotonic() - self._fetched
            if age > _KEYS_LAST or (key_id not in self._keys and age > _KEYS_REST):
                self._fetch()
            return self._keys.get(key_id)

    def _fetch(self) -> None:
        """Fetch the keys; where that does not work, those of before are kept."""
        self._fetched = time.monotonic()
        try:
            # The operator has named this address, so it may well lie in a private network.
            with httpx.stream("GET", self._url, timeout=5.0) as answer:
                answer.raise_for_status()
                found = jwt.PyJWKSet.from_json(_limited(answer).decode())
        except (httpx.HTTPError, jwt.PyJWTError, ValueError) as error:
            logger.warning("The keys at %s cannot be used: %s", self._url, error)
            return
        self._keys = {key.key_id: key for key in found.keys if key.key_id and key.algorithm_name == _PUBLIC}


def _limited(answer: httpx.Response) -> bytes:
    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
    return body


class Jwts:
    """Callers who show a JWT."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._workspaces = Workspaces(database)
        self._secret = settings.jwt_secret.get_secret_value()
        if self._secret and len(self._secret) < 32:
            raise SettingsError("LIMNER_JWT_SECRET needs at least 32 characters.", hint="A shorter one can be guessed.")
        self._public = _checked(settings.jwt_public_key.replace("\\n", "\n"))
        self._jwks = Jwks(settings.jwt_jwks_url) if settings.jwt_jwks_url else None

    def caller(self, text: str) -> Caller | None:
        """The caller behind a JWT; None for one that is not to be believed, whatever is wrong with it."""
        try:
            claims = self._claims(text)
        except (jwt.PyJWTError, ValueError) as error:
            # The log of the operator may know; what was wrong helps only those who guess.
            logger.info("A JWT was refused: %s", error)
            return None
        workspace = claims.get("workspace")
        found = self._workspace(workspace) if isinstance(workspace, str) else None
        if found is None:
            logger.info("A JWT was refused: there is no such workspace")
            return None
        return Caller(found, None, str(claims.get("sub", "")), _scopes(claims.get("scope")))

    def _claims(self, text: str) -> Mapping[str, Any]:
        header = jwt.get_unverified_header(text)
        key, algorithm = self._key(header)
        options: Options = {"require": ["exp", "aud", *(["iss"] if self._settings.jwt_issuer else [])]}
        claims: Mapping[str, Any] = jwt.decode(
            text,
            key,
            algorithms=[algorithm],
            audience=self._settings.jwt_audience,
            issuer=self._settings.jwt_issuer or None,
            leeway=_LEEWAY,
            options=options,
        )
        return claims

    def _key(self, header: Mapping[str, Any]) -> tuple[str | jwt.PyJWK, str]:
        """The key to check with and its algorithm: the header only chooses among what is set up."""
        if header.get("alg") == _SHARED and self._secret:
            return self._secret, _SHARED
        if header.get("alg") == _PUBLIC and self._jwks and (key := self._jwks.key(str(header.get("kid", "")))):
            return key, _PUBLIC
        if header.get("alg") == _PUBLIC and self._public:
            return self._public, _PUBLIC
        raise jwt.InvalidKeyError("no key is set up for it")

    def _workspace(self, name: str) -> str | None:
        """The id of the workspace with that name or id."""
        named = self._workspaces.named(name)
        if named is not None:
            return named.id
        return next((each.id for each in self._workspaces.list() if each.id == name), None)


def _checked(pem: str) -> str:
    """The key, if it is one; raises `SettingsError`."""
    try:
        if pem:
            jwt.get_algorithm_by_name(_PUBLIC).prepare_key(pem)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise SettingsError("LIMNER_JWT_PUBLIC_KEY is no public key in PEM form.") from error
    return pem


def _scopes(claim: object) -> frozenset[Any]:
    """The scopes of ours among those in a claim."""
    words = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return frozenset(scope for scope in SCOPES if scope in words)
