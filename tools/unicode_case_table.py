#!/usr/bin/env python3
"""Writes parsers/text/unicode_case_table.def from Python's Unicode data: run it from the repository
root after `python3 -V` moved to a newer Unicode, and commit the result.

Characters whose mapping is one character become ranges (from, to, step, delta); the few that
expand (German sharp s, ligatures) are listed one by one.
"""
import sys
import unicodedata

def mappings(method):
    single, multi = [], []
    for cp in range(0x80, 0x110000):
        if 0xD800 <= cp < 0xE000:
            continue
        to = getattr(chr(cp), method)()
        # The title table only lists what differs from the upper one, identities included.
        if to == (chr(cp).upper() if method == "title" else chr(cp)):
            continue
        if len(to) == 1:
            single.append((cp, ord(to) - cp))
        else:
            multi.append((cp, [ord(c) for c in to]))
    return single, multi

def ranges(single):
    out, i = [], 0
    while i < len(single):
        cp, delta = single[i]
        j, step = i + 1, 1
        if j < len(single) and single[j][1] == delta and single[j][0] - cp in (1, 2):
            step = single[j][0] - cp
            while j < len(single) and single[j] == (single[j - 1][0] + step, delta):
                j += 1
        out.append((cp, single[j - 1][0], step, delta))
        i = j
    return out

def emit(out, name, method):
    single, multi = mappings(method)
    out.append(f"static const struct case_range {name}_ranges[] = {{")
    row = []
    for from_, to, step, delta in ranges(single):
        row.append(f"{{0x{from_:x}, 0x{to:x}, {step}, {delta}}},")
    for i in range(0, len(row), 3):
        out.append("    " + " ".join(row[i:i + 3]))
    out.append("};")
    out.append(f"static const struct case_special {name}_specials[] = {{")
    row = []
    for cp, to in multi:
        cells = ", ".join(f"0x{c:x}" for c in to + [0] * (3 - len(to)))
        row.append(f"{{0x{cp:x}, {{{cells}}}}},")
    for i in range(0, len(row), 2):
        out.append("    " + " ".join(row[i:i + 2]))
    out.append("};")

def main():
    out = ["/* unicode_case_table.def - made by tools/unicode_case_table.py from Unicode "
           f"{unicodedata.unidata_version}; do not edit. */",
           "/* clang-format off */"]
    for name, method in (("upper", "upper"), ("lower", "lower"), ("title", "title")):
        emit(out, name, method)
    out.append("/* clang-format on */")
    with open("parsers/text/unicode_case_table.def", "w", encoding="ascii") as f:
        f.write("\n".join(out) + "\n")
    return 0

if __name__ == "__main__":
    sys.exit(main())
