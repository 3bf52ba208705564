/*
 * spec_runner.c - runs tests/spec: filters and codecs with what goes in and what must come out.
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
 *
 * A case of a codec has the codec in place of the filter section:
 *
 *     codec line { delimiter => ";" }
 *     --- bytes                  a message that is decoded; several sections are several messages
 *     --- out                    the events, as above
 *
 *     codec line { delimiter => ";" }
 *     --- in json                events
 *     --- text                   all bytes that the codec writes of them
 *
 * In `bytes` and `text` line breaks mean nothing (one that is meant is written \n); \n \r \t \0
 * \xNN and \\ are what they are in C. "--- bytes stream" is a stream instead of messages: it comes
 * whole, then cut in two at every byte, then byte by byte, and it ends behind the last section; the
 * same events must come out each time, and of a message with the bytes of its only section. With
 * "open" it goes on, so that what waits for more does not come out. "--- idle" between sections
 * lets the time pass that the codec waits for more. The time now is 2024-03-05T06:07:08Z.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/base/cpu.h"
#include "engine/base/log.h"
#include "engine/registry.h"
#include "parsers/init.h"
#include "tests/spec/spec.h"

void fail_at(struct runner *r, const struct spec *spec, uint32_t line, const char *format, ...)
{
    va_list args;
    printf("%s:%u: %.*s:%s ", spec->file, line, SLICE_FMT(spec->title), r->how);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    r->case_failed = true;
}

/* ---- running one case ---------------------------------------------------------------- */

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

/* Sections that a case must have. */
static bool spec_is_whole(const struct spec *spec)
{
    bool in = spec->in.given, out = spec->out.given;
    bool runs = !spec_is_codec(spec) ? in && out
                : spec->text.given   ? in && !out && spec->step_n == 0
                                     : !in && out && spec->step_n > 0;
    return runs != spec->error.given;
}

static struct plan *spec_compile(const struct spec *spec, const struct process_settings *settings,
                                 struct heap *heap, struct diag *diag)
{
    struct env env = ENV_PROCESS;
    struct ast *ast = heap_alloc(heap, sizeof(*ast));
    struct buf text = {0};
    if (spec_is_codec(spec))
        codec_config(spec, &text);
    else
        buf_add_slice(&text, spec->config);
    const char *name = spec_is_codec(spec) ? "codec section" : "filter section";
    const struct source *source = source_new(heap, slice_from_cstr(name), buf_slice(&text));
    const struct registry *registry = spec_is_codec(spec) ? codec_registry() : &plugin_registry;
    struct plan *plan = NULL;
    if (ast_parse(source, (struct ast_options){0}, heap, diag, ast) == ERR_OK &&
        env_expand_ast(&env, ast, heap, diag) == ERR_OK)
        plan = plan_compile(ast, heap, diag, registry, settings, NULL);
    buf_fini(&text);
    return plan;
}

static void spec_run(struct runner *r, const struct spec *spec)
{
    struct heap heap = HEAP_INIT, settings_heap = HEAP_INIT;
    struct diag diag = DIAG_INIT;
    struct plan *plan = NULL;
    r->case_failed = false;
    if (!spec_is_whole(spec))
        fail_at(r, spec, spec->line,
                "a case has `in` and `out`, `bytes` and `out`, `in` and "
                "`text`, or `error`");
    struct process_settings *settings = settings_for(spec, &settings_heap, &diag);
    if (settings != NULL) plan = spec_compile(spec, settings, &heap, &diag);
    if (spec->error.given && plan != NULL) {
        fail_at(r, spec, spec->line, "the configuration is accepted");
    } else if (spec->error.given) {
        errors_compare(r, spec, &diag);
    } else if (plan == NULL) {
        struct buf text = {0};
        diag_print(&diag, &text);
        fail_at(r, spec, spec->line, "\n%s", buf_cstr(&text));
        buf_fini(&text);
    } else if (!r->case_failed) {
        /* What cannot be decoded is logged, again and again for every cut. */
        log_set_level(spec_is_codec(spec) ? LOG_FATAL : LOG_ERROR);
        spec_is_codec(spec) ? codec_try(r, spec, plan) : filter_try(r, spec, plan);
        log_set_level(LOG_ERROR);
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
    free(r.docs.at);
    regex_scratch_free(r.scratch);
    json_reader_fini(&r.reader);
    arena_fini(&r.expected);
    batch_fini(&r.batch);
    page_pool_fini(&r.pool);
    return r.failed == 0 && r.passed > 0 ? 0 : 1;
}
