/*
 * fuzz_codecs.c - any bytes through the decoder of every codec, and what came out through encoders.
 *
 * The first byte of the input chooses a decoder, the second how the rest is cut, the third an
 * encoder. A decoder of messages gets the bytes in memory that stays and in memory that goes; the
 * events must be the same. A decoder of streams gets them whole and cut, by way of a shard's feed;
 * the events must be the same again. Every event must be JSON that can be read, and what encoders
 * write of it must be readable for those who read that format. (No option has a time in it: leak
 * detection does not see what hangs on the plan's pages.)
 */
#include <stdint.h>
#include <stdio.h>

#include "engine/base/cpu.h"
#include "engine/base/hash.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_write.h"
#include "parsers/text/edn.h"
#include "parsers/wire/msgpack.h"
#include "tests/spec/codec_stage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_BYTES_MAX 65536u
#define EVENTS_MAX 20000u /* of one run; a bomb is not followed to its end */
#define SPECS "tests/spec/codecs/"

enum { MESSAGES = 1, STREAM = 2, DENSE = 4 }; /* DENSE: few bytes become many events */

static const struct {
    const char *config;
    int kind;
} decoders[] = {
    {"line { ecs_compatibility => v8 }", STREAM},
    {"line { delimiter => 'ab' charset => 'UTF-16LE' ecs_compatibility => disabled }", STREAM},
    {"plain { ecs_compatibility => v8 }", MESSAGES},
    {"plain { charset => 'CP1252' }", MESSAGES},
    {"json { ecs_compatibility => v8 }", MESSAGES},
    {"json { target => '[a][b]' charset => 'ISO-8859-1' }", MESSAGES},
    {"json_lines { ecs_compatibility => disabled }", STREAM},
    {"json_lines { delimiter => '}' target => 'tags' charset => 'CP1252' }", STREAM},
    {"csv { ecs_compatibility => v8 }", STREAM},
    {"csv { separator => ';;' quote_char => '|' autodetect_column_names => true skip_empty_columns "
     "=> true convert => { 'a' => 'date' 'b' => 'integer' 'column3' => 'float' } }",
     STREAM},
    {"csv { columns => ['@timestamp', 'tags', '[a]'] autogenerate_column_names => false convert => "
     "{ '[a]' => 'date_time' 'tags' => 'boolean' } target => '[x][y]' charset => 'UTF-8' }",
     MESSAGES},
    {"multiline { pattern => '^%{WORD}' what => 'previous' negate => true max_lines => 3 "
     "auto_flush_interval => 1 ecs_compatibility => v8 }",
     STREAM},
    {"multiline { pattern => '[,é]' what => 'next' max_bytes => 20 charset => 'ISO-8859-1' }",
     STREAM},
    {"cef { ecs_compatibility => v8 default_timezone => 'Europe/Berlin' locale => 'de' }",
     MESSAGES},
    {"cef { ecs_compatibility => disabled raw_data_field => '[severity]' }", MESSAGES},
    {"cef { ecs_compatibility => v1 delimiter => '\\n' device => host raw_data_field => "
     "'[event][original]' }",
     STREAM},
    {"msgpack { format => '%{a}' }", MESSAGES | STREAM},
    {"msgpack { target => '[a][b]' }", MESSAGES | STREAM},
    {"fluent { }", MESSAGES | STREAM},
    {"fluent { nanosecond_precision => true target => '[@metadata][x]' }", MESSAGES | STREAM},
    {"graphite { }", STREAM},
    {"graphite { as_key_value => true }", STREAM},
    {"collectd { prune_intervals => false nan_value => 1.5 }", MESSAGES},
    {"collectd { nan_handling => drop typesdb => ['" SPECS "collectd/types.db'] security_level => "
     "Encrypt authfile => '" SPECS "collectd/auth' }",
     MESSAGES},
    {"collectd { security_level => Sign authfile => '" SPECS "collectd/auth' nan_tag => '' }",
     MESSAGES},
    {"netflow { }", MESSAGES},
    {"netflow { include_flowset_id => true target => '[a][b]' versions => [9, 10] }", MESSAGES},
    {"es_bulk { ecs_compatibility => v8 }", STREAM},
    {"es_bulk { target => '[@metadata][x]' ecs_compatibility => disabled }", STREAM},
    {"edn { target => 'x' }", MESSAGES},
    {"edn_lines { }", STREAM},
    {"avro { schema_uri => '" SPECS "avro/person.avsc' tag_on_failure => true ecs_compatibility => "
     "v8 }",
     MESSAGES},
    {"avro { schema_uri => '" SPECS "avro/all.avsc' encoding => binary target => 'x' }", MESSAGES},
    {"protobuf { protobuf_version => 3 class_name => 'zoo.Horse' class_file => 'horse_pb.rb' "
     "protobuf_root_directory => '" SPECS "protobuf' pb3_set_oneof_metainfo => true }",
     MESSAGES},
    {"protobuf { class_name => 'Zoo::Horse' class_file => 'horse.pb.rb' protobuf_root_directory => "
     "'" SPECS "protobuf' }",
     MESSAGES},
    {"gzip_lines { }", STREAM | DENSE},
    {"gzip_lines { charset => 'CP1252' }", STREAM | DENSE},
};

