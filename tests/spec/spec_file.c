/* spec_file.c - takes spec files apart; the format stands in spec_runner.c. */
#include "tests/spec/spec.h"

bool line_next(struct reader *at, slice *line)
{
    if (at->rest.n == 0) return false;
    int64_t end = slice_find_byte(at->rest, '\n');
    *line = end < 0 ? at->rest : slice_part(at->rest, 0, (uint32_t)end);
    at->rest = end < 0 ? SLICE_NONE : slice_from(at->rest, (uint32_t)end + 1);
    at->line++;
    return true;
}

static bool has_word(slice text, const char *word)
{
    while (text.n > 0) {
        text = slice_trim(text);
        int64_t end = slice_find_byte(text, ' ');
        slice first = end < 0 ? text : slice_part(text, 0, (uint32_t)end);
        if (slice_equal(first, slice_from_cstr(word))) return true;
        text = end < 0 ? SLICE_NONE : slice_from(text, (uint32_t)end);
    }
    return false;
}

/* What stands after "---" for cases of filters and codecs alike. */
static const char *section_common(struct spec *spec, slice head, struct spec_part **section)
{
    if (slice_starts(head, SLICE("ecs "))) {
        spec->ecs = slice_trim(slice_from(head, 4));
    } else if (has_word(head, "in")) {
        *section = &spec->in;
        spec->lines = has_word(head, "lines");
        if (!spec->lines && !has_word(head, "json")) return "expected `in json` or `in lines`";
    } else if (has_word(head, "out")) {
        *section = &spec->out;
        spec->exact = has_word(head, "exact");
        spec->unordered = has_word(head, "unordered");
    } else if (has_word(head, "error")) {
        *section = &spec->error;
    } else {
        return "expected ecs, in, out, bytes, idle, text or error after ---";
    }
    return NULL;
}

/* What stands after "---"; NULL on success. */
static const char *section_begin(struct spec *spec, slice head, uint32_t line,
                                 struct spec_part **section)
{
    const char *error = NULL;
    head = slice_trim(slice_from(head, 3));
    *section = NULL;
    bool bytes = has_word(head, "bytes"), idle = has_word(head, "idle");
    if ((bytes || idle) && spec->step_n == SPEC_STEPS_MAX) {
        return "too many sections";
    } else if (bytes) {
        spec->stream = spec->stream || has_word(head, "stream");
        spec->open = has_word(head, "open");
        *section = &spec->step[spec->step_n++].bytes;
    } else if (idle) {
        spec->step[spec->step_n++].idle = true;
    } else if (has_word(head, "text")) {
        *section = &spec->text;
    } else {
        error = section_common(spec, head, section);
    }
    if (*section != NULL) {
        (*section)->line = line + 1;
        (*section)->given = true;
    }
    return error;
}

static void grow(slice *text, slice line)
{
    if (text->p == NULL) *text = (slice){line.p, 0};
    text->n = (uint32_t)(line.p + line.n - text->p);
}

bool spec_next(struct runner *r, struct reader *at, const char *file, struct spec *spec)
{
    slice line;
    struct spec_part *section = NULL;
    bool config = true, any = false;
    *spec = (struct spec){.file = file, .ecs = SLICE("disabled")};
    while (line_next(at, &line)) {
        if (slice_starts(line, SLICE("===="))) break;
        if (slice_starts(line, SLICE("---"))) {
            const char *error = section_begin(spec, line, at->line - 1, &section);
            if (error != NULL) fail_at(r, spec, at->line - 1, "%s", error);
            config = false;
        } else if (section != NULL) {
            grow(&section->body, line);
        } else if (config && line.n > 0 && line.p[0] == '#' && spec->config.p == NULL) {
            if (spec->title.p == NULL) spec->title = slice_trim(slice_from(line, 1));
        } else if (config && (spec->config.p != NULL || slice_trim(line).n > 0)) {
            grow(&spec->config, line);
        }
        if (slice_trim(line).n > 0 && !any) {
            any = true;
            spec->line = at->line - 1;
        }
    }
    return any || (at->rest.n > 0 && spec_next(r, at, file, spec));
}

/* ---- bytes ----------------------------------------------------------------------- */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == 0 ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* The escape behind a backslash; returns its length, 0 when it is none. */
static uint32_t escape_add(slice rest, struct buf *out)
{
    static const char names[] = "nrt\\0", bytes[] = "\n\r\t\\";
    if (rest.n == 0) return 0;
    if (rest.p[0] == 'x' && rest.n >= 3) {
        int high = hex_digit(rest.p[1]), low = hex_digit(rest.p[2]);
        if (high < 0 || low < 0) return 0;
        buf_add_byte(out, (char)(high << 4 | low));
        return 3;
    }
    const char *at = memchr(names, rest.p[0], sizeof(names) - 1);
    if (at == NULL) return 0;
    buf_add_byte(out, bytes[at - names]);
    return 1;
}

bool part_bytes(struct runner *r, const struct spec *spec, const struct spec_part *part,
                struct buf *out)
{
    struct reader at = {part->body, part->line};
    slice line;
    while (line_next(&at, &line)) {
        for (uint32_t i = 0; i < line.n; i++) {
            if (line.p[i] != '\\') {
                buf_add_byte(out, line.p[i]);
                continue;
            }
            uint32_t n = escape_add(slice_from(line, i + 1), out);
            if (n == 0) {
                fail_at(r, spec, at.line - 1, "an unknown escape at byte %u", i);
                return false;
            }
            i += n;
        }
    }
    return true;
}
