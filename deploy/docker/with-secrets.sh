#!/bin/sh
# Runs a command with what the builder lends to a step and no layer keeps: certificates (PEM), an .npmrc, a pip.conf.
# Without them, the command runs as it is.
secrets=/run/secrets
if [ -s "$secrets/certificates" ]; then
  export NODE_EXTRA_CA_CERTS="$secrets/certificates" PIP_CERT="$secrets/certificates"
fi
if [ -s "$secrets/npmrc" ]; then export npm_config_userconfig="$secrets/npmrc"; fi
if [ -s "$secrets/pip" ]; then export PIP_CONFIG_FILE="$secrets/pip"; fi
exec "$@"