static const char *const encoders[] = {
    "json { }",
    "json_lines { delimiter => '|' }",
    "line { }",
    "line { format => '%{message} %{[a][b]} %{tags} %{x}' }",
    "plain { format => '%{event}' }",
    "rubydebug { metadata => true }",
    "dots { }",
    "csv { include_headers => true }",
    "csv { columns => ['message', '[event][original]', 'tags', '[a][b]', 'x'] separator => ';;' }",
    "cef { fields => ['message', 'tags', '@timestamp', 'x'] severity => '%{severity}' name => "
    "'%{message}' ecs_compatibility => v8 }",
    "cef { reverse_mapping => true vendor => '%{deviceVendor}' fields => ['sourceAddress', "
    "'message', '[a]'] ecs_compatibility => disabled }",
    "msgpack { }",
    "fluent { }",
    "fluent { nanosecond_precision => true }",
    "graphite { fields_are_metrics => true metrics_format => '%{message}.*' }",
    "graphite { metrics => { '%{key}' => '%{value}' '%{message}' => '%{x}' } exclude_metrics => [] "
    "}",
    "edn { }",
    "edn_lines { }",
    "avro { schema_uri => '" SPECS "avro/person.avsc' }",
    "avro { schema_uri => '" SPECS "avro/all.avsc' encoding => binary }",
    "protobuf { protobuf_version => 3 class_name => 'zoo.Horse' class_file => 'horse_pb.rb' "
    "protobuf_root_directory => '" SPECS "protobuf' pb3_encoder_drop_unknown_fields => true }",
    "protobuf { class_name => 'Zoo::Horse' class_file => 'horse.pb.rb' protobuf_root_directory => "
    "'" SPECS "protobuf' }",
};

static struct {
    struct plan *plan;
    struct codec_stage stage;
    struct page_pool pool;
    struct batch batch; /* of messages */
    struct arena arena; /* of documents that are read again */
    struct json_reader reader;
    struct time_iso_cache cache;
} fuzz;

/* One run: what came out of it. */
struct run {
    struct buf documents, encoded;
    const struct codec *encoder; /* NULL: nothing is encoded */
    void *encoder_state;
    uint32_t events;
};

/* ---- what comes out ---------------------------------------------------------------- */

static void json_check(slice json)
{
    struct value doc;
    ASSERT(utf8_valid(json));
    int64_t used = json_decode_copy(&fuzz.reader, json, JSON_WHOLE, &fuzz.arena, &doc);
    ASSERT(used >= 0 || used == JSON_DEPTH || used == JSON_MEMBERS);
}

static void event_encode(struct run *run, struct batch *b, struct event *ev)
{
    struct value doc;
    const char *name = run->encoder->ops->name;
    run->encoded.n = 0;
    run->encoder->ops->encode(run->encoder_state, run->encoder->cfg, b, ev, &run->encoded);
    slice text = buf_slice(&run->encoded);
    if (strcmp(name, "json") == 0) json_check(text);
    if (strcmp(name, "msgpack") == 0 || strcmp(name, "fluent") == 0)
        ASSERT(msgpack_skip(text) == text.n);
    /* Ruby's names of what is no number are no edn, in Logstash as here. */
    bool finite = slice_find(text, SLICE("NaN")) < 0 && slice_find(text, SLICE("Infinity")) < 0;
    if (strcmp(name, "edn") == 0 && finite)
        ASSERT(edn_read(text, &fuzz.arena, &doc) && doc.type == VALUE_MAP);
}

