#!/bin/sh
# Puts the secrets of an env file into the environment, where one is named and there, and becomes the command.
set -eu
if [ -n "${SECRETS_FILE:-}" ]; then
    set -a
    . "$SECRETS_FILE"
    set +a
fi
exec "$@"
