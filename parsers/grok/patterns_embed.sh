#!/bin/sh
# patterns_embed.sh OUT LEGACY_DIR ECS_DIR: writes the grok pattern libraries as a C file.
#
# Each directory holds files of lines "NAME regex"; blank lines and lines starting with # are
# skipped. The tables come out sorted by name, as parsers/grok/patterns.c searches them; a name
# defined twice in one library or a name without a regex stops the build.
set -eu
LC_ALL=C
export LC_ALL

table() {
    cat "$2"/* | awk '/^#/ || NF == 0 { next } { print }' | sort -k1,1 | awk -v table="$1" '
        BEGIN { printf "const struct grok_pattern %s[] = {\n", table }
        {
            name = $1
            text = substr($0, length(name) + 2)
            sub(/^[ \t]+/, "", text)
            if (text == "" || name !~ /^[A-Z][A-Z0-9_]*$/ || name == last) {
                printf "patterns_embed: bad or double definition of %s\n", name > "/dev/stderr"
                failed = 1
                exit
            }
            last = name
            gsub(/\\/, "&&", text)
            gsub(/["?]/, "\\\\&", text) # ? against trigraphs
            printf "    {\"%s\", \"%s\"},\n", name, text
            n++
        }
        END {
            if (failed) exit 1
            printf "};\nconst uint32_t %s_n = %d;\n\n", table, n
        }'
}

{
    printf '/* Made by parsers/grok/patterns_embed.sh from conf/patterns; not edited. */\n'
    printf '#include "parsers/grok/patterns.h"\n\n'
    table grok_patterns_legacy "$2"
    table grok_patterns_ecs_v1 "$3"
} >"$1.new"
mv "$1.new" "$1"