static void event_take(struct run *run, struct batch *b, struct event *ev)
{
    struct value meta = event_meta_value(ev);
    size_t at = run->documents.n;
    if (run->events++ >= EVENTS_MAX) return;
    json_write_event(&run->documents, ev, &fuzz.cache);
    json_check(slice_make(run->documents.data + at, run->documents.n - at));
    json_write_value(&run->documents, &meta, &fuzz.cache);
    if (run->encoder != NULL) event_encode(run, b, ev);
    arena_reset(&fuzz.arena);
}

static void stream_take(void *owner, struct batch *b, const struct sel *sel)
{
    for (uint32_t i = 0; i < sel->n; i++) event_take(owner, b, &b->event[sel->at[i]]);
}

/* ---- runs -------------------------------------------------------------------------- */

static uint32_t piece_next(uint32_t *chance)
{
    *chance = *chance * 1664525 + 1013904223;
    uint32_t bits = *chance >> 24;
    return bits < 64 ? 1 : bits < 192 ? bits % 23 + 1 : bits * 7;
}

/* `cut`: in pieces that follow from `chance`; `idle`: with quiet times between them. */
static void stream_run(struct run *run, const struct codec *codec, slice bytes, bool dense,
                       bool cut, bool idle, uint32_t chance)
{
    codec_stage_owner = run;
    codec_stage_open(&fuzz.stage, codec);
    while (bytes.n > 0 && run->events < EVENTS_MAX) {
        uint32_t n = cut ? piece_next(&chance) : dense ? 64 : bytes.n;
        if (dense && n > 64) n = 64;
        slice piece = slice_part(bytes, 0, n);
        codec_stage_bytes(&fuzz.stage, piece);
        if (idle && codec->idle_ns > 0) codec_stage_idle(&fuzz.stage);
        bytes = slice_from(bytes, piece.n);
    }
    codec_stage_close(&fuzz.stage, true);
}

static void message_run(struct run *run, const struct codec *codec, void *state, slice message,
                        bool stays)
{
    struct batch *b = &fuzz.batch;
    struct blob outlives = {.pins = 1};
    struct decode d = {
        .batch = b, .events_max = BATCH_EVENTS_MAX, .blob = stays ? &outlives : NULL, .end = true};
    char *copy = calloc(1, (size_t)message.n + JSON_PAD);
    ASSERT(copy != NULL);
    if (message.n > 0) memcpy(copy, message.p, message.n);
    for (uint32_t at = 0; run->events < EVENTS_MAX;) {
        slice rest = slice_make(copy + at, message.n - at);
        uint32_t used = codec->ops->decode(state, codec->cfg, rest, &d);
        bool full = b->n >= d.events_max;
        ASSERT(used <= rest.n);
        at += used;
        if (!stays) memset(copy, 'X', at);
        for (uint32_t i = 0; i < b->n; i++) event_take(run, b, &b->event[i]);
        batch_reset(b);
        b->now_ns = CODEC_STAGE_NOW_NS;
        if (at == message.n || (used == 0 && !full)) break;
    }
    free(copy);
    if (codec->ops->flush != NULL) codec->ops->flush(state, codec->cfg, &d);
    for (uint32_t i = 0; i < b->n; i++) event_take(run, b, &b->event[i]);
    batch_reset(b);
}

/* The same message twice, cut in two the second time: codecs keep state between messages. */
static void messages_run(struct run *run, const struct codec *codec, slice bytes, bool stays,
                         uint32_t chance)
{
    void *state = codec_stage_start(codec);
    uint32_t half = bytes.n == 0 ? 0 : chance % bytes.n;
    fuzz.batch.now_ns = CODEC_STAGE_NOW_NS;
    message_run(run, codec, state, bytes, stays);
    message_run(run, codec, state, slice_part(bytes, 0, half), stays);
    message_run(run, codec, state, slice_from(bytes, half), stays);
    codec_stage_stop(codec, state);
}

