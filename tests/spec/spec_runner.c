/*
 * spec_runner.c - runs tests/spec: filter sections with input events and expected documents.
 *
 *     spec_runner [FILE or FOLDER]...      (default: tests/spec)
 *
 * A spec file holds cases, one after the other, with a line of at least four '=' between them:
 *
 *     # a title; further lines that begin with '#' are comments
 *     filter { ... }
 *     --- ecs v8                 (optional; disabled otherwise)
 *     --- in json                one JSON object a line; or "lines": each line is a message
 *     --- out                    one expected object a line; "exact" and "unordered" may follow
 *     --- error                  instead of in and out: the configuration must be refused, and
 *                                each line of this section must occur in the messages
 *
 * Expected objects name what must be there: a top-level member (or a field reference such as
 * "[a][b]") must be equal deeply, with integers and floats told apart; members that are not
 * named are free, unless "exact" was asked for, which leaves only @timestamp and @version free.
 * "@metadata" can be named too. Values with a meaning: {"$absent":true}, {"$any":true},
 * {"$re":"expression"}, {"$oneof":[..]}. What is compared is the JSON that outputs would write.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/config/files.h"
#include "engine/plan/plan.h"
#include "engine/registry.h"
#include "parsers/grok/regex.h"
#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"
#include "parsers/json/json_write.h"

struct spec_part {
    slice body;
    uint32_t line; /* of its first line */
    bool given;
};

struct spec {
    const char *file;
    uint32_t line;
    slice title, config, ecs;
    struct spec_part in, out, error;
    bool lines, exact, unordered;
};

struct runner {
    struct page_pool pool;
    struct batch batch;
    struct arena expected; /* memory of documents */
    struct json_reader reader;
    struct regex_scratch *scratch;
    struct time_iso_cache cache;
    uint32_t passed, failed;
    bool case_failed;
};

static void fail_at(struct runner *r, const struct spec *spec, uint32_t line, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

static void fail_at(struct runner *r, const struct spec *spec, uint32_t line, const char *format,
                    ...)
{
    va_list args;
    printf("%s:%u: %.*s: ", spec->file, line, SLICE_FMT(spec->title));
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    r->case_failed = true;
}

/* ---- reading spec files ------------------------------------------------------- */

struct reader {
    slice rest;
    uint32_t line; /* number of the line that comes next */
};

static bool line_next(struct reader *at, slice *line)
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

/* What stands after "---"; NULL on success. */
static const char *section_begin(struct spec *spec, slice head, uint32_t line,
                                 struct spec_part **section)
{
    head = slice_trim(slice_from(head, 3));
    *section = NULL;
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
        return "expected ecs, in, out or error after ---";
    }
    if (*section != NULL) {
        (*section)->line = line + 1;
        (*section)->given = true;
    }
    return NULL;
}

static void grow(slice *text, slice line)
{
    if (text->p == NULL) *text = (slice){line.p, 0};
    text->n = (uint32_t)(line.p + line.n - text->p);
}

/* The next case; false at the end of the file. */
static bool spec_next(struct runner *r, struct reader *at, const char *file, struct spec *spec)
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

/* ---- comparing ------------------------------------------------------------------- */

static bool value_matches(struct runner *r, struct value *want, struct value *got);

static struct value *member_of(struct map *map, slice name)
{
    struct member *m = map_find(map, name, hash_key(name.p, name.n));
    return m == NULL ? NULL : &m->val;
}

static bool text_matches(struct runner *r, struct value *want, struct value *got)
{
    struct grok_error error;
    struct regex *regex = regex_new(value_slice(want), 0, &error);
    if (regex == NULL) return false;
    struct buf scratch = {0};
    slice text = value_to_slice(got, &r->expected, &scratch);
    bool yes = regex_search(regex, r->scratch, text, 0, NULL) == REGEX_MATCH;
    buf_fini(&scratch);
    regex_free(regex);
    return yes;
}

