/* elasticsearch_compile.c - from options to what shards and the writer work with. */
#include "engine/outputs/elasticsearch.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"

#define DAY_NS (86400 * NS_PER_SEC)
#define TEMPLATE_FILE_BYTES_MAX (16L * 1024 * 1024)

const char *es_keep(struct compiler *c, slice text)
{
    return text.p == NULL ? NULL : heap_dup(c->heap, text).p;
}

const char *es_keep_printf(struct compiler *c, const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    const char *kept = es_keep(c, buf_slice(&text));
    buf_fini(&text);
    return kept;
}

static err text_compile(struct compiler *c, struct es_text *out, const char *name, slice text)
{
    out->given = text.p != NULL;
    if (!out->given) return ERR_OK;
    return compile_template(c, &out->text, text, settings_pos(c->plugin, name));
}

/* ---- where documents go ------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, name) == 0) return true;
    return false;
}

/* Options that leave a data stream possible; whatever else is given says "index". */
static bool fits_stream(const struct es_options *o, const char *name)
{
    static const char *const fitting[] = {"hosts",
                                          "cloud_id",
                                          "cloud_auth",
                                          "user",
                                          "password",
                                          "api_key",
                                          "proxy",
                                          "path",
                                          "parameters",
                                          "custom_headers",
                                          "healthcheck_path",
                                          "bulk_path",
                                          "sniffing",
                                          "sniffing_path",
                                          "sniffing_delay",
                                          "timeout",
                                          "validate_after_inactivity",
                                          "pool_max",
                                          "pool_max_per_route",
                                          "resurrect_delay",
                                          "retry_initial_interval",
                                          "retry_max_interval",
                                          "compression_level",
                                          "http_compression",
                                          "ssl_enabled",
                                          "ssl_certificate_authorities",
                                          "ssl_certificate",
                                          "ssl_key",
                                          "ssl_keystore_path",
                                          "ssl_keystore_password",
                                          "ssl_keystore_type",
                                          "ssl_truststore_path",
                                          "ssl_truststore_password",
                                          "ssl_truststore_type",
                                          "ssl_verification_mode",
                                          "ssl_certificate_verification",
                                          "ssl_supported_protocols",
                                          "ssl_cipher_suites",
                                          "ca_trusted_fingerprint",
                                          "silence_errors_in_log",
                                          "drop_error_types",
                                          "dlq_custom_codes",
                                          "dlq_on_failed_indexname_interpolation",
                                          "routing",
                                          "pipeline",
                                          "document_id",
                                          "data_stream_type",
                                          "data_stream_dataset",
                                          "data_stream_namespace",
                                          "data_stream_auto_routing",
                                          "data_stream_sync_fields",
                                          "id",
                                          "enable_metric",
                                          "codec",
                                          "workers",
                                          "ecs_compatibility",
                                          NULL};
    if (strcmp(name, "action") == 0) return slice_equal(o->action, SLICE("create"));
    if (strcmp(name, "manage_template") == 0) return !o->manage_template;
    /* In Logstash the word "auto" itself, written down, decides for an index. */
    if (strcmp(name, "data_stream") == 0) return o->data_stream == ES_TRUE;
    return is_one_of(name, fitting);
}

static const char *const stream_only[] = {"data_stream_type",        "data_stream_dataset",
                                          "data_stream_namespace",   "data_stream_auto_routing",
                                          "data_stream_sync_fields", NULL};

static err choose_target(struct es_cfg *cfg, struct compiler *c)
{
    const struct es_options *o = &cfg->opt;
    err e = ERR_OK;
    const char *against = NULL, *only = NULL;
    for (uint32_t i = 0; i < c->given.n; i++) {
        const char *name = c->given.at[i]->name;
        if (!fits_stream(o, name)) against = name;
        if (is_one_of(name, stream_only)) only = name;
        if (o->data_stream == ES_TRUE && !fits_stream(o, name)) {
            compile_error(c, name, NULL, "`%s` cannot be used with data_stream => true", name);
            e = ERR_CONFIG;
        }
    }
    cfg->is_data_stream =
        o->data_stream == ES_TRUE || (o->data_stream == ES_AUTO && cfg->ecs && against == NULL);
    if (!cfg->is_data_stream && only != NULL) {
        compile_error(c, only, "data_stream => true", "`%s` is for data streams only", only);
        e = ERR_CONFIG;
    }
    return e;
}

