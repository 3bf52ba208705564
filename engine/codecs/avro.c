/*
 * avro.c - one datum of Apache Avro per message, with a schema from a file or an address.
 *
 * The schema is read once, when the configuration is compiled; an answer of a schema registry is
 * taken apart. A message that is no datum of it is logged and dropped, or becomes an event with its
 * bytes as text in `message` and the tag _avroparsefailure. An event that does not fit the schema
 * is logged and not sent.
 * Facts: logstash-codec-avro 3.5; the Apache Avro 1.11 specification.
 */
#include "parsers/wire/avro.h"

#include <errno.h>
#include <stdio.h>

#include "engine/base/log.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/digest.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/http_fetch.h"
#include "engine/plan/ssl_options.h"
#include "engine/plan/text_event.h"
#include "parsers/json/json_decode.h"
#include "parsers/text/utf8_scrub.h"

#define SCHEMA_BYTES_MAX HTTP_FETCH_BYTES_MAX

enum avro_encoding { ENCODING_BINARY, ENCODING_BASE64 };

struct avro_cfg {
    slice uri, target_name;
    int encoding; /* enum avro_encoding */
    bool tag_on_failure, ecs;
    bool ssl_enabled;
    int verification; /* 1: none */
    int keystore_type;
    struct config_list authorities;
    struct http_fetch fetch;
    struct fieldref target, original;
    struct avro_schema schema;
};

struct avro_state {
    struct log_gate read_gate, write_gate;
    struct buf bytes;
};

/* ---- decoding ----------------------------------------------------------------- */

static void fail(struct avro_state *s, const struct avro_cfg *cfg, struct decode *d,
                 struct event *ev, slice data, const char *why)
{
    uint64_t held;
    if (log_gate_open(&s->read_gate, &held))
        log_warn("codecs.avro",
                 "a message is no datum of the schema%s: %s (%llu more since the "
                 "last report)",
                 cfg->tag_on_failure ? "" : " and is dropped", why, (unsigned long long)held);
    if (cfg->tag_on_failure || ev != NULL)
        codec_refuse(d, ev, data, SLICE("_avroparsefailure"));
    else
        decode_dropped(d);
}

static uint32_t decode(void *state, const void *cfg_, slice in, struct decode *d)
{
    const struct avro_cfg *cfg = cfg_;
    struct batch *b = d->batch;
    if (in.n == 0 || b->n >= d->events_max) return 0;
    slice data = decode_keep(d, in), datum = data;
    /* What is no base64 is taken as it is, as the original does. */
    if (cfg->encoding == ENCODING_BASE64 && !base64_bytes(data, &b->arena, &datum)) datum = data;
    struct value val;
    int64_t status = avro_read(&cfg->schema, datum, &b->arena, &val);
    const struct fieldref *target = cfg->target_name.p == NULL ? NULL : &cfg->target;
    struct event *ev = NULL;
    if (status < 0 || !codec_value_event(b, target, &val, &ev)) {
        fail(state, cfg, d, ev, data, status < 0 ? avro_status_text(status) : "it is no record");
        return in.n;
    }
    if (ev != NULL && cfg->ecs) {
        err e = event_put(b, ev, &cfg->original, value_string(utf8_scrub(data, &b->arena)));
        (void)e; /* A datum's own `event` that is no map stays. */
    }
    return in.n;
}

/* ---- encoding ----------------------------------------------------------------- */

/* The fields, with @timestamp when the schema may ask for it. */
static struct map fields_of(const struct avro_cfg *cfg, struct batch *b, struct event *ev)
{
    if (!cfg->schema.names_time || ev->time.type == VALUE_NIL) return ev->data;
    struct map all = {0};
    map_reserve(&all, &b->arena, ev->data.n + 1);
    map_append(&all, &b->arena, key_borrow(SLICE("@timestamp")), ev->time);
    for (uint32_t i = 0; i < ev->data.n; i++) {
        const struct member *m = &ev->data.at[i];
        struct key key = {slice_make(m->key, m->key_n), m->hash, m->val.key_flags};
        map_append(&all, &b->arena, key, m->val);
    }
    return all;
}

