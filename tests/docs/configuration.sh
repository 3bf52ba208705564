#!/bin/sh
# The tables of docs/configuration.md are what this binary prints: the lines between <!-- NAME --> and
# <!-- end of NAME -->. `configuration.sh BINARY update` puts them in.
set -e
doc=docs/configuration.md
fresh=$(mktemp)
trap 'rm -f "$fresh" "$fresh.table"' EXIT
cp "$doc" "$fresh"
for part in settings lints; do
    "$1" --docs "$part" > "$fresh.table"
    grep -q "^<!-- $part -->$" "$fresh"
    grep -q "^<!-- end of $part -->$" "$fresh"
    awk -v part="$part" -v table="$fresh.table" '
        $0 == "<!-- end of " part " -->" { inside = 0 }
        !inside { print }
        $0 == "<!-- " part " -->" { inside = 1; while ((getline line < table) > 0) print line }
    ' "$fresh" > "$fresh.next"
    mv "$fresh.next" "$fresh"
done
if [ "$2" = update ]; then
    cp "$fresh" "$doc"
    exit 0
fi
diff -u "$doc" "$fresh" && exit 0
echo "$doc is stale: run tests/docs/configuration.sh $1 update and look at the difference" >&2
exit 1
