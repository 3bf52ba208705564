/*
 * cef.c - the Common Event Format of ArcSight, in and out.
 *
 * parsers/text/cef takes the text apart; this file knows which field each key becomes. The names
 * are looked up in a table that is compiled once: with ECS off the full CEF name, else its place
 * in ECS, where times become timestamps. A text that is no CEF becomes an event with the text in
 * `message` and the tag _cefparsefailure.
 */
#include "parsers/text/cef.h"

#include "engine/base/log.h"
#include "engine/base/tz.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/text_event.h"
#include "parsers/scan/utf8_scan.h"
#include "parsers/text/cef_fields.h"
#include "parsers/text/cef_time.h"
#include "parsers/text/ruby_number.h"

#define CEF_TABLE_SLOTS 2048u /* a power of two, more than twice the names */
#define CEF_TIMES_MAX 16u

enum { HEADER_VENDOR, HEADER_PRODUCT, HEADER_VERSION, HEADER_SIGNATURE, HEADER_NAME, HEADERS };
enum { DEVICE_OBSERVER, DEVICE_HOST };
static const char *const devices[] = {"observer", "host", NULL};

/* Where a key's value goes. */
struct cef_target {
    struct fieldref ref;
    struct key key; /* when it is one plain field */
    bool plain, zone;
    uint8_t time; /* its number among the times plus one; 0: none */
};

struct cef_slot {
    slice name; /* .p NULL: free */
    const struct cef_target *target;
};

struct cef_out {
    struct fieldref ref;
    slice key;
};

struct cef_cfg {
    slice header_text[HEADERS], severity_text, delimiter, timezone_name, locale, raw_field_name;
    struct config_list fields;
    bool reverse_mapping;
    int device;

    bool ecs;
    struct cef_slot *slot;
    struct cef_target header[CEF_HEADER_FIELDS], syslog;
    const struct cef_target *time[CEF_TIMES_MAX];
    uint32_t time_n;
    struct fieldref raw_field;
    struct template header_template[HEADERS], severity;
    struct cef_out *out;
    uint32_t out_n;
    struct date_word_set months;
    const struct tz *zone;
};

struct cef_state {
    struct buf text;
    struct log_gate gate;
};

static const slice header_defaults[HEADERS] = {
    {"Elasticsearch", 13}, {"Logstash", 8}, {"1.0", 3}, {"Logstash", 8}, {"Logstash", 8}};

/* ---- decoding ----------------------------------------------------------------- */

struct cef_run {
    const struct cef_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    slice time[CEF_TIMES_MAX]; /* .p NULL: not seen */
    slice zone;
};

static const struct cef_target *target_find(const struct cef_cfg *cfg, slice name)
{
    uint32_t at = hash_key(name.p, name.n);
    for (;; at++) {
        const struct cef_slot *slot = &cfg->slot[at & (CEF_TABLE_SLOTS - 1)];
        if (slot->name.p == NULL) return NULL;
        if (slice_equal(slot->name, name)) return slot->target;
    }
}

static bool target_set(struct cef_run *r, const struct cef_target *target, slice text)
{
    struct value val = value_string(text);
    if (!target->plain) return event_put(r->batch, r->ev, &target->ref, val) == ERR_OK;
    map_put(&r->ev->data, &r->batch->arena, target->key, val);
    return true;
}

/* A key that CEF does not define: name[0] is [name][0]. */
static bool unknown_set(struct cef_run *r, slice key, slice text)
{
    struct arena *arena = &r->batch->arena;
    int64_t bracket = slice_find_byte(key, '[');
    if (bracket >= 0) {
        slice base = arena_join(arena, SLICE("["), slice_part(key, 0, (uint32_t)bracket));
        slice index = arena_join(arena, SLICE("]"), slice_from(key, (uint32_t)bracket));
        return event_put_named(r->batch, r->ev, arena_join(arena, base, index), value_string(text));
    }
    if (!field_is_plain(key)) return event_put_named(r->batch, r->ev, key, value_string(text));
    map_put(&r->ev->data, arena, key_borrow(key), value_string(text));
    return true;
}

static bool pair_set(struct cef_run *r, const struct cef_pair *pair)
{
    slice text = cef_value_unescape(pair->value, &r->batch->arena);
    const struct cef_target *target = target_find(r->cfg, pair->key);
    if (target == NULL) return unknown_set(r, pair->key, text);
    if (target->zone) r->zone = text;
    if (target->time == 0) return target_set(r, target, text);
    r->time[target->time - 1] = text;
    return true;
}

