/*
 * collectd.c - packets of collectd's network plugin, one event for each list of values or
 * notification.
 *
 * A packet is parts of type, length and content; each part sets a field until the next list of
 * values. Values of a type with several data sources are named by types.db, of which the common
 * ones are built in. Packets may be signed (HMAC-SHA-256) or encrypted (AES-256-OFB). A packet that
 * is broken, or not as safe as security_level demands, is left out from there on.
 * Format: collectd's "Binary protocol".
 */
#include <math.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/log.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/text_event.h"
#include "parsers/text/utf8_scrub.h"

#define NS_PER_SEC INT64_C(1000000000)

enum {
    PART_HOST = 0,
    PART_TIME = 1,
    PART_PLUGIN = 2,
    PART_PLUGIN_INSTANCE = 3,
    PART_TYPE = 4,
    PART_TYPE_INSTANCE = 5,
    PART_VALUES = 6,
    PART_INTERVAL = 7,
    PART_TIME_HIGH = 8,
    PART_INTERVAL_HIGH = 9,
    PART_MESSAGE = 256,
    PART_SEVERITY = 257,
    PART_SIGNATURE = 512,
    PART_ENCRYPTION = 528
};
enum { SOURCE_COUNTER, SOURCE_GAUGE, SOURCE_DERIVE, SOURCE_ABSOLUTE };
enum { SECURITY_NONE, SECURITY_SIGN, SECURITY_ENCRYPT };
enum { NAN_CHANGE, NAN_WARN, NAN_DROP };
static const char *const securities[] = {"None", "Sign", "Encrypt", NULL};
static const char *const nan_handlings[] = {"change_value", "warn", "drop", NULL};

/* "name source source ..." of types with several data sources. */
static const char *const builtin_types[] = {
    "compression uncompressed compressed",
    "df used free",
    "disk_io_time io_time weighted_io_time",
    "disk_latency read write",
    "disk_merged read write",
    "disk_octets read write",
    "disk_ops read write",
    "disk_time read write",
    "dns_octets queries responses",
    "if_dropped rx tx",
    "if_errors rx tx",
    "if_octets rx tx",
    "if_packets rx tx",
    "io_octets rx tx",
    "io_packets rx tx",
    "load shortterm midterm longterm",
    "memcached_octets rx tx",
    "mysql_octets rx tx",
    "node_octets rx tx",
    "pinba_view req_per_sec req_time ru_utime ru_stime doc_size mem_peak",
    "ps_count processes threads",
    "ps_cputime user syst",
    "ps_disk_octets read write",
    "ps_disk_ops read write",
    "ps_pagefaults minflt majflt",
    "serial_octets rx tx",
    "smart_attribute current worst threshold pretty",
    "vmpage_faults minflt majflt",
    "vmpage_io in out",
    "voltage_threshold value threshold",
};

struct named {
    slice name, rest; /* a type and its sources between blanks, or a user and a password */
};
struct named_list {
    struct named *at;
    uint32_t n, cap;
};

struct collectd_cfg {
    struct config_list typesdb;
    bool prune_intervals;
    int security, nan_handling;
    double nan_value;
    slice nan_tag, authfile;

    struct named_list types, users;
};

struct collectd_state {
    struct log_gate gate;
};

struct packet {
    struct collectd_state *state;
    const struct collectd_cfg *cfg;
    struct batch *batch;
    slice rest;
    struct map map; /* what is known so far */
    int64_t time_ns;
    bool decrypted, nan_seen;
};

static bool complain(struct collectd_state *s, const char *why)
{
    uint64_t held;
    if (log_gate_open(&s->gate, &held))
        log_warn("codecs.collectd", "%s (%llu more since the last report)", why,
                 (unsigned long long)held);
    return false;
}

static const struct named *named_find(const struct named_list *list, slice name)
{
    for (uint32_t i = list->n; i > 0; i--) /* the last one wins */
        if (slice_equal(list->at[i - 1].name, name)) return &list->at[i - 1];
    return NULL;
}

