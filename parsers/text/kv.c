/*
 * kv.c - the kv filter's scan regex in linear code.
 *
 * Why this is the same language: with V and F the value and field splits, the regex is
 *   ((?:\\.|[^VF])+) *[V] * (?:"((?:\\.|[^"])+)?"|...|((?:\\.|[^F])+))? (?:[F]|$)
 * Once a key and its split match, an unquoted or empty value always completes the match, so
 * only two things are ever undone: an escape pair (its backslash may also stand alone, which
 * uncovers a separator behind it) and a quoted value not followed by a field split. Both are
 * decided from right to left over a stretch no match crosses, keeping two results (units_run).
 */
#include "parsers/text/kv.h"

#include "engine/base/utf8.h"

#define NONE UINT32_MAX

static bool class_bytes_only(const struct kv_class *c)
{
    return c->range_n == 0 && c->others == c->negated;
}

/* Whether a has all of b; of non-ASCII characters, whether it has the same ranges. */
static bool class_covers(const struct kv_class *a, const struct kv_class *b)
{
    for (int i = 0; i < 128; i++)
        if (b->ascii[i] && !a->ascii[i]) return false;
    if (b->others && !a->others) return false;
    for (uint32_t i = 0; i < b->range_n; i++) {
        bool found = false;
        for (uint32_t k = 0; k < a->range_n && !found; k++)
            found = a->range[k].from <= b->range[i].from && a->range[k].to >= b->range[i].to;
        if (!found) return false;
    }
    return true;
}

err kv_compile(const struct kv_options *options, struct kv *out)
{
    slice field = options->field_split.p == NULL ? SLICE(" ") : options->field_split;
    slice value = options->value_split.p == NULL ? SLICE("=") : options->value_split;
    *out = (struct kv){.field_pattern = options->field_split_pattern,
                       .value_pattern = options->value_split_pattern,
                       .brackets = options->include_brackets,
                       .strict = options->whitespace_strict};
    err e = kv_class_parse(field, &out->field_split);
    if (e == ERR_OK) e = kv_class_parse(value, &out->value_split);
    if (e != ERR_OK) return e;
    if (out->field_split.negated || out->value_split.negated || out->field_split.intersected ||
        out->value_split.intersected)
        return ERR_UNSUPPORTED;
    /* The key's class is the two texts one after the other, where a range may mean something
     * else than in each alone; that is how the filter builds it. */
    char both[512];
    if (value.n + field.n > sizeof(both)) return ERR_LIMIT;
    memcpy(both, value.p, value.n);
    memcpy(both + value.n, field.p, field.n);
    e = kv_class_parse(slice_make(both, value.n + field.n), &out->key_stop);
    if (e != ERR_OK) return e;
    if (!class_covers(&out->key_stop, &out->value_split)) return ERR_UNSUPPORTED;
    out->split_has_space = out->value_split.ascii[' '];
    out->bytes_only = class_bytes_only(&out->field_split) && class_bytes_only(&out->value_split) &&
                      class_bytes_only(&out->key_stop) && out->field_pattern.match_at == NULL &&
                      out->value_pattern.match_at == NULL;
    for (int i = 0; i < 128; i++)
        out->stop[i] = (uint8_t)((out->key_stop.ascii[i] ? KV_STOP_KEY : 0) |
                                 (out->field_split.ascii[i] ? KV_STOP_FIELD : 0) |
                                 (out->value_split.ascii[i] ? KV_STOP_VALUE : 0) |
                                 (i == '\\' ? KV_STOP_SLASH : 0));
    return ERR_OK;
}

/* ---- what the text has at a place ----------------------------------------------------------- */

static uint32_t char_bytes(const struct kv_scan *s, uint32_t i)
{
    if (s->kv->bytes_only || s->text.p[i] >= 0) return 1;
    uint32_t n = utf8_valid_at(s->text, i);
    return n == 0 ? 1 : n;
}

static uint32_t char_before(const struct kv_scan *s, uint32_t i)
{
    if (!s->kv->bytes_only)
        for (uint32_t n = 4; n > 1; n--)
            if (n <= i && utf8_valid_at(s->text, i - n) == n) return i - n;
    return i - 1;
}

static bool pattern_at(const struct kv_regex *regex, const struct kv_scan *s, uint32_t i,
                       uint32_t *n)
{
    int64_t r = regex->match_at(regex->user, s->text, i);
    if (r < 0 || r > (int64_t)(s->text.n - i)) return false;
    *n = (uint32_t)r;
    return true;
}

/* A field split at i < text.n, *n bytes long. */
static bool field_split_at(struct kv_scan *s, uint32_t i, uint32_t *n)
{
    const struct kv *kv = s->kv;
    *n = 1;
    if (kv->field_pattern.match_at != NULL) return pattern_at(&kv->field_pattern, s, i, n);
    if (kv->bytes_only) return (kv->stop[(uint8_t)s->text.p[i]] & KV_STOP_FIELD) != 0;
    return kv_class_at(&kv->field_split, s->text, i, n);
}