static bool times_set(struct cef_run *r)
{
    const struct cef_cfg *cfg = r->cfg;
    const struct tz *zone = r->zone.p == NULL ? cfg->zone : tz_find(r->zone);
    for (uint32_t i = 0; i < cfg->time_n; i++) {
        if (r->time[i].p == NULL) continue;
        struct value val = value_nil();
        int64_t ns;
        if (slice_trim(r->time[i]).n > 0) {
            if (!cef_time_parse(r->time[i], &cfg->months, zone, r->batch->now_ns, &ns))
                return false;
            val = value_time(ns);
        }
        if (event_put(r->batch, r->ev, &cfg->time[i]->ref, val) != ERR_OK) return false;
    }
    return true;
}

static bool fields_set(struct cef_run *r, slice text)
{
    struct cef_header header;
    if (!cef_header_read(text, &r->batch->arena, &header)) return false;
    if (r->cfg->raw_field_name.p == NULL) map_reserve(&r->ev->data, &r->batch->arena, 16);
    for (uint32_t i = 0; i < CEF_HEADER_FIELDS; i++)
        if (!target_set(r, &r->cfg->header[i], header.field[i])) return false;
    if (header.syslog.p != NULL && !target_set(r, &r->cfg->syslog, header.syslog)) return false;
    struct cef_pair pair;
    for (uint32_t n = 0; cef_pair_next(&header.rest, &pair); n++)
        if (n == CEF_PAIRS_MAX || !pair_set(r, &pair)) return false;
    return header.rest.n == 0 && times_set(r);
}

static slice newline_cut(slice text)
{
    if (text.n > 0 && text.p[text.n - 1] == '\n')
        text.n--;
    else if (text.n > 0 && text.p[text.n - 1] == '\r')
        return slice_part(text, 0, text.n - 1);
    else
        return text;
    if (text.n > 0 && text.p[text.n - 1] == '\r') text.n--;
    return text;
}

static void message_decode(void *state_, const void *cfg_, slice message, struct decode *d)
{
    struct cef_state *state = state_;
    struct cef_run r = {.cfg = cfg_, .batch = d->batch, .ev = batch_add(d->batch)};
    if (r.ev == NULL) return;
    bool valid = utf8_scan_valid(message);
    slice text = message;
    if (valid && text.n > 0 && text.p[0] == '"') {
        /* Some connectors quote the whole message; the last character goes, whatever it is. */
        text = slice_from(text, 1);
        while (text.n > 0 && ((unsigned char)text.p[text.n - 1] & 0xC0) == 0x80) text.n--;
        if (text.n > 0) text.n--;
    }
    bool good = valid;
    if (good && r.cfg->raw_field_name.p != NULL)
        good = event_put(r.batch, r.ev, &r.cfg->raw_field, value_string(message)) == ERR_OK;
    slice line = newline_cut(text);
    if (good && slice_find_byte(line, '\n') < 0 && fields_set(&r, line)) {
        event_add_version(r.batch, r.ev);
        return;
    }
    uint64_t held;
    if (log_gate_open(&state->gate, &held))
        log_error("codecs.cef",
                  "failed to decode a CEF message: it is in the message field of its "
                  "event (%llu more since the last report)",
                  (unsigned long long)held);
    codec_fail(d, r.ev, text, SLICE("_cefparsefailure"));
}

static bool cef_ends_at_newline(const void *cfg)
{
    return slice_ends(((const struct cef_cfg *)cfg)->delimiter, SLICE("\n"));
}

static uint32_t cef_decode(void *state, const void *cfg_, slice in, struct decode *d)
{
    const struct cef_cfg *cfg = cfg_;
    if (cfg->delimiter.p != NULL)
        return codec_frames(in, cfg->delimiter, d, message_decode, state, cfg);
    message_decode(state, cfg, decode_keep(d, in), d);
    return in.n;
}

/* ---- encoding ----------------------------------------------------------------- */