static err check_stream_part(struct compiler *c, const char *name, slice text)
{
    bool bad = text.n == 0 || text.n > 100;
    for (uint32_t i = 0; i < text.n; i++)
        if (text.p[i] == 0 || strchr("\\/*?\"<>| ,#:", text.p[i]) != NULL) bad = true;
    if (!bad) return ERR_OK;
    compile_error(c, name, "1 to 100 bytes, none of \\ / * ? \" < > | , # : or blank",
                  "`%.*s` cannot be part of a data stream's name", SLICE_FMT(text));
    return ERR_CONFIG;
}

static err compile_stream(struct es_cfg *cfg, struct compiler *c)
{
    static const char *const types[] = {"logs", "metrics", "synthetics", "traces"};
    static const char *const parts[] = {"type", "dataset", "namespace"};
    cfg->ds_default[ES_DS_TYPE] = slice_from_cstr(types[cfg->opt.ds_type_at]);
    cfg->ds_default[ES_DS_DATASET] = cfg->opt.ds_dataset;
    cfg->ds_default[ES_DS_NAMESPACE] = cfg->opt.ds_namespace;
    cfg->ds_key = compile_key(c, SLICE("data_stream"));
    struct buf name = {0}, suffix = {0};
    buf_add_cstr(&suffix, "\"data_stream\":{");
    for (int i = 0; i < ES_DS_PARTS; i++) {
        cfg->ds_part_key[i] = compile_key(c, slice_from_cstr(parts[i]));
        if (i > 0) buf_add_byte(&name, '-');
        buf_add_slice(&name, cfg->ds_default[i]);
        buf_printf(&suffix, "%s\"%s\":", i > 0 ? "," : "", parts[i]);
        buf_add_json(&suffix, cfg->ds_default[i]);
    }
    buf_add_cstr(&suffix, "}}");
    cfg->ds_name = heap_dup(c->heap, buf_slice(&name));
    cfg->ds_suffix = heap_dup(c->heap, buf_slice(&suffix));
    buf_fini(&name);
    buf_fini(&suffix);
    if (!cfg->is_data_stream) return ERR_OK;
    err e = check_stream_part(c, "data_stream_dataset", cfg->opt.ds_dataset);
    err f = check_stream_part(c, "data_stream_namespace", cfg->opt.ds_namespace);
    return e != ERR_OK ? e : f;
}

/* ---- the action line ------------------------------------------------------------------ */

/* For how long a text made of @timestamp alone stays the same. Letters of a pattern are judged
 * without looking at quotes, which only ever makes the answer shorter. */
static int64_t part_span(const struct template_part *part)
{
    switch (part->kind) {
    case TEMPLATE_LITERAL: return ES_FOREVER;
    case TEMPLATE_EPOCH: return NS_PER_SEC;
    case TEMPLATE_TIME: break;
    case TEMPLATE_FIELD:
    case TEMPLATE_NOW: return 0;
    }
    int64_t span = DAY_NS;
    for (uint32_t i = 2; i < part->text.n; i++) {
        if (strchr("SnNA", part->text.p[i]) != NULL) return 0;
        if (strchr("yYxuMLdDeEcwWqQGg.-_/{}+' ", part->text.p[i]) == NULL) span = NS_PER_SEC;
    }
    return span;
}

static int64_t template_span(const struct template *t)
{
    int64_t span = ES_FOREVER;
    for (uint32_t i = 0; i < t->n; i++) {
        int64_t part = part_span(&t->part[i]);
        if (part < span) span = part;
    }
    return span;
}

static err compile_action(struct es_cfg *cfg, struct compiler *c)
{
    slice text = cfg->opt.action;
    if (text.p == NULL)
        text = cfg->is_data_stream ? es_action_names[ES_CREATE] : es_action_names[ES_INDEX];
    err e = text_compile(c, &cfg->action, "action", text);
    if (e != ERR_OK) return e;
    cfg->action_constant = template_is_constant(&cfg->action.text);
    if (!cfg->action_constant) return ERR_OK;
    for (int a = 0; a < ES_ACTIONS; a++)
        if (slice_equal(text, es_action_names[a])) {
            cfg->action_fixed = (enum es_action)a;
            return ERR_OK;
        }
    compile_error(c, "action", "index, create, update, delete or a %{field}",
                  "unknown action `%.*s`", SLICE_FMT(text));
    return ERR_CONFIG;
}

