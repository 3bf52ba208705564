#!/bin/sh
# agent_rules_embed.sh OUT YAML: writes the rules as a C file, without comments and blank lines.
set -eu
LC_ALL=C
export LC_ALL
{
    printf '/* Made by engine/plan/agent_rules_embed.sh from conf/useragents.yaml; not edited. */\n'
    printf '#include <stdint.h>\n\n'
    printf 'extern const char agent_rules_text[];\nextern const uint32_t agent_rules_text_n;\n\n'
    printf 'const char agent_rules_text[] =\n'
    awk '/^ *#/ || NF == 0 { next } { gsub(/\\/, "&&"); gsub(/["?]/, "\\\\&"); printf "    \"%s\\n\"\n", $0 }' "$2"
    printf '    ;\nconst uint32_t agent_rules_text_n = sizeof(agent_rules_text) - 1;\n'
} >"$1.new"
mv "$1.new" "$1"
