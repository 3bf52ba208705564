/* proxy_line.c - collecting and cutting one line. */
#include "net/proxy_line.h"

int proxy_line_take(struct proxy_line *line, slice *bytes)
{
    int64_t end = slice_find_byte(*bytes, '\n');
    uint32_t take = end < 0 ? bytes->n : (uint32_t)end + 1;
    if (line->n + take > PROXY_LINE_MAX) return ERR_FRAME;
    if (take > 0) memcpy(line->text + line->n, bytes->p, take);
    line->n += (uint8_t)take;
    *bytes = slice_from(*bytes, take);
    uint32_t look = line->n < 6 ? line->n : 6;
    if (memcmp(line->text, "PROXY ", look) != 0) return ERR_FRAME;
    line->done = end >= 0;
    return line->done;
}

slice proxy_line_part(const struct proxy_line *line, enum proxy_part part)
{
    slice rest = slice_trim(slice_make(line->text, line->n));
    for (int at = (int)part;; at--) {
        int64_t end = slice_find_byte(rest, ' ');
        if (at == 0) return end < 0 ? rest : slice_part(rest, 0, (uint32_t)end);
        if (end < 0) return SLICE_NONE;
        rest = slice_from(rest, (uint32_t)end + 1);
    }
}