static void severity_add(const struct cef_cfg *cfg, struct cef_state *s, struct batch *b,
                         struct event *ev, struct buf *out)
{
    s->text.n = 0;
    template_add(&cfg->severity, b, ev, &s->text, NULL);
    slice text = slice_trim(buf_slice(&s->text));
    double real;
    if (!ruby_float_parse(text, &b->arena, &real) || real < 0 || real > 10 ||
        real != (double)(int)real) {
        buf_add_byte(out, '6');
        return;
    }
    struct value whole = ruby_to_i(text, &b->arena);
    value_text_ruby(&whole, &b->arena, out);
}

static void field_add(const struct cef_out *field, struct cef_state *s, struct batch *b,
                      struct event *ev, struct buf *out, bool *first)
{
    struct value *val = event_get(b, ev, &field->ref);
    if (val == NULL || val->type == VALUE_NIL) return;
    if (!*first) buf_add_byte(out, ' ');
    *first = false;
    buf_add_slice(out, field->key);
    buf_add_byte(out, '=');
    s->text.n = 0;
    if (val->type == VALUE_LIST || val->type == VALUE_MAP)
        value_json(val, &s->text);
    else
        value_text_ruby(val, &b->arena, &s->text);
    cef_value_add(out, buf_slice(&s->text));
}

static void cef_encode(void *state, const void *cfg_, struct batch *b, struct event *ev,
                       struct buf *out)
{
    const struct cef_cfg *cfg = cfg_;
    struct cef_state *s = state;
    buf_add(out, "CEF:0|", 6);
    for (uint32_t i = 0; i < HEADERS; i++) {
        s->text.n = 0;
        template_add(&cfg->header_template[i], b, ev, &s->text, NULL);
        if (s->text.n == 0)
            buf_add_slice(out, header_defaults[i]);
        else
            cef_header_add(out, buf_slice(&s->text));
        buf_add_byte(out, '|');
    }
    severity_add(cfg, s, b, ev, out);
    buf_add_byte(out, '|');
    bool first = true;
    for (uint32_t i = 0; i < cfg->out_n; i++) field_add(&cfg->out[i], s, b, ev, out, &first);
    if (cfg->delimiter.p != NULL) buf_add_slice(out, cfg->delimiter);
}

static void cef_stop(void *state, const void *cfg)
{
    (void)cfg;
    buf_fini(&((struct cef_state *)state)->text);
}

/* ---- compiling ---------------------------------------------------------------- */

static void table_add(struct cef_cfg *cfg, const char *name_text, const struct cef_target *target)
{
    slice name = slice_from_cstr(name_text);
    uint32_t at = hash_key(name.p, name.n);
    for (;; at++) {
        struct cef_slot *slot = &cfg->slot[at & (CEF_TABLE_SLOTS - 1)];
        if (slot->name.p != NULL && !slice_equal(slot->name, name)) continue;
        *slot = (struct cef_slot){name, target};
        return;
    }
}

static err target_make(struct compiler *c, struct cef_target *out, const char *text)
{
    slice name = slice_from_cstr(text);
    if (name.n > 2 && name.p[0] == '[' && slice_find_byte(name, ']') == name.n - 1)
        name = slice_part(name, 1, name.n - 2);
    out->plain = field_is_plain(name);
    if (out->plain) out->key = compile_key(c, name);
    out->zone = slice_equal(name, SLICE("[event][timezone]"));
    return fieldref_parse(&out->ref, name, c->arena);
}

static const char *field_place(const struct cef_cfg *cfg, const struct cef_field *field)
{
    if (!cfg->ecs) return field->name;
    return cfg->device == DEVICE_HOST ? field->ecs_host : field->ecs;
}

static err compile_table(struct cef_cfg *cfg, struct compiler *c)
{
    err e = ERR_OK;
    cfg->slot = heap_alloc(c->heap, CEF_TABLE_SLOTS * sizeof(*cfg->slot));
    for (uint32_t i = 0; i < cef_field_n && e == ERR_OK; i++) {
        const struct cef_field *field = &cef_fields[i];
        struct cef_target *target = heap_alloc(c->heap, 2 * sizeof(*target));
        e = target_make(c, target, field_place(cfg, field));
        if (e != ERR_OK) return e;
        if (cfg->ecs && field->time) {
            cfg->time[cfg->time_n++] = target;
            target->time = (uint8_t)cfg->time_n;
        }
        table_add(cfg, field->key, target);
        table_add(cfg, field->name, target);
        if (field->legacy == NULL) continue;
        if (!cfg->ecs) e = target_make(c, ++target, field->legacy);
        table_add(cfg, field->legacy, target);
    }
    return e;
}

