/*
 * netflow.c - flow records of NetFlow 5 and 9 and of IPFIX, one event each.
 *
 * Templates are kept in the codec's state (one per connection or, of UDP, per shard) by version,
 * source and number, and are forgotten after cache_ttl seconds. Data that comes before its
 * template cannot be read and is left out, with a log line; so are packets that are broken.
 * Times follow logstash-codec-netflow to the letter, its arithmetic of *_switched included.
 */
#include "parsers/wire/netflow.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/civil.h"
#include "engine/base/log.h"
#include "engine/event/time_format.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/text_event.h"

#define NS_PER_SEC INT64_C(1000000000)
#define NTP_EPOCH_SEC INT64_C(-2208988800) /* 1900-01-01 */
#define TEMPLATES_MAX 4096u
#define VERSIONS_MAX 11u

struct column {
    struct key key; /* .name.p NULL: not shown */
    uint16_t length;
    uint8_t type;
};

struct flow_template {
    uint16_t version, id;
    uint32_t source, n, bytes; /* bytes of a record, without variable fields */
    int64_t until_ns;
    struct column *column; /* heap */
};

struct netflow_cfg {
    int64_t cache_ttl_sec;
    slice target_name;
    bool include_flowset_id;
    struct config_list versions;

    struct fieldref target;
    bool wanted[VERSIONS_MAX];
    struct flow_template v5;
};

struct netflow_state {
    struct flow_template *template;
    uint32_t n, cap;
    struct log_gate gate;
};

struct flow_run {
    struct netflow_state *state;
    const struct netflow_cfg *cfg;
    struct batch *batch;
    const struct decode *decode;
    struct netflow_packet packet;
    uint16_t set_id;
};

static void complain(struct netflow_state *s, const char *why, uint32_t number)
{
    uint64_t held;
    if (log_gate_open(&s->gate, &held))
        log_warn("codecs.netflow", "%s %u (%llu more since the last report)", why, number,
                 (unsigned long long)held);
}

/* ---- templates ---------------------------------------------------------------- */

static struct column column_make(const struct netflow_field *field, uint16_t length)
{
    struct column column = {.length = length, .type = field->type};
    if (field->name != NULL) column.key = key_borrow(slice_from_cstr(field->name));
    return column;
}

static struct flow_template *template_find(struct netflow_state *s, const struct flow_run *r,
                                           uint16_t id)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct flow_template *t = &s->template[i];
        if (t->id == id && t->source == r->packet.source && t->version == r->packet.version)
            return t;
    }
    return NULL;
}

static void template_drop(struct netflow_state *s, struct flow_template *t)
{
    free(t->column);
    *t = s->template[--s->n];
}

/* Takes over the columns. */
static void template_store(struct flow_run *r, const struct flow_template *made)
{
    struct netflow_state *s = r->state;
    struct flow_template *old = template_find(s, r, made->id);
    if (old != NULL) template_drop(s, old);
    for (uint32_t i = s->n; i > 0; i--)
        if (s->template[i - 1].until_ns < r->batch->now_ns) template_drop(s, &s->template[i - 1]);
    if (s->n == TEMPLATES_MAX) {
        complain(s, "too many templates, left out is", made->id);
        free(made->column);
        return;
    }
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 16 : s->cap * 2;
        s->template = realloc(s->template, s->cap * sizeof(*s->template));
        ASSERT(s->template != NULL);
    }
    s->template[s->n++] = *made;
}

static const struct netflow_field *field_of(const struct flow_run *r,
                                            const struct netflow_spec *spec, bool scope)
{
    if (r->packet.version == 9)
        return scope ? netflow_scope_field(spec->number) : netflow_v9_field(spec->number);
    return spec->enterprise == 0 ? netflow_ipfix_field(spec->number) : NULL;
}

static void template_take(struct flow_run *r, const struct netflow_template *t)
{
    struct flow_template made = {.version = r->packet.version,
                                 .id = t->id,
                                 .source = r->packet.source,
                                 .until_ns = r->batch->now_ns + r->cfg->cache_ttl_sec * NS_PER_SEC};
    slice specs = t->specs;
    struct netflow_spec spec;
    made.column = calloc(t->field_n + 1, sizeof(*made.column));
    ASSERT(made.column != NULL);
    for (uint32_t i = 0; netflow_spec_next(made.version, &specs, &spec); i++) {
        if (made.version == 9 && spec.length == 0) continue;
        const struct netflow_field *field = field_of(r, &spec, i < t->scope_n);
        if (field == NULL) {
            complain(r->state, "unsupported field in a template:", spec.number);
            free(made.column);
            return;
        }
        made.column[made.n++] = column_make(field, spec.length);
        made.bytes += spec.length == NETFLOW_VARIABLE && made.version != 9 ? 1 : spec.length;
    }
    template_store(r, &made);
}

/* ---- records ------------------------------------------------------------------ */