static void encode(void *state, const void *cfg_, struct batch *b, struct event *ev,
                   struct buf *out)
{
    struct avro_state *s = state;
    const struct avro_cfg *cfg = cfg_;
    struct map fields = fields_of(cfg, b, ev);
    struct value val = value_map(&fields);
    bool base64 = cfg->encoding == ENCODING_BASE64;
    slice misfit;
    uint64_t held;
    s->bytes.n = 0;
    if (avro_write(&cfg->schema, &val, &b->arena, base64 ? &s->bytes : out, &misfit)) {
        if (base64)
            buf_add_slice(out, base64_text((const unsigned char *)s->bytes.data,
                                           (uint32_t)s->bytes.n, &b->arena));
    } else if (log_gate_open(&s->write_gate, &held)) {
        log_warn("codecs.avro",
                 "an event does not fit the schema%s%.*s and is not sent (%llu more since the last "
                 "report)",
                 misfit.n > 0 ? " in " : "", SLICE_FMT(misfit), (unsigned long long)held);
    }
}

/* ---- the schema --------------------------------------------------------------- */

static bool is_url(slice uri)
{
    return slice_starts(uri, SLICE("http://")) || slice_starts(uri, SLICE("https://"));
}

static err file_load(struct compiler *c, slice uri, struct buf *out)
{
    slice path = slice_from(uri, slice_starts(uri, SLICE("file://")) ? 7 : 0);
    FILE *file = fopen(path.p, "re");
    size_t n = 1;
    bool ok = file != NULL;
    errno = 0;
    while (ok && n > 0 && out->n <= SCHEMA_BYTES_MAX) {
        buf_room(out, 65536);
        n = fread(buf_end(out), 1, 65536, file);
        out->n += n;
        ok = ferror(file) == 0;
    }
    const char *why =
        ok ? "it is too large" : strerror(file == NULL && errno == 0 ? ENOENT : errno);
    if (file != NULL) fclose(file);
    if (ok && out->n <= SCHEMA_BYTES_MAX) return ERR_OK;
    compile_error(c, "schema_uri", "a file with an Avro schema, or its address",
                  "the schema `%.*s` cannot be read: %s", SLICE_FMT(path), why);
    return ERR_CONFIG;
}

/* Only of a registry's answer, {"schema": "...", ...}, the schema is left. */
static void unwrap(struct compiler *c, struct buf *text)
{
    struct json_reader reader;
    struct value val;
    json_reader_init(&reader);
    int64_t used = json_decode_copy(&reader, buf_slice(text), JSON_WHOLE, c->arena, &val);
    json_reader_fini(&reader);
    if (used < 0 || val.type != VALUE_MAP) return;
    struct member *m = map_find(val.u.map, SLICE("schema"), hash_key("schema", 6));
    if (m == NULL || m->val.type != VALUE_STRING) return;
    value_resolve(&m->val, c->arena);
    text->n = 0;
    buf_add_slice(text, value_slice(&m->val));
}

static err url_load(struct avro_cfg *cfg, struct compiler *c, struct buf *out)
{
    char reason[HTTP_FETCH_REASON_BYTES];
    cfg->fetch.url = cfg->uri;
    cfg->fetch.trust_all = cfg->verification == 1;
    if (cfg->authorities.n > 0) cfg->fetch.authorities = cfg->authorities.at[0].text;
    if (!http_fetch(&cfg->fetch, out, reason)) {
        compile_error(c, "schema_uri", NULL, "the schema cannot be fetched from `%.*s`: %s",
                      SLICE_FMT(cfg->uri), reason);
        return ERR_CONFIG;
    }
    unwrap(c, out);
    return ERR_OK;
}