static slice word_cut(slice *text)
{
    slice rest = slice_trim(*text);
    uint32_t n = 0;
    while (n < rest.n && rest.p[n] != ' ' && (rest.p[n] < '\t' || rest.p[n] > '\r')) n++;
    *text = slice_from(rest, n);
    return slice_part(rest, 0, n);
}

static uint64_t number(slice bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes.n; i++) value = value << 8 | (unsigned char)bytes.p[i];
    return value;
}

/* ---- signed and encrypted ----------------------------------------------------- */

static bool signature_good(struct packet *p, slice body)
{
    if (p->cfg->security == SECURITY_NONE) return true;
    if (body.n < 33) return complain(p->state, "a signature is too short");
    slice user = slice_from(body, 32);
    const struct named *auth = named_find(&p->cfg->users, user);
    if (auth == NULL) return complain(p->state, "a packet is signed by an unknown user");
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    slice text = arena_join(&p->batch->arena, user, p->rest);
    const unsigned char *made = HMAC(EVP_sha256(), auth->rest.p, (int)auth->rest.n,
                                     (const unsigned char *)text.p, text.n, sum, &n);
    if (made != NULL && n == 32 && memcmp(sum, body.p, 32) == 0) return true;
    return complain(p->state, "a packet's signature is wrong");
}

/* Decrypts into `out`, which has room for text.n bytes. */
static bool decrypt(slice password, slice iv, slice text, unsigned char *out)
{
    unsigned char key[EVP_MAX_MD_SIZE];
    unsigned key_n = 0;
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good =
        ctx != NULL && EVP_Digest(password.p, password.n, key, &key_n, EVP_sha256(), NULL) == 1 &&
        EVP_DecryptInit_ex(ctx, EVP_aes_256_ofb(), NULL, key, (const unsigned char *)iv.p) == 1 &&
        EVP_DecryptUpdate(ctx, out, &n, (const unsigned char *)text.p, (int)text.n) == 1 &&
        n == (int)text.n;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* What is encrypted takes the place of the rest. */
static bool encryption_open(struct packet *p, slice body)
{
    if (p->cfg->security == SECURITY_NONE)
        return complain(p->state, "a packet is encrypted, but security_level is None");
    uint32_t user_n = body.n < 2 ? 0 : (uint32_t)number(slice_part(body, 0, 2));
    if (body.n < 2 + user_n + 16 + 26) return complain(p->state, "an encrypted part is too short");
    const struct named *auth = named_find(&p->cfg->users, slice_part(body, 2, user_n));
    if (auth == NULL) return complain(p->state, "a packet is encrypted by an unknown user");
    slice text = slice_from(body, 2 + user_n + 16);
    char *out = arena_alloc(&p->batch->arena, text.n, 1);
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!decrypt(auth->rest, slice_part(body, 2 + user_n, 16), text, (unsigned char *)out) ||
        EVP_Digest(out + 20, text.n - 20, sum, &n, EVP_sha1(), NULL) != 1 ||
        memcmp(sum, out, 20) != 0)
        return complain(p->state, "a packet cannot be decrypted");
    p->rest = slice_make(out + 20, text.n - 20);
    p->decrypted = true;
    return true;
}

/* ---- parts -------------------------------------------------------------------- */

static void put(struct packet *p, slice name, struct value val)
{
    map_put(&p->map, &p->batch->arena, key_borrow(name), val);
}

static void drop(struct packet *p, slice name)
{
    map_remove(&p->map, name, hash_key(name.p, name.n));
}

static void drop_empty(struct packet *p, slice name)
{
    struct member *m = map_find(&p->map, name, hash_key(name.p, name.n));
    if (m != NULL && m->val.type == VALUE_STRING && m->val.n == 0) drop(p, name);
}

static void event_emit(struct packet *p)
{
    drop_empty(p, SLICE("type_instance"));
    drop_empty(p, SLICE("plugin_instance"));
    struct map copy = {0};
    map_copy(&copy, &p->map, &p->batch->arena);
    struct event *ev = codec_event(p->batch, NULL, copy);
    if (ev == NULL) return;
    ev->time = value_time(p->time_ns);
    if (p->nan_seen && p->cfg->nan_tag.n > 0)
        event_tag(p->batch, ev, arena_copy(&p->batch->arena, p->cfg->nan_tag), true);
}

