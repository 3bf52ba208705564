/* script.c - the fault language. */
#include "tools/sink/script.h"

#include <stdlib.h>

#include "engine/base/assert.h"

/* Takes the next word off the line; empty at its end. */
static slice word_take(slice *line)
{
    slice word;
    *line = slice_trim(*line);
    word = *line;
    for (uint32_t i = 0; i < line->n; i++) {
        if (line->p[i] != ' ' && line->p[i] != '\t') continue;
        word.n = i;
        break;
    }
    *line = slice_from(*line, word.n);
    return word;
}

static bool number_take(slice *line, uint64_t *out)
{
    int64_t value;
    if (!slice_to_i64(word_take(line), &value) || value < 0) return false;
    *out = (uint64_t)value;
    return true;
}

static bool when_parse(slice word, struct fault *f)
{
    int64_t number, dash;
    f->from = 1;
    f->to = UINT64_MAX;
    f->every = 1;
    if (slice_equal(word, SLICE("*"))) return true;
    if (word.n > 1 && word.p[0] == '/') {
        if (!slice_to_i64(slice_from(word, 1), &number) || number < 1) return false;
        f->every = (uint64_t)number;
        return true;
    }
    if (word.n > 1 && word.p[word.n - 1] == '+') {
        if (!slice_to_i64(slice_part(word, 0, word.n - 1), &number) || number < 1) return false;
        f->from = (uint64_t)number;
        return true;
    }
    dash = slice_find_byte(word, '-');
    if (!slice_to_i64(dash > 0 ? slice_part(word, 0, (uint32_t)dash) : word, &number) || number < 1)
        return false;
    f->from = f->to = (uint64_t)number;
    if (dash > 0) {
        if (!slice_to_i64(slice_from(word, (uint32_t)dash + 1), &number) || number < 1)
            return false;
        f->to = (uint64_t)number;
    }
    return true;
}

static bool status_parse(slice rest, struct fault *f)
{
    uint64_t n;
    slice word;
    if (!number_take(&rest, &n) || n < 100 || n > 599) return false;
    f->status = (uint32_t)n;
    while ((word = word_take(&rest)).n > 0) {
        if (slice_equal(word, SLICE("empty"))) {
            f->body = BODY_EMPTY;
        } else if (slice_equal(word, SLICE("html"))) {
            f->body = BODY_HTML;
        } else if (slice_equal(word, SLICE("retry-after"))) {
            if (!number_take(&rest, &n)) return false;
            f->retry_after_sec = (int32_t)n;
        } else {
            return false;
        }
    }
    return true;
}

static bool items_parse(slice rest, struct fault *f)
{
    uint64_t n;
    slice word;
    if (!number_take(&rest, &n) || n < 100 || n > 599) return false;
    f->status = (uint32_t)n;
    f->item_every = 1;
    f->times = UINT64_MAX;
    while ((word = word_take(&rest)).n > 0) {
        if (slice_equal(word, SLICE("every"))) {
            if (!number_take(&rest, &f->item_every) || f->item_every == 0) return false;
        } else if (slice_equal(word, SLICE("times"))) {
            if (!number_take(&rest, &f->times)) return false;
        } else if (slice_equal(word, SLICE("match"))) {
            free(f->text);
            f->text = slice_dup_cstr(word_take(&rest));
        } else {
            return false;
        }
    }
    return true;
}

static bool path_parse(slice rest, struct fault *f)
{
    uint64_t n;
    slice method = word_take(&rest);
    slice prefix = word_take(&rest);
    f->kind = FAULT_PATH;
    if (method.n == 0 || method.n >= sizeof(f->method) || prefix.n == 0) return false;
    slice_cstr(method, f->method, sizeof(f->method));
    f->prefix = slice_dup_cstr(prefix);
    if (!number_take(&rest, &n) || n < 100 || n > 599) return false;
    f->status = (uint32_t)n;
    rest = slice_trim(rest);
    if (rest.n > 0) f->text = slice_dup_cstr(rest);
    return true;
}