static bool bare_value_split_at(struct kv_scan *s, uint32_t i, uint32_t *n)
{
    if (s->kv->value_pattern.match_at != NULL) return pattern_at(&s->kv->value_pattern, s, i, n);
    return i < s->text.n && kv_class_at(&s->kv->value_split, s->text, i, n);
}

/* A value split at i with, unless strict, spaces around it; *end is behind all. */
static bool value_split_at(struct kv_scan *s, uint32_t i, uint32_t *end)
{
    const struct kv *kv = s->kv;
    uint32_t n;
    uint32_t at = i;
    s->steps++;
    if (kv->bytes_only && (i == s->text.n || s->text.p[i] != ' ')) {
        if (i == s->text.n || !(kv->stop[(uint8_t)s->text.p[i]] & KV_STOP_VALUE)) return false;
        for (at++; !kv->strict && at < s->text.n && s->text.p[at] == ' ';) at++;
        *end = at;
        return true;
    }
    if (!kv->strict)
        while (at < s->text.n && s->text.p[at] == ' ') at++;
    s->steps += at - i;
    /* The spaces before are taken greedily and given back one by one; a class can only profit
     * from the first one given back. */
    uint32_t last = kv->value_pattern.match_at != NULL ? i
                    : kv->split_has_space && at > i    ? at - 1
                                                       : at;
    for (;; at--) {
        s->steps++;
        if (bare_value_split_at(s, at, &n)) break;
        if (at == last) return false;
    }
    at += n;
    if (!kv->strict)
        while (at < s->text.n && s->text.p[at] == ' ') at++;
    *end = at;
    return true;
}

/* Whether a key character can not be here; its length in *n. */
static bool key_stops_at(struct kv_scan *s, uint32_t i, uint32_t *n)
{
    const struct kv *kv = s->kv;
    if (kv->bytes_only) {
        *n = 1;
        return (kv->stop[(uint8_t)s->text.p[i]] & KV_STOP_KEY) != 0;
    }
    if (kv->field_pattern.match_at == NULL && kv->value_pattern.match_at == NULL)
        return kv_class_at(&kv->key_stop, s->text, i, n);
    *n = char_bytes(s, i);
    uint32_t ignored;
    return s->text.p[i] == '\n' || value_split_at(s, i, &ignored) || field_split_at(s, i, &ignored);
}

/* Behind a quoted value: a field split (*end behind it) or the end of a line. */
static bool value_ends_at(struct kv_scan *s, uint32_t i, uint32_t *end)
{
    uint32_t n;
    *end = i;
    if (i == s->text.n) return true;
    if (field_split_at(s, i, &n)) {
        *end = i + n;
        return true;
    }
    return s->text.p[i] == '\n';
}

/* ---- runs of units: escape pairs and characters that do not stop ------------------------------
 */

struct units {
    char quote; /* the closing quote, or 0 for a key */
};

static bool units_stop(struct kv_scan *s, struct units u, uint32_t i, uint32_t *n)
{
    if (u.quote == 0) return key_stops_at(s, i, n);
    *n = char_bytes(s, i);
    return s->text.p[i] == u.quote;
}

/* Whether the run may end at i. */
static bool units_end(struct kv_scan *s, struct units u, uint32_t i)
{
    uint32_t ignored;
    if (u.quote == 0) return value_split_at(s, i, &ignored);
    return i < s->text.n && s->text.p[i] == u.quote && value_ends_at(s, i + 1, &ignored);
}

/* The first place from i on whose byte has one of the stop bits; only where bytes decide. */
static uint32_t stop_find(struct kv_scan *s, uint32_t i, uint32_t bits)
{
    const uint8_t *stop = s->kv->stop;
    const char *p = s->text.p;
    uint32_t from = i, n = s->text.n;
    while (i < n && (stop[(uint8_t)p[i]] & bits) == 0) i++;
    s->steps += i - from;
    return i;
}

/* From i to the first place no run can cross: a stop that no backslash precedes. */
static uint32_t units_reach(struct kv_scan *s, struct units u, uint32_t from, bool *escapes)
{
    uint32_t i = from;
    *escapes = false;
    if (s->kv->bytes_only && u.quote == 0) {
        i = stop_find(s, from, KV_STOP_KEY | KV_STOP_SLASH);
        if (i == s->text.n || s->text.p[i] != '\\') return i;
    }
    while (i < s->text.n) {
        uint32_t n = 1;
        if (s->text.p[i] == '\\')
            *escapes = true;
        else if (units_stop(s, u, i, &n) && (i == from || s->text.p[i - 1] != '\\'))
            break;
        i += n;
    }
    s->steps += i - from + 1;
    return i;
}

/* The preferred end of a run that starts at each place, found from the right; what counts is
 * *start, the first place from `from` on where a run of at least one unit succeeds (NONE), and the
 * end of a run (of any length) from `from` itself, which is returned. */