static err compile_header(struct cef_cfg *cfg, struct compiler *c)
{
    static const char *const names[2][CEF_HEADER_FIELDS + 1] = {
        {"cefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId",
         "name", "severity", "syslog"},
        {"[cef][version]", "[observer][vendor]", "[observer][product]", "[observer][version]",
         "[event][code]", "[cef][name]", "[event][severity]", "[log][syslog][header]"}};
    err e = target_make(c, &cfg->syslog, names[cfg->ecs][CEF_HEADER_FIELDS]);
    for (uint32_t i = 0; i < CEF_HEADER_FIELDS && e == ERR_OK; i++)
        e = target_make(c, &cfg->header[i], names[cfg->ecs][i]);
    return e;
}

/* What the encoder calls a field: fields given by their place have the name of the last entry. */
static slice out_name(const struct cef_cfg *cfg, slice given)
{
    slice name = given;
    for (uint32_t i = 0; i < cef_field_n; i++) {
        const struct cef_field *field = &cef_fields[i];
        const char *as = cfg->reverse_mapping ? field->key : field->name;
        if (slice_equal(given, slice_from_cstr(field_place(cfg, field))) ||
            slice_equal(given, slice_from_cstr(field->name)))
            name = slice_from_cstr(as);
        if (cfg->reverse_mapping && field->legacy != NULL &&
            slice_equal(given, slice_from_cstr(field->legacy)))
            name = slice_from_cstr(field->key);
    }
    return name;
}

static err compile_fields(struct cef_cfg *cfg, struct compiler *c)
{
    cfg->out_n = cfg->fields.n;
    cfg->out = heap_alloc(c->heap, (cfg->fields.n + 1) * sizeof(*cfg->out));
    for (uint32_t i = 0; i < cfg->fields.n; i++) {
        slice name = cfg->fields.at[i].text;
        if (compile_fieldref(c, &cfg->out[i].ref, name, cfg->fields.at[i].pos) != ERR_OK)
            return ERR_CONFIG;
        slice key = out_name(cfg, name);
        char *text = heap_alloc(c->heap, key.n + 1);
        uint32_t n = 0;
        for (uint32_t k = 0; k < key.n; k++) {
            char ch = key.p[k], lower = (char)(ch | 0x20);
            if ((lower >= 'a' && lower <= 'z') || (ch >= '0' && ch <= '9')) text[n++] = ch;
        }
        cfg->out[i].key = slice_make(text, n);
    }
    return ERR_OK;
}

static err compile_delimiter(struct cef_cfg *cfg, struct compiler *c)
{
    if (cfg->delimiter.p == NULL) return ERR_OK;
    char *text = heap_alloc(c->heap, cfg->delimiter.n + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < cfg->delimiter.n; i++) {
        slice rest = slice_from(cfg->delimiter, i);
        bool escape = slice_starts(rest, SLICE("\\r")) || slice_starts(rest, SLICE("\\n"));
        text[n++] = !escape ? rest.p[0] : rest.p[1] == 'r' ? '\r' : '\n';
        i += escape;
    }
    cfg->delimiter = slice_make(text, n);
    if (n > 0) return ERR_OK;
    compile_error(c, "delimiter", "at least one character", "the delimiter is empty");
    return ERR_CONFIG;
}

static err compile_times(struct cef_cfg *cfg, struct compiler *c)
{
    date_word_set_init(&cfg->months, cfg->locale, DATE_WORDS_MONTH);
    cfg->zone = cfg->timezone_name.p == NULL ? tz_host() : tz_load(cfg->timezone_name);
    if (cfg->zone == NULL) {
        compile_error(c, "default_timezone", "a time zone such as Europe/Berlin or +02:00",
                      "unknown time zone `%.*s`", SLICE_FMT(cfg->timezone_name));
        return ERR_CONFIG;
    }
    if (cfg->ecs) tz_load_all(); /* Messages name zones later, when nothing may be loaded. */
    return ERR_OK;
}

