"""Write the parts of the reference that come from the code, or check that they are current.

python docs/generate.py          writes docs/reference/cli.md and settings.md
python docs/generate.py --check  exits 1 where a file differs from what would be written
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["COLUMNS"] = os.environ["TERMINAL_WIDTH"] = "100"
REFERENCE = Path(__file__).parent / "reference"


def cli_page() -> str:
    """The help of every command, in the order of ``limner --help``."""
    import typer
    from typer.testing import CliRunner

    from limner.cli.main import app

    runner = CliRunner()
    parts = ["# The command line\n\nMade from the commands' own help; exit codes are named there.\n"]

    def add(path: list[str], command: object) -> None:
        text = runner.invoke(app, [*path, "--help"], prog_name="limner").output
        title = " ".join(["limner", *path])
        parts.append(f"{'#' * (len(path) + 2)} `{title}`\n\n```text\n{text.strip()}\n```\n")
        for name, child in getattr(command, "commands", {}).items():
            add([*path, name], child)

    add([], typer.main.get_command(app))
    return "\n".join(line.rstrip() for line in "\n".join(parts).splitlines()) + "\n"


def settings_page() -> str:
    """Every setting with its variable, type, default and use."""
    from limner.core.settings import Settings

    lines = [
        "# Settings\n",
        "Each may stand in the environment, or in `limner.toml` in the working folder under the name in lower case",
        "without the prefix. Arguments win over the environment, the environment over the file. An option that",
        "nobody knows is refused.\n",
        "| Variable | Default | What it is for |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        lines.append(f"| `LIMNER_{name.upper()}` | {_default(name, field)} | {field.description} |")
    lines.append("\n`LIMNER_CONFIG` names another file than `limner.toml`.")
    return "\n".join(lines) + "\n"


def _default(name: str, field: object) -> str:
    if name == "data":
        return "the platform's folder for user data"
    value = getattr(field, "default", None)
    if isinstance(value, dict):
        value = ",".join(f"{key}={item}" for key, item in value.items())
    return f"`{value}`" if value not in ((), "", None) else "–"


def main() -> int:
    """Write or check the pages."""
    pages = {"cli.md": cli_page(), "settings.md": settings_page()}
    stale = [name for name, text in pages.items() if _current(name) != text]
    if "--check" not in sys.argv:
        for name in stale:
            (REFERENCE / name).write_text(pages[name], encoding="utf-8")
        return 0
    for name in stale:
        print(f"docs/reference/{name} is not what the code says: run `make docs` and commit it.", file=sys.stderr)
    return 1 if stale else 0


def _current(name: str) -> str:
    path = REFERENCE / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
