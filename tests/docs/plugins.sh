#!/bin/sh
# docs/plugins.md is what this binary prints.
"$1" --docs | diff -u docs/plugins.md - && exit 0
echo "docs/plugins.md is stale: run '$1 --docs > docs/plugins.md' and look at the difference" >&2
exit 1