static void runs_compare(const struct run *a, const struct run *b)
{
    if (a->events >= EVENTS_MAX || b->events >= EVENTS_MAX) return;
    if (a->events == b->events && slice_equal(buf_slice(&a->documents), buf_slice(&b->documents)))
        return;
    printf("%u events:\n%.*s\n%u events:\n%.*s\n", a->events, SLICE_FMT(buf_slice(&a->documents)),
           b->events, SLICE_FMT(buf_slice(&b->documents)));
    fflush(stdout);
    ASSERT(a->events == b->events);
    ASSERT(slice_equal(buf_slice(&a->documents), buf_slice(&b->documents)));
}

/* ---- set-up ------------------------------------------------------------------------ */

static void plan_make(void)
{
    static struct heap heap, settings_heap;
    static struct diag diag;
    struct buf config = {0};
    for (uint32_t i = 0; i < ARRAY_LEN(decoders); i++)
        buf_printf(&config, "input { probe { codec => %s } }\n", decoders[i].config);
    for (uint32_t i = 0; i < ARRAY_LEN(encoders); i++)
        buf_printf(&config, "output { sink { codec => %s } }\n", encoders[i]);
    struct ast *ast = heap_alloc(&heap, sizeof(*ast));
    struct process_settings *settings = process_settings_new(&settings_heap);
    const struct source *source = source_new(&heap, SLICE("fuzz"), buf_slice(&config));
    err e = process_settings_finish(settings, &diag);
    if (e == ERR_OK) e = ast_parse(source, (struct ast_options){0}, &heap, &diag, ast);
    if (e == ERR_OK)
        fuzz.plan = plan_compile(ast, &heap, &diag, codec_stage_registry(), settings, NULL);
    if (fuzz.plan == NULL) diag_print_file(&diag, stderr);
    ASSERT(fuzz.plan != NULL);
    buf_fini(&config);
}

static void set_up(void)
{
    if (fuzz.plan != NULL) return;
    parsers_init(cpu_init());
    log_set_level(LOG_FATAL);
    plan_make();
    codec_stage_init(&fuzz.stage, fuzz.plan);
    codec_stage_take = stream_take;
    page_pool_init(&fuzz.pool, SIZE_MAX);
    batch_init(&fuzz.batch, &fuzz.pool);
    arena_init(&fuzz.arena, &fuzz.pool);
    json_reader_init(&fuzz.reader);
}

static void run_begin(struct run *run, const struct codec *encoder)
{
    *run = (struct run){.encoder = encoder};
    if (encoder != NULL) run->encoder_state = codec_stage_start(encoder);
}

static void run_end(struct run *run)
{
    if (run->encoder != NULL) codec_stage_stop(run->encoder, run->encoder_state);
    buf_fini(&run->documents);
    buf_fini(&run->encoded);
}

/* What could not be decoded until now. */
static uint64_t lost_count(void)
{
    const struct input_counters *c = &fuzz.stage.counters;
    return counter_read(&c->decode_failures) + counter_read(&c->decode_drops);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    set_up();
    if (size < 3 || size > INPUT_BYTES_MAX) return 0;
    uint32_t at = data[0] % ARRAY_LEN(decoders), chance = data[1];
    const struct codec *codec = codec_stage_decoder(fuzz.plan, at);
    const struct codec *encoder = codec_stage_encoder(fuzz.plan, data[2] % ARRAY_LEN(encoders));
    slice bytes = slice_make((const char *)data + 3, size - 3);
    int kind = decoders[at].kind;
    struct run whole, cut;
    if (kind & MESSAGES) {
        run_begin(&whole, encoder);
        run_begin(&cut, NULL);
        messages_run(&whole, codec, bytes, true, chance);
        messages_run(&cut, codec, bytes, false, chance);
        runs_compare(&whole, &cut);
        run_end(&whole);
        run_end(&cut);
    }
    if (kind & STREAM) {
        bool dense = kind & DENSE, idle = codec->idle_ns > 0 && chance >= 192;
        run_begin(&whole, encoder);
        run_begin(&cut, NULL);
        uint64_t lost = lost_count();
        stream_run(&whole, codec, bytes, dense, false, false, 0);
        lost = lost_count() - lost;
        stream_run(&cut, codec, bytes, dense, true, idle, chance);
        /* Codecs that find their messages by what is in them, and those that decompress, show or
         * drop what has come when it cannot be read. */
        if (!idle && (lost == 0 || kind == STREAM)) runs_compare(&whole, &cut);
        run_end(&whole);
        run_end(&cut);
    }
    return 0;
}
