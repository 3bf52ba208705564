/*
 * expand.c - %{NAME:field:type} into groups, by repeated substitution of the first one.
 *
 * What counts as a reference follows Logstash: name [A-z0-9]+, field [@[]A-z0-9_:.-]+, then an
 * optional =definition, then anything up to a closing brace. `A-z` does include [ \ ] ^ _ `.
 */
#include "parsers/grok/grok.h"

#include "engine/base/assert.h"

struct reference {
    uint32_t end;     /* behind the closing brace */
    slice name;       /* NAME:field:type, the group's name */
    slice pattern;    /* NAME */
    slice definition; /* p == NULL when there is none */
};

static bool is_pattern_char(char c)
{
    return (c >= 'A' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_field_char(char c)
{
    return is_pattern_char(c) || c == '@' || c == ':' || c == '.' || c == '-';
}

/* The definition ends at the brace that closes the reference; inner braces balance. */
static bool take_definition(slice text, uint32_t *at, slice *definition)
{
    uint32_t start = *at, depth = 0, i = start;
    for (; i < text.n; i++) {
        if (text.p[i] == '\\' && i + 1 < text.n) {
            i++;
        } else if (text.p[i] == '{') {
            depth++;
        } else if (text.p[i] == '}') {
            if (depth == 0) break;
            depth--;
        }
    }
    if (i >= text.n || i == start) return false;
    *definition = slice_part(text, start, i - start);
    *at = i;
    return true;
}

/* `at` is behind "%{". */
static bool parse_reference(slice text, uint32_t at, struct reference *ref)
{
    uint32_t start = at;
    *ref = (struct reference){0};
    while (at < text.n && is_pattern_char(text.p[at])) at++;
    if (at == start) return false;
    ref->pattern = slice_part(text, start, at - start);
    if (at + 1 < text.n && text.p[at] == ':' && is_field_char(text.p[at + 1])) {
        at++;
        while (at < text.n && is_field_char(text.p[at])) at++;
    }
    ref->name = slice_part(text, start, at - start);
    if (at < text.n && text.p[at] == '=') {
        uint32_t behind = at + 1;
        if (take_definition(text, &behind, &ref->definition)) at = behind;
    }
    int64_t close = slice_find_byte(slice_from(text, at), '}');
    if (close < 0) return false;
    ref->end = at + (uint32_t)close + 1;
    return true;
}

/* First reference at or after *from; *from becomes where it starts. */
static bool find_reference(slice text, uint32_t *from, struct reference *ref)
{
    for (uint32_t i = *from; i + 1 < text.n; i++) {
        if (text.p[i] != '%' || text.p[i + 1] != '{') continue;
        if (parse_reference(text, i + 2, ref)) return *from = i, true;
    }
    return false;
}

static void substitute(struct buf *text, uint32_t at, const struct reference *ref, slice pattern,
                       bool named_captures_only)
{
    bool capture = !named_captures_only || slice_find_byte(ref->name, ':') >= 0;
    struct buf next = {0};
    buf_add(&next, text->data, at);
    if (capture)
        buf_printf(&next, "(?<%.*s>", SLICE_FMT(ref->name));
    else
        buf_add_cstr(&next, "(?:");
    buf_add_slice(&next, pattern);
    buf_add_byte(&next, ')');
    buf_add(&next, text->data + ref->end, text->n - ref->end);
    buf_fini(text);
    *text = next;
}

static err fail(struct grok_error *error, err e, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static err fail(struct grok_error *error, err e, uint32_t at, const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    error->at = at;
    slice_cstr(buf_slice(&text), error->text, sizeof(error->text));
    buf_fini(&text);
    return e;
}

static err expand_all(struct grok_dict *own, slice pattern, bool named_captures_only,
                      struct buf *text, struct grok_error *error)
{
    struct reference ref;
    uint32_t at = 0;
    for (uint32_t n = 0; find_reference(buf_slice(text), &at, &ref); n++) {
        if (n >= GROK_EXPANSIONS_MAX || text->n > REGEX_PATTERN_BYTES_MAX)
            return fail(error, ERR_LIMIT, 0,
                        "pattern %.200s refers to itself or grows without end (at %%{%.*s})",
                        pattern.n == 0 ? "" : text->data, SLICE_FMT(ref.pattern));
        slice definition;
        if (ref.definition.p != NULL) grok_dict_set(own, ref.pattern, ref.definition);
        if (!grok_dict_get(own, ref.pattern, &definition))
            return fail(error, ERR_MISSING, at, "pattern %.*s not defined", (int)(ref.end - at),
                        text->data + at);
        substitute(text, at, &ref, definition, named_captures_only);
    }
    return ERR_OK;
}

err grok_expand(const struct grok_dict *dict, slice pattern, bool named_captures_only,
                struct buf *out, struct grok_error *error)
{
    /* Definitions made inside the pattern live in a layer of their own. */
    struct grok_dict *own = grok_dict_new(dict);
    struct buf text = {0};
    buf_add_slice(&text, pattern);
    err e = expand_all(own, pattern, named_captures_only, &text, error);
    if (e == ERR_OK) buf_add_slice(out, buf_slice(&text));
    buf_fini(&text);
    grok_dict_free(own);
    return e;
}