static uint32_t units_run(struct kv_scan *s, struct units u, uint32_t from, uint32_t to,
                          uint32_t *start, uint32_t *start_end)
{
    uint32_t next = units_end(s, u, to) ? to : NONE; /* result one character further */
    uint32_t after = NONE;                           /* and two */
    *start = NONE;
    for (uint32_t i = to; i > from;) {
        uint32_t n;
        i = char_before(s, i);
        s->steps++;
        bool pair = s->text.p[i] == '\\' && i + 1 < s->text.n && s->text.p[i + 1] != '\n';
        uint32_t best = pair ? after : NONE;
        if (best == NONE && !units_stop(s, u, i, &n)) best = next;
        if (best != NONE) {
            *start = i;
            *start_end = best;
        } else if (units_end(s, u, i)) {
            best = i;
        }
        after = next;
        next = best;
    }
    return next;
}

/* ---- the scan
 * ------------------------------------------------------------------------------------ */

/* The next key from scan->at on that has a value split behind it, and where its value begins. */
static bool key_find(struct kv_scan *s, slice *key, uint32_t *value_from)
{
    const struct units u = {0};
    const uint8_t *stop = s->kv->stop;
    uint32_t n;
    uint32_t i = s->at;
    while (i < s->text.n) {
        if (s->steps > s->steps_max) {
            s->exhausted = true;
            return false;
        }
        s->steps++;
        if (s->kv->bytes_only) {
            if ((stop[(uint8_t)s->text.p[i]] & (KV_STOP_KEY | KV_STOP_SLASH)) == KV_STOP_KEY) {
                i++;
                continue;
            }
        } else if (s->text.p[i] != '\\' && key_stops_at(s, i, &n)) {
            i += n;
            continue;
        }
        bool escapes;
        uint32_t start = i;
        uint32_t end = NONE;
        uint32_t to = units_reach(s, u, i, &escapes);
        if (escapes)
            units_run(s, u, i, to, &start, &end);
        else if (value_split_at(s, to, value_from))
            end = to;
        if (end != NONE && start != NONE) {
            bool split = !escapes || value_split_at(s, end, value_from);
            (void)split; /* units_run saw it */
            *key = slice_make(s->text.p + start, end - start);
            return true;
        }
        i = to;
    }
    return false;
}

/* The closing counterpart of an opening quote or bracket, or 0. */
static char quote_closing(const struct kv *kv, char open)
{
    switch (open) {
    case '"':
    case '\'': return open;
    case '(': return kv->brackets ? ')' : 0;
    case '[': return kv->brackets ? ']' : 0;
    case '<': return kv->brackets ? '>' : 0;
    default: return 0;
    }
}

/* A quoted value whose content starts at `from`; *end is behind the field split. */
static bool quoted_find(struct kv_scan *s, uint32_t from, char closing, slice *value, uint32_t *end)
{
    const struct units u = {closing};
    int64_t found = slice_find_byte(slice_from(s->text, from), closing);
    if (found < 0) {
        s->steps += s->text.n - from;
        return false;
    }
    bool escapes = slice_find_byte(slice_part(s->text, from, (uint32_t)found), '\\') >= 0;
    uint32_t to = from + (uint32_t)found;
    s->steps += (uint32_t)found;
    if (escapes) to = units_reach(s, u, from, &escapes);
    uint32_t ignored_start;
    uint32_t ignored_end;
    uint32_t close = NONE;
    if (escapes)
        close = units_run(s, u, from, to, &ignored_start, &ignored_end);
    else if (units_end(s, u, to))
        close = to;
    if (close == NONE) return false;
    *value = slice_make(s->text.p + from, close - from);
    return value_ends_at(s, close + 1, end);
}

/* An unquoted value: all up to a field split. */
static slice unquoted_take(struct kv_scan *s, uint32_t from, uint32_t *end)
{
    bool pattern = s->kv->field_pattern.match_at != NULL;
    uint32_t i = from;
    uint32_t n;
    while (i < s->text.n) {
        if (s->kv->bytes_only) i = stop_find(s, i, KV_STOP_FIELD | KV_STOP_SLASH);
        if (i == s->text.n) break;
        char c = s->text.p[i];
        if (c == '\\' && i + 1 < s->text.n && s->text.p[i + 1] != '\n') {
            i += 1 + char_bytes(s, i + 1);
            continue;
        }
        /* A pattern's value is made of ".", which is no newline. */
        if ((pattern && c == '\n') || field_split_at(s, i, &n)) break;
        i += char_bytes(s, i);
    }
    s->steps += i - from;
    value_ends_at(s, i, end);
    return slice_make(s->text.p + from, i - from);
}

bool kv_scan_next(struct kv_scan *s, struct kv_pair *out)
{
    *out = (struct kv_pair){0};
    uint32_t from = 0;
    uint32_t end = 0;
    if (s->exhausted || !key_find(s, &out->key, &from)) return false;
    char open = from < s->text.n ? s->text.p[from] : 0;
    char closing = quote_closing(s->kv, open);
    if (closing != 0 && quoted_find(s, from + 1, closing, &out->value, &end))
        out->quote = open;
    else
        out->value = unquoted_take(s, from, &end);
    s->at = end;
    return true;
}
