"""Make the secrets of a deployment once, into a folder that only its containers see. What is there is kept.

Each value is drawn by the operating system's generator; each service reads its own file.
"""

import json
import secrets
import sys
from pathlib import Path


def files(password: str, access: str, secret: str, webhook: str) -> dict[str, str]:
    """The files by name. Passwords are hexadecimal: nothing of them has to be quoted anywhere."""
    database = f"limner:{password}@database:5432"
    limner = {
        "LIMNER_DATABASE_URL": f"postgresql://{database}/limner",
        "LIMNER_STORAGE_URL": "s3://limner/main",
        "LIMNER_WEBHOOK_SECRET": webhook,
        "AWS_ENDPOINT_URL": "http://storage:8333",
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    identity = {
        "name": "limner",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    return {
        "limner.env": _env(limner),
        "mlflow.env": _env({"MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg://{database}/mlflow"}),
        "database-password": password,
        "storage.json": json.dumps({"identities": [identity]}),
    }


def _env(values: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def main(folder: Path) -> None:
    """Write what is missing as a whole: half a set of secrets would lock everybody out."""
    if (folder / "limner.env").exists():
        print("The secrets are there already.")
        return
    made = files(secrets.token_hex(24), secrets.token_hex(10), secrets.token_hex(24), secrets.token_hex(32))
    # Last, since it says that all are there.
    for name in sorted(made, key=lambda name: name == "limner.env"):
        temporary = folder / f".{name}"
        temporary.write_text(made[name], encoding="ascii")
        # The database and the storage read theirs as users of their own; nobody else has this folder.
        temporary.chmod(0o644)
        temporary.replace(folder / name)
    print(f"The secrets are made, in {folder}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