/* Keeps what identifies the next values. */
static void values_forget(struct packet *p)
{
    static const slice kept[] = {{"host", 4},
                                 {"plugin", 6},
                                 {"plugin_instance", 15},
                                 {"collectd_type", 13},
                                 {"type_instance", 13}};
    p->nan_seen = false;
    for (uint32_t i = p->map.n; i > 0; i--) {
        slice name = slice_make(p->map.at[i - 1].key, p->map.at[i - 1].key_n);
        bool keep = false;
        for (uint32_t k = 0; k < sizeof(kept) / sizeof(kept[0]); k++)
            keep = keep || slice_equal(name, kept[k]);
        if (!keep) map_remove_at(&p->map, i - 1);
    }
}

static struct value counter_value(struct packet *p, uint64_t num)
{
    if (num <= INT64_MAX) return value_int((int64_t)num);
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)num);
    struct value val = value_string(arena_copy(&p->batch->arena, slice_make(text, (size_t)n)));
    val.type = VALUE_BIGNUM;
    return val;
}

static struct value nan_value(const struct collectd_cfg *cfg)
{
    bool whole = cfg->nan_value == floor(cfg->nan_value) && fabs(cfg->nan_value) < 1e15;
    return whole ? value_int((int64_t)cfg->nan_value) : value_float(cfg->nan_value);
}

/* false: the packet ends here. */
static bool source_value(struct packet *p, unsigned char type, slice bytes, struct value *out)
{
    uint64_t num = number(bytes);
    double real;
    switch (type) {
    case SOURCE_COUNTER:
    case SOURCE_ABSOLUTE: *out = counter_value(p, num); return true;
    case SOURCE_DERIVE: *out = value_int((int64_t)num); return true;
    case SOURCE_GAUGE: break;
    default: return complain(p->state, "a data source of an unknown kind");
    }
    num = __builtin_bswap64(num); /* gauges are little-endian */
    memcpy(&real, &num, 8);
    *out = value_float(real);
    if (!isnan(real)) return true;
    if (p->cfg->nan_handling == NAN_DROP) return false;
    if (p->cfg->nan_handling == NAN_WARN) complain(p->state, "a value that is NaN is replaced");
    p->nan_seen = true;
    *out = nan_value(p->cfg);
    return true;
}

static bool values_read(struct packet *p, slice body)
{
    body = slice_from(body, 2);
    uint32_t n = body.n / 9;
    if (n == 0 || body.n % 9 != 0) {
        complain(p->state, "a list of values of the wrong length");
        put(p, SLICE("values"), value_nil());
        return true;
    }
    struct member *type = map_find(&p->map, SLICE("collectd_type"), hash_key("collectd_type", 13));
    const struct named *names =
        type == NULL ? NULL : named_find(&p->cfg->types, value_slice(&type->val));
    slice sources = names == NULL ? SLICE("") : names->rest;
    if (n > 1 && names == NULL) complain(p->state, "values of a type that is not in types.db");
    for (uint32_t i = 0; i < n; i++) {
        struct value val;
        unsigned char kind = (unsigned char)body.p[i];
        if (!source_value(p, kind, slice_part(body, n + 8 * i, 8), &val)) return false;
        slice name = n == 1 ? SLICE("value") : word_cut(&sources);
        if (name.n > 0) put(p, name, val);
    }
    return true;
}

static bool text_read(struct packet *p, slice name, slice body)
{
    slice text = slice_part(body, 0, body.n == 0 ? 0 : body.n - 1);
    put(p, name, value_string(utf8_scrub(arena_copy(&p->batch->arena, text), &p->batch->arena)));
    return true;
}

/* Seconds, or units of 2^-30 of them. */
static bool time_read(struct packet *p, slice body, bool high)
{
    uint64_t num = number(slice_part(body, 0, 8));
    uint64_t seconds = high ? num >> 30 : num;
    uint64_t part = high ? (num & ((UINT64_C(1) << 30) - 1)) * (uint64_t)NS_PER_SEC >> 30 : 0;
    if (seconds > INT64_MAX / (uint64_t)NS_PER_SEC - 1)
        return complain(p->state, "a time out of range");
    p->time_ns = (int64_t)seconds * NS_PER_SEC + (int64_t)part;
    return true;
}

