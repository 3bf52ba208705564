#!/bin/sh
# ruby_embed.sh OUT FILE...: writes the driver of script processes, all files in order, as C text.
set -eu
out=$1
shift
{
    printf '/* Made by engine/filters/ruby_embed.sh; not edited. */\n'
    printf '#include "engine/filters/ruby_worker.h"\n\nconst char ruby_driver[] =\n'
    cat "$@" | sed -e 's/\\/\\\\/g' -e 's/["?]/\\&/g' -e 's/^/    "/' -e 's/$/\\n"/'
    printf ';\nconst uint32_t ruby_driver_n = sizeof(ruby_driver) - 1;\n'
} >"$out.new"
mv "$out.new" "$out"
