/*
 * fuzz_filters.c - any text and any JSON event through all text filters at once.
 *
 * The input is an event: JSON when it parses, else a message. Filters must never crash, and what
 * they leave must be JSON that can be read again.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/plan/plan.h"
#include "engine/registry.h"
#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"
#include "parsers/json/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] =
    "filter {"
    " grok { match => { 'message' => ['%{IP:ip} %{WORD:[a][b]} %{NUMBER:n:float}',"
    "        '(?<x>\\S+)=%{GREEDYDATA:message}'] 'tags' => '%{INT:tags}' } break_on_match => false "
    "}"
    " kv { source => 'message' recursive => true allow_duplicate_values => false trim_key => '<\\['"
    "      remove_char_value => '\\-x' transform_value => 'capitalize' }"
    " kv { field_split_pattern => ';+|, ' value_split_pattern => ':|=>' target => 'kv' }"
    " json { source => 'message' } json { source => 'x' target => '[a][b][c]' }"
    " date { match => ['message', 'ISO8601', 'MMM dd HH:mm:ss', 'UNIX'] timezone => '%{tz}' }"
    " mutate { rename => { '%{x}' => '%{a}' } }"
    " mutate { convert => { 'a' => 'integer' } } mutate { convert => { 'b' => 'float_eu' } }"
    " mutate { convert => { 'c' => 'boolean' 'd' => 'string' } }"
    " mutate { gsub => ['message', '(\\w)|^|$', '<\\1\\k<1>>\\0', 'x', '%{a}', '%{b}'] }"
    " mutate { uppercase => ['a', '[a][b]'] lowercase => 'b' capitalize => 'message' strip => 'c' }"
    " mutate { split => { 'message' => ' ' } } mutate { join => { 'message' => '' } }"
    " mutate { merge => { 'a' => 'message' 'b' => ['a', 'tags'] } copy => { 'a' => 'z' } }"
    " syslog_pri { syslog_pri_field_name => 'a' } clone { clones => ['c'] } }";

static struct plan *plan;
static struct plan_state *state;
static struct page_pool pool;
static struct batch batch;
static struct json_reader reader;
static struct time_iso_cache cache;

static void prepare(void)
{
    static struct heap heap, settings_heap;
    static struct diag diag;
    parsers_init(cpu_init());
    log_set_level(LOG_FATAL);
    struct ast *ast = heap_alloc(&heap, sizeof(*ast));
    struct process_settings *settings = process_settings_new(&settings_heap);
    const struct source *source = source_new(&heap, SLICE("fuzz"), slice_from_cstr(config));
    err e = process_settings_finish(settings, &diag);
    if (e == ERR_OK) e = ast_parse(source, (struct ast_options){0}, &heap, &diag, ast);
    if (e == ERR_OK) plan = plan_compile(ast, &heap, &diag, &plugin_registry, settings, NULL);
    if (plan == NULL) diag_print_file(&diag, stderr);
    ASSERT(plan != NULL);
    state = plan_state_new(plan, NULL, NULL);
    page_pool_init(&pool, SIZE_MAX);
    batch_init(&batch, &pool);
    json_reader_init(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (plan == NULL) prepare();
    if (size > 65536) return 0;
    slice text = arena_copy(&batch.arena, slice_make((const char *)data, size));
    struct value doc;
    struct event *ev = batch_add(&batch);
    if (json_decode(&reader, text, JSON_FIRST, &batch.arena, &doc) >= 0 && doc.type == VALUE_MAP)
        event_adopt(&batch, ev, *doc.u.map);
    else if (utf8_valid(text))
        map_append(&ev->data, &batch.arena, key_make(&batch.arena, SLICE("message")),
                   value_string(text));
    struct plan_run run;
    plan_run_init(&run, state, &batch);
    ASSERT(plan_step(&run) == STEP_DONE);
    for (uint32_t i = 0; i < run.sel.n; i++) {
        struct buf out = {0};
        json_write_event(&out, &batch.event[run.sel.at[i]], &cache);
        int64_t used = json_decode_copy(&reader, buf_slice(&out), JSON_WHOLE, &batch.arena, &doc);
        ASSERT(used >= 0 || used == JSON_DEPTH || used == JSON_MEMBERS);
        buf_fini(&out);
    }
    batch_reset(&batch);
    return 0;
}