/* A low resolution interval is read like a gauge, as Logstash does. */
static bool interval_read(struct packet *p, slice body, bool high)
{
    uint64_t num = number(slice_part(body, 0, 8));
    if (high) {
        put(p, SLICE("interval"), value_int((int64_t)(num >> 30)));
        return true;
    }
    double real;
    num = __builtin_bswap64(num);
    memcpy(&real, &num, 8);
    put(p, SLICE("interval"), isnan(real) ? value_nil() : value_float(real));
    return true;
}

static bool field_read(struct packet *p, uint32_t type, slice body)
{
    switch (type) {
    case PART_HOST: return text_read(p, SLICE("host"), body);
    case PART_PLUGIN: return text_read(p, SLICE("plugin"), body);
    case PART_PLUGIN_INSTANCE: return text_read(p, SLICE("plugin_instance"), body);
    case PART_TYPE: return text_read(p, SLICE("collectd_type"), body);
    case PART_TYPE_INSTANCE: return text_read(p, SLICE("type_instance"), body);
    case PART_MESSAGE: return text_read(p, SLICE("message"), body);
    case PART_TIME:
    case PART_TIME_HIGH: return time_read(p, body, type == PART_TIME_HIGH);
    case PART_INTERVAL:
    case PART_INTERVAL_HIGH: return interval_read(p, body, type == PART_INTERVAL_HIGH);
    case PART_SEVERITY:
        put(p, SLICE("severity"), counter_value(p, number(slice_part(body, 0, 8))));
        return true;
    case PART_VALUES: return values_read(p, body);
    default: complain(p->state, "a part of an unknown type"); return true;
    }
}

/* One part off the front; false ends the packet. */
static bool part_read(struct packet *p)
{
    if (p->rest.n < 4) return complain(p->state, "a part is cut off");
    uint32_t type = (uint32_t)number(slice_part(p->rest, 0, 2));
    uint32_t length = (uint32_t)number(slice_part(p->rest, 2, 2));
    if (length < 4 || length > p->rest.n) return complain(p->state, "a part has a wrong length");
    slice body = slice_part(p->rest, 4, length - 4);
    p->rest = slice_from(p->rest, length);
    if (type == PART_SIGNATURE) return signature_good(p, body);
    if (type == PART_ENCRYPTION) return encryption_open(p, body);
    if (p->cfg->security == SECURITY_ENCRYPT && !p->decrypted)
        return complain(p->state, "a packet is not encrypted");
    if (!field_read(p, type, body)) return false;
    bool interval = type == PART_INTERVAL || type == PART_INTERVAL_HIGH;
    if (!interval && type != PART_VALUES && type != PART_MESSAGE) return true;
    if (!interval || !p->cfg->prune_intervals) event_emit(p);
    values_forget(p);
    return true;
}

static uint32_t decode(void *state, const void *cfg, slice in, struct decode *d)
{
    struct packet p = {.state = state,
                       .cfg = cfg,
                       .batch = d->batch,
                       .rest = decode_keep(d, in),
                       .time_ns = d->batch->now_ns};
    bool good = true;
    while (p.rest.n > 0 && good) good = part_read(&p);
    if (!good) decode_dropped(d); /* the rest of the packet, or all of it */
    return in.n;
}

/* ---- compiling ---------------------------------------------------------------- */

static void named_add(struct named_list *list, struct compiler *c, slice name, slice rest)
{
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 64 : list->cap * 2;
        list->at = heap_grow(c->heap, list->at, list->n, list->cap, sizeof(*list->at));
    }
    list->at[list->n++] = (struct named){arena_copy(c->arena, name), arena_copy(c->arena, rest)};
}

static void type_add(struct collectd_cfg *cfg, struct compiler *c, slice line)
{
    slice name = word_cut(&line);
    if (name.n == 0 || name.p[0] == '#') return;
    char text[1024];
    uint32_t n = 0;
    for (slice word = word_cut(&line); word.n > 0; word = word_cut(&line)) {
        int64_t colon = slice_find_byte(word, ':');
        if (colon >= 0) word.n = (uint32_t)colon;
        if (n + word.n + 1 > sizeof(text)) break;
        memcpy(text + n, word.p, word.n);
        n += word.n;
        text[n++] = ' ';
    }
    named_add(&cfg->types, c, name, slice_make(text, n));
}

