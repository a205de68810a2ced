"""One image for the client of another system, who waits for the answer."""

from __future__ import annotations

from limner.models.bundle import Bundle
from limner.models.protocol import Options
from limner.operations.candidates import ImageInput
from limner.operations.instant import InstantPage, InstantResult, annotate_now
from limner.operations.services import Services


async def annotate_image(
    image: ImageInput,
    bundle: Bundle,
    options: Options,
    services: Services,
    *,
    workspace_id: str,
    picture_side: int | None = 0,
    experiment: str | None = None,
) -> InstantResult:
    """What a model finds on an image, noted as the same request to our own API is; see `annotate_now`.

    ``experiment``: the one of MLflow that the times are kept in, where the other system had its own.
    """
    result = await annotate_now(
        [image], bundle.ref, options, services, workspace_id=workspace_id, picture_side=picture_side
    )
    for page in result.pages:
        services.answered(result.bundle, page.seconds, experiment)
    return result


def first_page(result: InstantResult) -> InstantPage:
    """The first page, where a file may have several and one is wanted; raises what went wrong with it."""
    page = result.pages[0]
    if page.error is not None:
        raise page.error
    return page