/* The schema's text stays as a source, so that errors show their place in it. */
static err schema_compile(struct avro_cfg *cfg, struct compiler *c)
{
    struct buf text = {0};
    struct avro_error error;
    err e = is_url(cfg->uri) ? url_load(cfg, c, &text) : file_load(c, cfg->uri, &text);
    if (e == ERR_OK) {
        const struct source *source = source_new(c->heap, cfg->uri, buf_slice(&text));
        char *padded = heap_alloc(c->heap, text.n + JSON_PAD);
        if (text.n > 0) memcpy(padded, text.data, text.n);
        e = avro_schema_parse(&cfg->schema, slice_make(padded, text.n), c->arena, &error);
        if (e != ERR_OK) {
            diag_error(c->diag, pos_make(source, error.at), error.expected, "bad Avro schema: %s",
                       error.text);
            e = ERR_CONFIG;
        }
    }
    buf_fini(&text);
    return e;
}

/* ---- options ------------------------------------------------------------------ */

static err refuse(struct compiler *c, const char *name, const char *text)
{
    compile_error(c, name, NULL, "%s", text);
    return ERR_CONFIG;
}

/* Options of TLS make no sense for anything but https. */
static err check_plain(struct compiler *c)
{
    for (uint32_t i = 0; i < c->given.n; i++)
        if (strncmp(c->given.at[i]->name, "ssl_", 4) == 0)
            return refuse(c, c->given.at[i]->name, "this needs a schema_uri that is https");
    return ERR_OK;
}

static err check_tls(const struct avro_cfg *cfg, struct compiler *c)
{
    const struct http_fetch *f = &cfg->fetch;
    if (!cfg->ssl_enabled)
        return refuse(c, "ssl_enabled", "a schema_uri that is https needs ssl_enabled => true");
    if ((f->certificate.n > 0) != (f->key.n > 0))
        return refuse(c, f->key.n > 0 ? "ssl_key" : "ssl_certificate",
                      "ssl_certificate and ssl_key go together");
    if (f->certificate.n > 0 && f->keystore.n > 0)
        return refuse(c, "ssl_keystore_path",
                      "ssl_certificate and ssl_keystore_path exclude each other");
    if ((f->keystore.n > 0) != (f->keystore_password.n > 0))
        return refuse(c, f->keystore.n > 0 ? "ssl_keystore_path" : "ssl_keystore_password",
                      "ssl_keystore_path and ssl_keystore_password go together");
    if (cfg->authorities.n > 1)
        return refuse(c, "ssl_certificate_authorities", "one file may hold several authorities");
    if (cfg->authorities.n > 0 && cfg->verification == 1)
        return refuse(c, "ssl_certificate_authorities", "ssl_verification_mode none ignores them");
    return ERR_OK;
}

static err check_options(const struct avro_cfg *cfg, struct compiler *c)
{
    if ((cfg->fetch.username.n > 0) != (cfg->fetch.password.n > 0))
        return refuse(c, cfg->fetch.username.n > 0 ? "username" : "password",
                      "username and password go together");
    return slice_starts(cfg->uri, SLICE("https://")) ? check_tls(cfg, c) : check_plain(c);
}

static err compile(void *config, struct compiler *c)
{
    struct avro_cfg *cfg = config;
    cfg->ecs = compiler_is_ecs(c);
    err e = fieldref_parse(&cfg->original, SLICE("[event][original]"), c->arena);
    if (e == ERR_OK) e = compile_field_option(c, &cfg->target, "target", cfg->target_name);
    if (e == ERR_OK) e = check_options(cfg, c);
    return e == ERR_OK ? schema_compile(cfg, c) : e;
}

static void stop(void *state, const void *cfg)
{
    (void)cfg;
    buf_fini(&((struct avro_state *)state)->bytes);
}

#define AV_AT(member, kind) SETTING_AT(struct avro_cfg, member, kind)
#define NO_TRUSTSTORE "Put the authorities into ssl_certificate_authorities (PEM)."

static const char *const encodings[] = {"binary", "base64", NULL};
static const char *const verifications[] = {"full", "none", NULL};
static const char *const store_types[] = {"PKCS12", NULL};

