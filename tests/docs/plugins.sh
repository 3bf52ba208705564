#!/bin/sh
# docs/plugins.md is what tools/docs makes of this binary's tables and the tested configurations.
set -e
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
tools/docs --bin "$1" >"$fresh"
diff -u docs/plugins.md "$fresh" && exit 0
echo "docs/plugins.md is stale: run tools/dev docs and look at the difference" >&2
exit 1