static err cef_compile(void *config, struct compiler *c)
{
    struct cef_cfg *cfg = config;
    static const char *const options[HEADERS] = {"vendor", "product", "version", "signature",
                                                 "name"};
    cfg->ecs = compiler_is_ecs(c);
    err e = compile_delimiter(cfg, c);
    if (e == ERR_OK) e = compile_times(cfg, c);
    if (e == ERR_OK) e = compile_header(cfg, c);
    if (e == ERR_OK) e = compile_table(cfg, c);
    if (e == ERR_OK) e = compile_fields(cfg, c);
    if (e == ERR_OK)
        e = compile_field_option(c, &cfg->raw_field, "raw_data_field", cfg->raw_field_name);
    for (uint32_t i = 0; i < HEADERS && e == ERR_OK; i++)
        e = compile_template(c, &cfg->header_template[i], cfg->header_text[i],
                             settings_pos(c->plugin, options[i]));
    if (e != ERR_OK) return e;
    return compile_template(c, &cfg->severity, cfg->severity_text,
                            settings_pos(c->plugin, "severity"));
}

static void cef_release(void *config)
{
    struct cef_cfg *cfg = config;
    date_word_set_fini(&cfg->months);
    for (uint32_t i = 0; i < HEADERS; i++) template_fini(&cfg->header_template[i]);
    template_fini(&cfg->severity);
}

#define CEF_AT(member, kind) SETTING_AT(struct cef_cfg, member, kind)

/* clang-format off */
static const struct setting cef_settings[] = {
    {.name = "vendor", CEF_AT(header_text[HEADER_VENDOR], STRING), .default_text = "Elasticsearch",
     .doc = "Device vendor in the header when encoding; may contain %{field}."},
    {.name = "product", CEF_AT(header_text[HEADER_PRODUCT], STRING), .default_text = "Logstash",
     .doc = "Device product in the header when encoding; may contain %{field}."},
    {.name = "version", CEF_AT(header_text[HEADER_VERSION], STRING), .default_text = "1.0",
     .doc = "Device version in the header when encoding; may contain %{field}."},
    {.name = "signature", CEF_AT(header_text[HEADER_SIGNATURE], STRING), .default_text = "Logstash",
     .doc = "Signature id in the header when encoding; may contain %{field}."},
    {.name = "name", CEF_AT(header_text[HEADER_NAME], STRING), .default_text = "Logstash",
     .doc = "Name in the header when encoding; may contain %{field}."},
    {.name = "severity", CEF_AT(severity_text, STRING), .default_text = "6",
     .doc = "Severity in the header when encoding, 0 to 10; may contain %{field}. Others give 6."},
    {.name = "fields", CEF_AT(fields, LIST), .flags = SETTING_FIELD, .default_text = "[]",
     .doc = "Fields to write as extensions when encoding."},
    {.name = "reverse_mapping", CEF_AT(reverse_mapping, BOOL), .default_text = "false",
     .doc = "Write the short keys of CEF instead of the full names."},
    {.name = "delimiter", CEF_AT(delimiter, STRING),
     .doc = "What ends a message; `\\r` and `\\n` mean carriage return and newline. Without it "
            "each message of the input is one."},
    {.name = "default_timezone", CEF_AT(timezone_name, STRING),
     .doc = "Zone of times that name none, in ECS modes; the system's when absent."},
    {.name = "locale", CEF_AT(locale, STRING),
     .doc = "Language of the names of months, such as `de` or `pt_BR`, in ECS modes; English when "
            "absent."},
    {.name = "raw_data_field", CEF_AT(raw_field_name, STRING),
     .doc = "Field that receives the message as it came."},
    {.name = "device", CEF_AT(device, ENUM), .choices = devices, .default_text = "observer",
     .doc = "Whether the device's fields go to [observer] or [host] in ECS modes."},
    {.name = "deprecated_v1_fields", .type = SETTING_BOOL, .flags = SETTING_OBSOLETE,
     .instead = "The fields are those of today's versions."},
    {.name = "sev", .type = SETTING_STRING, .flags = SETTING_OBSOLETE,
     .instead = "Use severity."},
    {0}};
/* clang-format on */

const struct codec_ops codec_cef = {
    .name = "cef",
    .doc = "ArcSight's Common Event Format.",
    .flags = CODEC_MESSAGES,
    .settings = cef_settings,
    .cfg_size = sizeof(struct cef_cfg),
    .state_size = sizeof(struct cef_state),
    .compile = cef_compile,
    .release = cef_release,
    .ends_at_newline = cef_ends_at_newline,
    .decode = cef_decode,
    .encode = cef_encode,
    .stop = cef_stop,
};
