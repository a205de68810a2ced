"""What augmentation makes of the pages of a dataset, as one sheet of pictures.

``python -m limner.training.preview RUN_FOLDER FILE`` draws it; the run is not begun.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from limner.core.errors import LimnerError
from limner.training.augment.presets import augment_by_name
from limner.training.augment.preview import preview_sheet
from limner.training.config import read_config
from limner.training.fitting.folder import RunFolder
from limner.training.process import prepared

#: Pages on the sheet.
PAGES = 6


def main() -> int:
    """What ``python -m`` calls: exit status 0, or 1 with ``code`` and ``message`` of an error on standard output."""
    folder, path = RunFolder(Path(sys.argv[1])), Path(sys.argv[2])
    try:
        task, _ = prepared(folder, read_config(folder.config))
        preview_sheet(task.train, augment_by_name(task.config.augment), PAGES, 0).save(path)
    except LimnerError as error:
        sys.stdout.write(json.dumps({"code": error.code, "message": str(error)}) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
