"""What requests for evaluations and the answers to them hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from limner.operations.evaluation.desk import EvaluationRequest, EvaluationState
from limner.server.api.job_fields import CountsAnswer, FailureAnswer
from limner.server.values import ShortText
from limner.storage.jobs import Status
from limner.training.datasets.dataset import Split

_ID = "7d9a1c3e5b2f4860a1c8e2d4b6f80123"
_URL = f"https://limner.example.org/v1/evaluations/{_ID}"
_EXAMPLE: JsonDict = {
    "id": _ID,
    "status": "succeeded",
    "pages": {"total": 80, "done": 80, "failed": 0},
    "model": "mine@3",
    "compare": "page-elements@2",
    "dataset": "chronicles@3",
    "split": "test",
    "threshold": None,
    "created_at": "2026-11-20T09:00:00+00:00",
    "started_at": "2026-11-20T09:00:01+00:00",
    "finished_at": "2026-11-20T09:01:40+00:00",
    "error": None,
    "figures": {"model": "mine@3", "pages": 40, "map": 0.512, "map50": 0.811, "map50_interval": [0.762, 0.853]},
    "files": ["01-found.jpg", "01-there.jpg", "labels.csv", "report.html", "report.json"],
    "links": {"self": _URL, "report": f"{_URL}/report", "job": f"https://limner.example.org/v1/jobs/{_ID}"},
}

ModelName = Annotated[ShortText, Field(min_length=1)]


class NewEvaluationFields(BaseModel):
    """An evaluation that somebody wants."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"model": "mine", "dataset": "chronicles", "compare": "page-elements"}},
    )

    model: ModelName = Field(description="Name, `name@version` or alias.")
    dataset: ModelName = Field(description="Name (its newest version) or `name@version`.")
    compare: ModelName | None = Field(default=None, description="Another model, to be measured on the same pages.")
    split: Split | None = Field(default=None, description="Which pages. [default: `test`, else `val`]")
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="Least score of finds that count; the model's own by default."
    )

    def wanted(self) -> EvaluationRequest:
        """The request."""
        return EvaluationRequest(**self.model_dump())


class EvaluationAnswer(BaseModel):
    """An evaluation as it stands."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: str = Field(description="That of its job, too.")
    status: Status
    pages: CountsAnswer = Field(description="Pages looked at, those of both models counted.")
    model: str
    compare: str | None
    dataset: str
    split: Split
    threshold: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: FailureAnswer | None
    figures: dict[str, Any] | None = Field(description="As in `report.json`; null until it is finished.")
    files: list[str] = Field(description="Files of the report.")
    links: dict[str, str]

    @classmethod
    def of(cls, state: EvaluationState, base: str) -> EvaluationAnswer:
        """As the API shows it."""
        job, payload = state.job, state.job.payload
        own = f"{base}/v1/evaluations/{job.id}"
        model, *other = payload["models"]
        asked = {name: payload[name] for name in ("dataset", "split", "threshold")}
        links = {"self": own, "report": f"{own}/report", "job": f"{base}/v1/jobs/{job.id}"}
        return cls.model_validate(
            {
                **job.plain(),
                **asked,
                "model": model,
                "compare": other[0] if other else None,
                "figures": state.figures,
                "files": state.files,
                "links": links,
            }
        )