static struct value time_value(int64_t ns, struct arena *arena)
{
    struct time_iso_cache cache = {0};
    char *text = arena_alloc(arena, TIME_ISO_BYTES_MAX, 1);
    return value_clean(slice_make(text, time_iso_write(ns, &cache, text)));
}

/* An uptime as a time; the microseconds are those of Logstash. */
static int64_t switched_ns(const struct netflow_packet *p, uint64_t uptime_ms)
{
    int64_t past_ms = (int64_t)p->uptime_ms - (int64_t)(uint32_t)uptime_ms;
    int64_t whole = civil_floor_div(past_ms, 1000), part = past_ms - whole * 1000;
    int64_t micros = p->version == 5 ? (int64_t)(p->unix_nsec / 1000) - part : 1000000 - part;
    if (micros < 0) micros += 1000000;
    return ((int64_t)p->unix_sec - whole) * NS_PER_SEC + micros * 1000;
}

static struct value column_value(const struct flow_run *r, const struct column *column, slice bytes)
{
    struct arena *arena = &r->batch->arena;
    uint64_t num = netflow_uint(bytes);
    int64_t ns;
    switch (column->type) {
    case NETFLOW_SWITCHED: return time_value(switched_ns(&r->packet, num), arena);
    case NETFLOW_SECONDS: return time_value((int64_t)(uint32_t)num * NS_PER_SEC, arena);
    case NETFLOW_MILLISECONDS:
        if (num > INT64_MAX || __builtin_mul_overflow((int64_t)num, INT64_C(1000000), &ns)) break;
        return time_value(ns, arena);
    case NETFLOW_NTP:
        ns = (int64_t)((num & UINT32_MAX) * (uint64_t)NS_PER_SEC >> 32);
        return time_value((NTP_EPOCH_SEC + (int64_t)(num >> 32)) * NS_PER_SEC + ns, arena);
    default: break;
    }
    return netflow_value(column->type, bytes, arena);
}

static void put(struct map *map, struct arena *arena, const char *name, uint32_t num)
{
    map_put(map, arena, key_borrow(slice_from_cstr(name)), value_int(num));
}

/* What the packet's header gives to each event. */
static void header_put(const struct flow_run *r, struct map *map)
{
    const struct netflow_packet *p = &r->packet;
    struct arena *arena = &r->batch->arena;
    put(map, arena, "version", p->version);
    if (p->version != 10) put(map, arena, "flow_seq_num", p->sequence);
    if (p->version == 9 || (p->version == 10 && r->cfg->include_flowset_id))
        put(map, arena, "flowset_id", r->set_id);
    if (p->version != 5) return;
    put(map, arena, "engine_type", p->engine_type);
    put(map, arena, "engine_id", p->engine_id);
    put(map, arena, "sampling_algorithm", p->sampling_algorithm);
    put(map, arena, "sampling_interval", p->sampling_interval);
    put(map, arena, "flow_records", p->count);
}

/* The record at the front of `data`; false when it is not all there or has no bytes. */
static bool record_event(const struct flow_run *r, const struct flow_template *t, slice *data)
{
    struct map map = {0};
    slice rest = *data;
    map_reserve(&map, &r->batch->arena, 16);
    header_put(r, &map);
    for (uint32_t i = 0; i < t->n; i++) {
        const struct column *column = &t->column[i];
        uint16_t length = column->length;
        slice bytes;
        if (t->version == 9 && length == NETFLOW_VARIABLE) return false;
        if (!netflow_bytes_next(length, &rest, &bytes)) return false;
        if (column->key.name.p == NULL || column->type == NETFLOW_SKIP) continue;
        map_put(&map, &r->batch->arena, column->key, column_value(r, column, bytes));
    }
    if (rest.n == data->n) return false;
    *data = rest;
    struct event *ev = codec_event(r->batch, &r->cfg->target, map);
    if (ev == NULL) return false;
    int64_t ns = (int64_t)r->packet.unix_sec * NS_PER_SEC;
    if (t->version == 5) ns += r->packet.unix_nsec / 1000 * 1000;
    ev->time = value_time(ns);
    return true;
}

static void set_decode(struct flow_run *r, const struct netflow_set *set)
{
    slice body = set->body;
    r->set_id = set->id;
    if (netflow_set_is_template(set)) {
        struct netflow_template t;
        while (netflow_template_next(r->packet.version, set->id, &body, &t)) template_take(r, &t);
        return;
    }
    struct flow_template *t = template_find(r->state, r, set->id);
    if (t != NULL && t->until_ns < r->batch->now_ns) {
        template_drop(r->state, t);
        t = NULL;
    }
    if (t == NULL) {
        decode_dropped(r->decode);
        complain(r->state, "no template has been received yet for flowset", set->id);
        return;
    }
    if (t->version == 9 && t->bytes > body.n)
        complain(r->state, "the template is longer than its flowset, skipping", set->id);
    while (body.n >= t->bytes && record_event(r, t, &body)) continue;
}