/* {"$re": ".."} and kin; -1 when the map is an ordinary one. */
static int special_matches(struct runner *r, struct map *want, struct value *got)
{
    if (want->n != 1 || want->at[0].key_n < 2 || want->at[0].key[0] != '$') return -1;
    slice name = slice_make(want->at[0].key, want->at[0].key_n);
    struct value *arg = &want->at[0].val;
    value_resolve(arg, &r->expected);
    if (slice_equal(name, SLICE("$absent"))) return got == NULL;
    if (slice_equal(name, SLICE("$any"))) return got != NULL;
    if (slice_equal(name, SLICE("$re")))
        return got != NULL && arg->type == VALUE_STRING && text_matches(r, arg, got);
    if (slice_equal(name, SLICE("$oneof")) && arg->type == VALUE_LIST) {
        for (uint32_t i = 0; i < arg->n; i++)
            if (value_matches(r, &arg->u.list[i], got)) return 1;
        return 0;
    }
    return -1;
}

static bool map_matches(struct runner *r, struct map *want, struct map *got)
{
    if (want->n != got->n) return false;
    for (uint32_t i = 0; i < want->n; i++) {
        struct member *m = &want->at[i];
        if (!value_matches(r, &m->val, member_of(got, slice_make(m->key, m->key_n)))) return false;
    }
    return true;
}

static bool value_matches(struct runner *r, struct value *want, struct value *got)
{
    value_resolve(want, &r->expected);
    if (got != NULL) value_resolve(got, &r->expected);
    int special = want->type == VALUE_MAP ? special_matches(r, want->u.map, got) : -1;
    if (special >= 0) return special == 1;
    if (got == NULL || want->type != got->type) return false;
    if (want->type == VALUE_MAP) return map_matches(r, want->u.map, got->u.map);
    if (want->type != VALUE_LIST) return value_equal(want, got, &r->expected);
    if (want->n != got->n) return false;
    for (uint32_t i = 0; i < want->n; i++)
        if (!value_matches(r, &want->u.list[i], &got->u.list[i])) return false;
    return true;
}

static struct value *find_named(struct runner *r, struct map *doc, slice name)
{
    struct value *v = member_of(doc, name);
    if (v != NULL || name.p[0] != '[') return v;
    struct fieldref ref;
    if (fieldref_parse(&ref, name, &r->expected) != ERR_OK) return NULL;
    struct event as_event = {.data = *doc};
    ref.root = FIELD_DATA;
    return event_get(&r->batch, &as_event, &ref);
}

/* Why the document is not what is wanted, or an empty text. */
static void doc_compare(struct runner *r, const struct spec *spec, struct map *want,
                        struct map *got, struct buf *why)
{
    for (uint32_t i = 0; i < want->n; i++) {
        struct member *m = &want->at[i];
        slice name = slice_make(m->key, m->key_n);
        struct value *v = find_named(r, got, name);
        if (value_matches(r, &m->val, v)) continue;
        buf_printf(why, "\n    %.*s: want ", SLICE_FMT(name));
        value_json(&m->val, why);
        buf_add_cstr(why, ", got ");
        if (v == NULL)
            buf_add_cstr(why, "nothing");
        else
            value_json(v, why);
    }
    for (uint32_t i = 0; spec->exact && i < got->n; i++) {
        slice name = slice_make(got->at[i].key, got->at[i].key_n);
        bool is_free = slice_equal(name, SLICE("@timestamp")) ||
                       slice_equal(name, SLICE("@version")) ||
                       slice_equal(name, SLICE("@metadata"));
        if (!is_free && member_of(want, name) == NULL)
            buf_printf(why, "\n    %.*s: not expected", SLICE_FMT(name));
    }
}

/* ---- running ---------------------------------------------------------------------- */

static bool doc_parse(struct runner *r, slice text, struct arena *arena, struct value *out)
{
    return json_decode_copy(&r->reader, text, JSON_WHOLE, arena, out) >= 0 &&
           out->type == VALUE_MAP;
}