static err compile_texts(struct es_cfg *cfg, struct compiler *c)
{
    struct es_options *o = &cfg->opt;
    slice index = o->index;
    slice standard =
        cfg->ecs ? SLICE("ecs-logstash-%{+yyyy.MM.dd}") : SLICE("logstash-%{+yyyy.MM.dd}");
    if (index.p == NULL) index = standard;
    cfg->index_is_default = slice_equal(index, standard);
    if (o->upsert.n == 0) o->upsert = SLICE_NONE;
    if (o->script.n == 0) o->script = SLICE_NONE;
    struct {
        struct es_text *out;
        const char *name;
        slice text;
    } all[] = {{&cfg->index, "index", index},
               {&cfg->id, "document_id", o->document_id},
               {&cfg->type, "document_type", o->document_type},
               {&cfg->routing, "routing", o->routing},
               {&cfg->parent, "parent", o->parent},
               {&cfg->pipeline, "pipeline", o->pipeline},
               {&cfg->version, "version", o->version},
               {&cfg->upsert, "upsert", o->upsert},
               {&cfg->script, "script", o->script}};
    err result = ERR_OK;
    for (uint32_t i = 0; i < ARRAY_LEN(all); i++) {
        err e = text_compile(c, all[i].out, all[i].name, all[i].text);
        if (e != ERR_OK) result = e;
    }
    return result;
}

static err compile_join(struct es_cfg *cfg, struct compiler *c)
{
    cfg->join_name = compile_key(c, SLICE("name"));
    cfg->join_parent = compile_key(c, SLICE("parent"));
    cfg->has_join = cfg->opt.join_field.p != NULL;
    if (!cfg->has_join) return ERR_OK;
    return compile_fieldref(c, &cfg->join_field, cfg->opt.join_field,
                            settings_pos(c->plugin, "join_field"));
}

/* What the server would refuse, one document after the other. */
static err check_action(struct es_cfg *cfg, struct compiler *c)
{
    enum { EXTERNAL = 1, EXTERNAL_GTE = 3 }; /* of the choices of version_type */
    const struct es_options *o = &cfg->opt;
    bool external = o->version_type >= EXTERNAL && o->version_type <= EXTERNAL_GTE;
    enum es_action action = cfg->action_constant ? cfg->action_fixed : ES_INDEX;
    if (o->doc_as_upsert && o->scripted_upsert) {
        compile_error(c, "scripted_upsert", NULL,
                      "doc_as_upsert and scripted_upsert exclude each other");
    } else if (action == ES_UPDATE && o->document_id.n == 0) {
        compile_error(c, "action", "document_id => \"...\"",
                      "action => update needs a document_id");
    } else if (external && o->version.p == NULL) {
        compile_error(c, "version_type", "version => \"%{...}\"",
                      "an external version_type needs a version");
    } else if (external && (action == ES_CREATE || action == ES_UPDATE)) {
        compile_error(c, "version_type", "action => index or delete",
                      "action => %.*s cannot be used with an external version_type",
                      SLICE_FMT(es_action_names[action]));
    } else {
        return ERR_OK;
    }
    return ERR_CONFIG;
}

static err compile_encoding(struct es_cfg *cfg, struct compiler *c)
{
    static const char *const meta[ES_META] = {"id",       "index",   "routing",
                                              "pipeline", "version", "version_type"};
    static const char *const version_types[] = {"internal", "external", "external_gt",
                                                "external_gte", "force"};
    for (int i = 0; i < ES_META; i++) cfg->meta[i] = compile_key(c, slice_from_cstr(meta[i]));
    cfg->meta_document = compile_key(c, SLICE("_ingest_document"));
    cfg->meta_target = compile_key(c, SLICE("target_ingest_pipeline"));
    if (cfg->opt.version_type >= 0)
        cfg->version_type = slice_from_cstr(version_types[cfg->opt.version_type]);
    err e = compile_texts(cfg, c);
    err f = compile_action(cfg, c);
    err g = compile_join(cfg, c);
    if (e != ERR_OK || f != ERR_OK || g != ERR_OK) return ERR_CONFIG;
    if (check_action(cfg, c) != ERR_OK) return ERR_CONFIG;
    cfg->index_span_ns = template_span(&cfg->index.text);
    cfg->line_static =
        cfg->action_constant && cfg->action_fixed != ES_DELETE && cfg->action_fixed != ES_UPDATE &&
        !cfg->id.given && !cfg->type.given && !cfg->routing.given && !cfg->parent.given &&
        !cfg->version.given &&
        (!cfg->pipeline.given || template_is_constant(&cfg->pipeline.text)) &&
        (cfg->is_data_stream || cfg->index_span_ns != 0 || cfg->opt.ilm_enabled != ES_FALSE);
    return ERR_OK;
}

/* ---- the rest ----------------------------------------------------------------------------- */

