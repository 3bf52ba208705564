/*
 * fuzz_xml.c - any text through the xml filter: stored and queried, strict and not, with and
 * without name spaces. What it leaves must be text and JSON that can be read again.
 */
#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/plan/plan.h"
#include "engine/registry.h"
#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] =
    "filter {"
    " xml { source => 'message' target => 'a' xpath => { '//*' => 'b' '//@*' => 'c' '//text()' => "
    "'d' 'count(//node())' => 'e' '/' => 'f' '//namespace::*' => 'g' } }"
    " xml { source => 'message' target => 'h' force_array => false force_content => true"
    "       suppress_empty => false remove_namespaces => true parse_options => 'noblanks,nocdata'"
    "       xpath => { '//*[@*]' => 'i' '//comment()' => 'j' } }"
    " xml { source => 'message' store_xml => false parse_options => 'strict|nsclean'"
    "       namespaces => { 'x' => 'urn:x' } xpath => { '//x:*' => 'k' 'string(/)' => 'l' } } }";

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
    slice text = slice_make((const char *)data, size);
    if (size > 16384 || !utf8_valid(text)) return 0;
    struct event *ev = batch_add(&batch);
    map_append(&ev->data, &batch.arena, key_make(&batch.arena, SLICE("message")),
               value_string(arena_copy(&batch.arena, text)));
    struct plan_run run;
    plan_run_init(&run, state, &batch);
    ASSERT(plan_step(&run) == STEP_DONE);
    struct buf out = {0};
    struct value doc;
    json_write_event(&out, &batch.event[0], &cache);
    int64_t used = json_decode_copy(&reader, buf_slice(&out), JSON_WHOLE, &batch.arena, &doc);
    ASSERT(used >= 0 || used == JSON_DEPTH || used == JSON_MEMBERS);
    ASSERT(utf8_valid(buf_slice(&out)));
    buf_fini(&out);
    batch_reset(&batch);
    return 0;
}