static bool events_read(struct runner *r, const struct spec *spec)
{
    struct batch *b = &r->batch;
    struct reader at = {spec->in.body, spec->in.line};
    slice line;
    b->now_ns = clock_real_ns();
    while (line_next(&at, &line)) {
        struct event *ev = NULL;
        struct value doc;
        if (spec->lines) {
            ev = batch_add(b);
            map_append(&ev->data, &b->arena, key_make(&b->arena, SLICE("message")),
                       value_string(arena_copy(&b->arena, line)));
            event_add_version(b, ev);
            continue;
        }
        if (slice_trim(line).n == 0) continue;
        if (!doc_parse(r, line, &b->arena, &doc)) {
            fail_at(r, spec, at.line - 1, "the input is no JSON object");
            return false;
        }
        ev = batch_add(b);
        event_adopt(b, ev, *doc.u.map);
    }
    return true;
}

/* The event as outputs would write it, with @metadata added, read back. */
static bool event_doc(struct runner *r, const struct spec *spec, struct event *ev,
                      struct value *out)
{
    struct buf text = {0};
    struct value meta = event_meta_value(ev);
    json_write_event(&text, ev, &r->cache);
    bool ok = doc_parse(r, buf_slice(&text), &r->expected, out);
    if (!ok) fail_at(r, spec, spec->out.line, "the event became bad JSON: %s", buf_cstr(&text));
    text.n = 0;
    json_write_value(&text, &meta, &r->cache);
    struct value copy;
    ok = ok && doc_parse(r, buf_slice(&text), &r->expected, &copy);
    if (ok) map_put(out->u.map, &r->expected, key_borrow(SLICE("@metadata")), copy);
    buf_fini(&text);
    return ok;
}

static bool any_match(struct runner *r, const struct spec *spec, struct map *want,
                      struct value *docs, bool *used, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct buf why = {0};
        if (used[i]) continue;
        doc_compare(r, spec, want, docs[i].u.map, &why);
        used[i] = why.n == 0;
        buf_fini(&why);
        if (used[i]) return true;
    }
    return false;
}

static void outputs_compare(struct runner *r, const struct spec *spec, const struct sel *sel)
{
    struct reader at = {spec->out.body, spec->out.line};
    struct value *docs = arena_alloc(&r->expected, (sel->n + 1) * sizeof(*docs), 16), want;
    bool *used = arena_alloc(&r->expected, sel->n + 1, 1);
    memset(used, 0, sel->n + 1);
    for (uint32_t i = 0; i < sel->n; i++)
        if (!event_doc(r, spec, &r->batch.event[sel->at[i]], &docs[i])) return;
    uint32_t n = 0;
    slice line;
    while (line_next(&at, &line)) {
        if (slice_trim(line).n == 0) continue;
        if (!doc_parse(r, line, &r->expected, &want)) {
            fail_at(r, spec, at.line - 1, "the expected event is no JSON object");
        } else if (spec->unordered) {
            if (!any_match(r, spec, want.u.map, docs, used, sel->n))
                fail_at(r, spec, at.line - 1, "no event is like this one");
        } else if (n < sel->n) {
            struct buf why = {0};
            doc_compare(r, spec, want.u.map, docs[n].u.map, &why);
            if (why.n > 0) fail_at(r, spec, at.line - 1, "event %u differs:%s", n, buf_cstr(&why));
            buf_fini(&why);
        }
        n++;
    }
    if (n != sel->n) fail_at(r, spec, spec->out.line, "%u events wanted, got %u", n, sel->n);
}

static void plan_try(struct runner *r, const struct spec *spec, struct plan *plan)
{
    struct plan_state *state = plan_state_new(plan, NULL, NULL);
    struct plan_run run;
    if (state == NULL) {
        fail_at(r, spec, spec->line, "a filter does not start");
        return;
    }
    if (events_read(r, spec)) {
        plan_run_init(&run, state, &r->batch);
        if (plan_step(&run) == STEP_DONE)
            outputs_compare(r, spec, &run.sel);
        else
            fail_at(r, spec, spec->line, "a filter waits for the world outside");
    }
    batch_reset(&r->batch);
    arena_reset(&r->expected);
    plan_state_free(state);
}

static void errors_compare(struct runner *r, const struct spec *spec, const struct diag *diag)
{
    struct buf text = {0};
    struct reader at = {spec->error.body, spec->error.line};
    slice line;
    diag_print(diag, &text);
    while (line_next(&at, &line))
        if (slice_find(buf_slice(&text), slice_trim(line)) < 0)
            fail_at(r, spec, at.line - 1, "not among the messages, which are\n%s", buf_cstr(&text));
    buf_fini(&text);
}