static uint32_t decode(void *state, const void *cfg_, slice in, struct decode *d)
{
    const struct netflow_cfg *cfg = cfg_;
    struct flow_run r = {.state = state, .cfg = cfg, .batch = d->batch, .decode = d};
    bool good = netflow_packet_read(in, &r.packet);
    uint16_t version = r.packet.version;
    if (version >= VERSIONS_MAX || !cfg->wanted[version]) {
        decode_dropped(d);
        complain(state, "ignoring NetFlow version", version);
    } else if (!good) {
        decode_dropped(d);
        complain(state, "invalid packet of NetFlow version", version);
    } else if (version == 5) {
        slice body = r.packet.body;
        while (body.n > 0 && record_event(&r, &cfg->v5, &body)) continue;
    } else {
        slice body = r.packet.body;
        struct netflow_set set;
        while (netflow_set_next(&body, &set)) set_decode(&r, &set);
    }
    return in.n;
}

/* ---- life --------------------------------------------------------------------- */

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    struct netflow_state *s = state;
    for (uint32_t i = 0; i < s->n; i++) free(s->template[i].column);
    free(s->template);
}

/* Version 5 has one layout: fields of version 9, with gaps. */
static void compile_v5(struct netflow_cfg *cfg, struct compiler *c)
{
    static const struct {
        uint8_t number, length;
    } fields[] = {{8, 4},  {12, 4}, {15, 4}, {10, 2}, {14, 2}, {2, 4}, {1, 4},
                  {22, 4}, {21, 4}, {7, 2},  {11, 2}, {43, 1}, {6, 1}, {4, 1},
                  {5, 1},  {16, 2}, {17, 2}, {9, 1},  {13, 1}, {43, 2}};
    cfg->v5.version = 5;
    cfg->v5.n = sizeof(fields) / sizeof(fields[0]);
    cfg->v5.column = heap_alloc(c->heap, cfg->v5.n * sizeof(struct column));
    for (uint32_t i = 0; i < cfg->v5.n; i++)
        cfg->v5.column[i] = column_make(netflow_v9_field(fields[i].number), fields[i].length);
}

static err compile(void *config, struct compiler *c)
{
    struct netflow_cfg *cfg = config;
    for (uint32_t i = 0; i < cfg->versions.n; i++) {
        int64_t version;
        if (!slice_to_i64(cfg->versions.at[i].text, &version) ||
            (version != 5 && version != 9 && version != 10)) {
            diag_error(c->diag, cfg->versions.at[i].pos, "5, 9 or 10",
                       "there is no NetFlow version `%.*s` here",
                       SLICE_FMT(cfg->versions.at[i].text));
            return ERR_CONFIG;
        }
        cfg->wanted[version] = true;
    }
    compile_v5(cfg, c);
    return compile_field_option(c, &cfg->target, "target", cfg->target_name);
}

#define NETFLOW_AT(member, kind) SETTING_AT(struct netflow_cfg, member, kind)

/* clang-format off */
static const struct setting netflow_settings[] = {
    {.name = "cache_ttl", NETFLOW_AT(cache_ttl_sec, INT), .default_text = "4000", .min = 1,
     .max = 1000000000, .doc = "Seconds after which a template is forgotten."},
    {.name = "target", NETFLOW_AT(target_name, STRING), .default_text = "netflow",
     .doc = "Field that receives the flow record."},
    {.name = "include_flowset_id", NETFLOW_AT(include_flowset_id, BOOL), .default_text = "false",
     .doc = "Add flowset_id to records of IPFIX; those of version 9 always have it."},
    {.name = "versions", NETFLOW_AT(versions, LIST), .default_text = "[5, 9, 10]",
     .doc = "Versions to take; 10 is IPFIX. Other packets are left out."},
    {.name = "cache_save_path", .type = SETTING_STRING, .flags = SETTING_UNSUPPORTED,
     .instead = "Templates are kept in memory only; exporters send them again.",
     .doc = "Folder for templates."},
    {.name = "netflow_definitions", .type = SETTING_STRING, .flags = SETTING_UNSUPPORTED,
     .instead = "The fields of NetFlow 9 are built in.", .doc = "File of further fields."},
    {.name = "ipfix_definitions", .type = SETTING_STRING, .flags = SETTING_UNSUPPORTED,
     .instead = "The fields of IPFIX are built in.", .doc = "File of further fields."},
    {0}};
/* clang-format on */

const struct codec_ops codec_netflow = {
    .name = "netflow",
    .doc = "Flow records of NetFlow 5, NetFlow 9 and IPFIX; decodes only.",
    .settings = netflow_settings,
    .cfg_size = sizeof(struct netflow_cfg),
    .state_size = sizeof(struct netflow_state),
    .compile = compile,
    .decode = decode,
    .stop = stop,
};