static err compile_codes(struct es_cfg *cfg, struct compiler *c)
{
    cfg->drop_codes[400 / 64] |= 1ULL << (400 % 64);
    cfg->drop_codes[404 / 64] |= 1ULL << (404 % 64);
    cfg->dlq_enabled = process_settings_bool(c->settings, "dead_letter_queue.enable");
    if (cfg->opt.custom_codes.n > 0 && !cfg->dlq_enabled) {
        compile_error(c, "dlq_custom_codes", NULL,
                      "dlq_custom_codes needs dead_letter_queue.enable: true");
        return ERR_CONFIG;
    }
    for (uint32_t i = 0; i < cfg->opt.custom_codes.n; i++) {
        int64_t code;
        if (!slice_to_i64(cfg->opt.custom_codes.at[i].text, &code) || code < 300 || code > 599) {
            compile_error(c, "dlq_custom_codes", "statuses between 300 and 599", "bad status");
            return ERR_CONFIG;
        }
        cfg->drop_codes[code / 64] |= 1ULL << (code % 64);
    }
    return ERR_OK;
}

static err compile_template_file(struct es_cfg *cfg, struct compiler *c)
{
    if (cfg->opt.template.p == NULL) return ERR_OK;
    struct buf text = {0};
    char part[16384];
    size_t n;
    FILE *file = fopen(cfg->opt.template.p, "re");
    while (file != NULL && text.n < TEMPLATE_FILE_BYTES_MAX &&
           (n = fread(part, 1, sizeof(part), file)) > 0)
        buf_add(&text, part, n);
    if (file != NULL) fclose(file);
    cfg->template_text = es_keep(c, buf_slice(&text));
    struct page_pool pool;
    struct arena arena;
    struct json_reader reader;
    struct value v;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    json_reader_init(&reader);
    bool ok = json_decode_copy(&reader, buf_slice(&text), JSON_WHOLE, &arena, &v) >= 0 &&
              v.type == VALUE_MAP;
    json_reader_fini(&reader);
    arena_fini(&arena);
    page_pool_fini(&pool);
    buf_fini(&text);
    if (ok) return ERR_OK;
    compile_error(c, "template", "a JSON object", "the template file cannot be used");
    return ERR_CONFIG;
}

static err compile_management(struct es_cfg *cfg, struct compiler *c)
{
    struct es_options *o = &cfg->opt;
    slice name = cfg->ecs ? SLICE("ecs-logstash") : SLICE("logstash");
    cfg->template_name_given = o->template_name.p != NULL;
    cfg->template_name = cfg->template_name_given ? o->template_name : name;
    cfg->ilm_alias_given = o->ilm_alias.p != NULL && !slice_equal(o->ilm_alias, name);
    cfg->ilm_alias = o->ilm_alias.p != NULL ? o->ilm_alias : name;
    if (cfg->is_data_stream) o->manage_template = false;
    return compile_template_file(cfg, c);
}

static bool keeps_order(struct compiler *c)
{
    slice ordered = process_settings_text(c->settings, "pipeline.ordered");
    if (slice_equal(ordered, SLICE("true"))) return true;
    return slice_equal(ordered, SLICE("auto")) &&
           process_settings_given(c->settings, "pipeline.workers") &&
           process_settings_int(c->settings, "pipeline.workers") == 1;
}

static err compile_tls(struct es_cfg *cfg, struct compiler *c)
{
    err e = http_tls_compile(&cfg->tls, &cfg->opt.tls, c);
    if (!cfg->opt.old_verification) cfg->tls.verify = false;
    return e;
}

err es_compile(void *cfg_, struct compiler *c)
{
    struct es_cfg *cfg = cfg_;
    cfg->ecs = compiler_is_ecs(c);
    cfg->ordered = keeps_order(c);
    if (!cfg->opt.http_compression) cfg->opt.compression_level = 0;
    if (cfg->opt.retry_max_s < cfg->opt.retry_initial_s)
        cfg->opt.retry_max_s = cfg->opt.retry_initial_s;
    err result = ERR_OK;
    err (*const steps[])(struct es_cfg *, struct compiler *) = {
        choose_target,      compile_stream,   compile_encoding, compile_codes,
        compile_management, es_compile_hosts, compile_tls};
    for (uint32_t i = 0; i < ARRAY_LEN(steps); i++)
        if (steps[i](cfg, c) != ERR_OK) result = ERR_CONFIG;
    return result;
}

void es_release(void *cfg_)
{
    struct es_cfg *cfg = cfg_;
    struct es_text *all[] = {&cfg->index,   &cfg->action, &cfg->id,       &cfg->type,
                             &cfg->routing, &cfg->parent, &cfg->pipeline, &cfg->version,
                             &cfg->upsert,  &cfg->script};
    for (uint32_t i = 0; i < ARRAY_LEN(all); i++) template_fini(&all[i]->text);
}