static struct process_settings *settings_for(const struct spec *spec, struct heap *heap,
                                             struct diag *diag)
{
    struct process_settings *s = process_settings_new(heap);
    slice name = SLICE("pipeline.ecs_compatibility");
    if (process_settings_set(s, name, spec->ecs, POS_NONE, diag) != ERR_OK) return NULL;
    return process_settings_finish(s, diag) == ERR_OK ? s : NULL;
}

static void spec_run(struct runner *r, const struct spec *spec)
{
    struct heap heap = HEAP_INIT, settings_heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct env env = ENV_PROCESS;
    struct ast *ast = heap_alloc(&heap, sizeof(*ast));
    struct plan *plan = NULL;
    r->case_failed = false;
    if (spec->error.given == (spec->in.given && spec->out.given))
        fail_at(r, spec, spec->line, "a case has `in` and `out`, or `error`");
    struct process_settings *settings = settings_for(spec, &settings_heap, &diag);
    const struct source *source =
        source_new(&heap, slice_from_cstr("filter section"), spec->config);
    if (settings != NULL &&
        ast_parse(source, (struct ast_options){0}, &heap, &diag, ast) == ERR_OK &&
        env_expand_ast(&env, ast, &heap, &diag) == ERR_OK)
        plan = plan_compile(ast, &heap, &diag, &plugin_registry, settings, NULL);
    if (spec->error.given && plan != NULL) {
        fail_at(r, spec, spec->line, "the configuration is accepted");
    } else if (spec->error.given) {
        errors_compare(r, spec, &diag);
    } else if (plan == NULL) {
        struct buf text = {0};
        diag_print(&diag, &text);
        fail_at(r, spec, spec->line, "\n%s", buf_cstr(&text));
        buf_fini(&text);
    } else {
        plan_try(r, spec, plan);
    }
    if (plan != NULL) plan_free(plan);
    diag_fini(&diag);
    heap_fini(&heap);
    heap_fini(&settings_heap);
    r->case_failed ? r->failed++ : r->passed++;
}

/* ---- finding files ------------------------------------------------------------------- */

static void file_run(struct runner *r, const char *path)
{
    FILE *file = fopen(path, "rb");
    struct buf text = {0};
    if (file == NULL) {
        printf("%s: cannot be read\n", path);
        r->failed++;
        return;
    }
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof(part), file)) > 0;) buf_add(&text, part, n);
    fclose(file);
    struct reader at = {buf_slice(&text), 1};
    struct spec spec;
    while (spec_next(r, &at, path, &spec)) spec_run(r, &spec);
    buf_fini(&text);
}

static void path_run(struct runner *r, const char *path)
{
    struct stat st;
    struct dirent **entries;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        file_run(r, path);
        return;
    }
    int n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char child[1024];
        const char *name = entries[i]->d_name;
        snprintf(child, sizeof(child), "%s/%s", path, name);
        bool folder = name[0] != '.' && stat(child, &st) == 0 && S_ISDIR(st.st_mode);
        if (folder || slice_ends(slice_from_cstr(name), SLICE(".spec"))) path_run(r, child);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    struct runner r = {0};
    parsers_init(cpu_init());
    log_to_stderr(true);
    log_set_level(LOG_ERROR);
    page_pool_init(&r.pool, SIZE_MAX);
    batch_init(&r.batch, &r.pool);
    arena_init(&r.expected, &r.pool);
    json_reader_init(&r.reader);
    r.scratch = regex_scratch_new();
    for (int i = 1; i < argc; i++) path_run(&r, argv[i]);
    if (argc < 2) path_run(&r, "tests/spec");
    printf("%u passed, %u failed\n", r.passed, r.failed);
    regex_scratch_free(r.scratch);
    json_reader_fini(&r.reader);
    arena_fini(&r.expected);
    batch_fini(&r.batch);
    page_pool_fini(&r.pool);
    return r.failed == 0 && r.passed > 0 ? 0 : 1;
}