static void user_add(struct collectd_cfg *cfg, struct compiler *c, slice line)
{
    int64_t colon = slice_find(line, SLICE(": "));
    if (colon <= 0) return;
    named_add(&cfg->users, c, slice_part(line, 0, (uint32_t)colon),
              slice_from(line, (uint32_t)colon + 2));
}

static err file_read(struct collectd_cfg *cfg, struct compiler *c, const char *option, slice path,
                     void (*add)(struct collectd_cfg *, struct compiler *, slice))
{
    char name[4096], *line = NULL;
    size_t cap = 0;
    FILE *file = fopen(slice_cstr(path, name, sizeof(name)), "re");
    if (file == NULL) {
        compile_error(c, option, "a file that can be read", "cannot open `%s`", name);
        return ERR_CONFIG;
    }
    for (ssize_t n; (n = getline(&line, &cap, file)) >= 0;) {
        if (n > 0 && line[n - 1] == '\n') n--;
        add(cfg, c, slice_make(line, (size_t)n));
    }
    free(line);
    fclose(file);
    return ERR_OK;
}

static err compile(void *config, struct compiler *c)
{
    struct collectd_cfg *cfg = config;
    err e = ERR_OK;
    for (uint32_t i = 0; cfg->typesdb.n == 0 && i < sizeof(builtin_types) / sizeof(char *); i++)
        type_add(cfg, c, slice_from_cstr(builtin_types[i]));
    for (uint32_t i = 0; i < cfg->typesdb.n && e == ERR_OK; i++)
        e = file_read(cfg, c, "typesdb", cfg->typesdb.at[i].text, type_add);
    if (e != ERR_OK || cfg->security == SECURITY_NONE) return e;
    if (cfg->authfile.p == NULL) {
        compile_error(c, "security_level", NULL,
                      "Security level is set to %s, but no authfile was configured",
                      securities[cfg->security]);
        return ERR_CONFIG;
    }
    return file_read(cfg, c, "authfile", cfg->authfile, user_add);
}

#define COLLECTD_AT(member, kind) SETTING_AT(struct collectd_cfg, member, kind)

/* clang-format off */
static const struct setting collectd_settings[] = {
    {.name = "typesdb", COLLECTD_AT(typesdb, LIST), .default_text = "[]",
     .doc = "Files types.db that name the values of types; of equal types the last one counts. "
            "Without them collectd's usual types with several values are known."},
    {.name = "prune_intervals", COLLECTD_AT(prune_intervals, BOOL), .default_text = "true",
     .doc = "Make no events of intervals."},
    {.name = "security_level", COLLECTD_AT(security, ENUM), .choices = securities,
     .default_text = "None", .doc = "Verify signatures, or take encrypted packets only."},
    {.name = "authfile", COLLECTD_AT(authfile, STRING),
     .doc = "File of users and passwords, `user: password` a line; read at the start."},
    {.name = "nan_handling", COLLECTD_AT(nan_handling, ENUM), .choices = nan_handlings,
     .default_text = "change_value",
     .doc = "What is done about values that are not a number: replaced, replaced with a log line, "
            "or the packet ends there."},
    {.name = "nan_value", COLLECTD_AT(nan_value, FLOAT), .default_text = "0",
     .doc = "What replaces values that are not a number."},
    {.name = "nan_tag", COLLECTD_AT(nan_tag, STRING), .default_text = "_collectdNaN",
     .doc = "Tag of events with replaced values; empty for none."},
    {0}};
/* clang-format on */

const struct codec_ops codec_collectd = {
    .name = "collectd",
    .doc = "Packets of collectd's network plugin; decodes only.",
    .settings = collectd_settings,
    .cfg_size = sizeof(struct collectd_cfg),
    .state_size = sizeof(struct collectd_state),
    .compile = compile,
    .decode = decode,
};
