"""What Label Studio's backend does: set a project up, and predict for its tasks within the time that it waits."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from limner.annotations.annotation import Json
from limner.core.errors import (
    AddressRefusedError,
    LimnerError,
    ModelError,
    ModelNotFoundError,
    SourceError,
    TooManyRequestsError,
    UsageError,
)
from limner.models.bundle import Bundle, Task
from limner.models.protocol import Options
from limner.operations.candidates import ImageInput
from limner.operations.foreign.choice import model_for
from limner.operations.foreign.labelstudio.config import LabelConfig, parse_config
from limner.operations.foreign.labelstudio.later import Flight, Later
from limner.operations.foreign.labelstudio.projects import Project, Projects
from limner.operations.foreign.labelstudio.results import Prediction, prediction
from limner.operations.foreign.once import annotate_image, first_page
from limner.operations.services import Services
from limner.sources.net.request import Kind
from limner.sources.urls import is_address
from limner.storage.database import Database