/* clang-format off */
static const struct setting avro_settings[] = {
    {.name = "schema_uri", AV_AT(uri, STRING), .flags = SETTING_REQUIRED,
     .doc = "The schema: a path, or an address with file://, http:// or https://, from where it is "
            "fetched once, when the configuration is read. A schema registry may answer."},
    {.name = "encoding", AV_AT(encoding, ENUM), .choices = encodings, .default_text = "base64",
     .doc = "What a message is: base64 of the datum (when decoding, what is no base64 is taken as "
            "it is), or its bytes."},
    {.name = "tag_on_failure", AV_AT(tag_on_failure, BOOL), .default_text = "false",
     .doc = "Make an event tagged _avroparsefailure of a message that cannot be decoded, instead "
            "of dropping it."},
    {.name = "target", AV_AT(target_name, STRING),
     .doc = "Field that receives the record; without it, it becomes the event."},
    {.name = "proxy", AV_AT(fetch.proxy, URI), .doc = "HTTP proxy to fetch the schema through."},
    {.name = "username", AV_AT(fetch.username, STRING),
     .doc = "User name for the schema's server."},
    {.name = "password", AV_AT(fetch.password, PASSWORD), .doc = "Its password."},
    {.name = "ssl_enabled", AV_AT(ssl_enabled, BOOL), .default_text = "true",
     .doc = "Must be true for https."},
    {.name = "ssl_certificate_authorities", AV_AT(authorities, LIST),
     .doc = "File (PEM) with the authorities that the server's certificate is checked against; "
            "without it, those of the system."},
    {.name = "ssl_verification_mode", AV_AT(verification, ENUM), .choices = verifications,
     .default_text = "full", .doc = "Whether the server's certificate and name are checked."},
    {.name = "ssl_certificate", AV_AT(fetch.certificate, PATH), .doc = "Own certificate (PEM)."},
    {.name = "ssl_key", AV_AT(fetch.key, PATH), .doc = "Its key (PEM)."},
    {.name = "ssl_keystore_path", AV_AT(fetch.keystore, PATH),
     .doc = "PKCS#12 file with own certificate and key."},
    {.name = "ssl_keystore_password", AV_AT(fetch.keystore_password, PASSWORD),
     .doc = "Its password."},
    {.name = "ssl_keystore_type", AV_AT(keystore_type, ENUM), .choices = store_types,
     .doc = "Only PKCS12 can be read."},
    {.name = "ssl_truststore_path", .type = SETTING_PATH, .flags = SETTING_UNSUPPORTED,
     .instead = NO_TRUSTSTORE, .doc = "Authorities in a Java store."},
    {.name = "ssl_truststore_password", .type = SETTING_PASSWORD, .flags = SETTING_UNSUPPORTED,
     .instead = NO_TRUSTSTORE, .doc = "Its password."},
    {.name = "ssl_truststore_type", .type = SETTING_STRING, .flags = SETTING_UNSUPPORTED,
     .instead = NO_TRUSTSTORE, .doc = "Kind of store."},
    {.name = "ssl_cipher_suites", AV_AT(fetch.ciphers, LIST),
     .doc = "Cipher suites to allow, by IANA or OpenSSL name."},
    {.name = "ssl_supported_protocols", AV_AT(fetch.protocols, ENUM_LIST),
     .choices = ssl_protocol_choices,
     .doc = "TLS versions to use; the range from the lowest to the highest named."},
    {0},
};
/* clang-format on */

const struct codec_ops codec_avro = {
    .name = "avro",
    .doc = "Records of Apache Avro, one datum per message, with a schema from a file or server.",
    .flags = CODEC_MESSAGES | CODEC_MAY_REFUSE,
    .settings = avro_settings,
    .cfg_size = sizeof(struct avro_cfg),
    .state_size = sizeof(struct avro_state),
    .compile = compile,
    .decode = decode,
    .encode = encode,
    .stop = stop,
};