static bool action_parse(slice rest, struct fault *f)
{
    static const struct {
        const char *name;
        enum fault_kind kind;
        bool number;
    } simple[] = {{"close", FAULT_CLOSE, false},
                  {"cut", FAULT_CUT, true},
                  {"reset", FAULT_RESET, false},
                  {"reset-early", FAULT_RESET_EARLY, false},
                  {"delay", FAULT_DELAY, true}};
    slice verb = word_take(&rest);
    if (slice_equal(verb, SLICE("status"))) {
        f->kind = FAULT_STATUS;
        return status_parse(rest, f);
    }
    if (slice_equal(verb, SLICE("items"))) {
        f->kind = FAULT_ITEMS;
        return items_parse(rest, f);
    }
    for (uint32_t i = 0; i < ARRAY_LEN(simple); i++) {
        if (!slice_equal(verb, slice_from_cstr(simple[i].name))) continue;
        f->kind = simple[i].kind;
        if (simple[i].number && !number_take(&rest, &f->n)) return false;
        return word_take(&rest).n == 0;
    }
    return false;
}

static void fault_fini(struct fault *f)
{
    free(f->text);
    free(f->prefix);
}

static bool line_parse(slice line, struct fault *f)
{
    slice first = word_take(&line);
    f->retry_after_sec = -1;
    if (slice_equal(first, SLICE("path"))) return path_parse(line, f);
    return when_parse(first, f) && action_parse(line, f);
}

err script_parse(struct script *sc, slice text, uint32_t *line)
{
    struct script fresh = {0};
    *line = 0;
    while (text.n > 0) {
        int64_t end = slice_find_byte(text, '\n');
        slice one = slice_trim(end < 0 ? text : slice_part(text, 0, (uint32_t)end));
        struct fault f = {0};
        text = end < 0 ? SLICE_NONE : slice_from(text, (uint32_t)end + 1);
        ++*line;
        if (one.n == 0 || one.p[0] == '#') continue;
        if (!line_parse(one, &f)) {
            fault_fini(&f);
            script_fini(&fresh);
            return ERR_SYNTAX;
        }
        fresh.faults = realloc(fresh.faults, (fresh.n + 1) * sizeof(f));
        ASSERT(fresh.faults != NULL);
        fresh.faults[fresh.n++] = f;
    }
    script_fini(sc);
    *sc = fresh;
    return ERR_OK;
}

void script_fini(struct script *sc)
{
    for (uint32_t i = 0; i < sc->n; i++) fault_fini(&sc->faults[i]);
    free(sc->faults);
    *sc = (struct script){0};
}

static bool fits(const struct fault *f, uint64_t nth)
{
    return f->kind != FAULT_PATH && nth >= f->from && nth <= f->to && nth % f->every == 0;
}

const struct fault *script_answer(const struct script *sc, uint64_t nth)
{
    for (uint32_t i = 0; i < sc->n; i++) {
        const struct fault *f = &sc->faults[i];
        if (f->kind != FAULT_DELAY && f->kind != FAULT_ITEMS && fits(f, nth)) return f;
    }
    return NULL;
}

uint64_t script_delay_ms(const struct script *sc, uint64_t nth)
{
    for (uint32_t i = 0; i < sc->n; i++)
        if (sc->faults[i].kind == FAULT_DELAY && fits(&sc->faults[i], nth)) return sc->faults[i].n;
    return 0;
}

bool script_has_items(const struct script *sc, uint64_t nth)
{
    for (uint32_t i = 0; i < sc->n; i++)
        if (sc->faults[i].kind == FAULT_ITEMS && fits(&sc->faults[i], nth)) return true;
    return false;
}

uint32_t script_item(struct script *sc, uint64_t nth, slice document)
{
    for (uint32_t i = 0; i < sc->n; i++) {
        struct fault *f = &sc->faults[i];
        if (f->kind != FAULT_ITEMS || !fits(f, nth) || f->fired >= f->times) continue;
        if (f->text != NULL && slice_find(document, slice_from_cstr(f->text)) < 0) continue;
        if (++f->seen % f->item_every != 0) continue;
        f->fired++;
        return f->status;
    }
    return 0;
}

const struct fault *script_path(const struct script *sc, slice method, slice path)
{
    for (uint32_t i = 0; i < sc->n; i++) {
        const struct fault *f = &sc->faults[i];
        if (f->kind == FAULT_PATH && slice_equal(method, slice_from_cstr(f->method)) &&
            slice_starts(path, slice_from_cstr(f->prefix)))
            return f;
    }
    return NULL;
}
