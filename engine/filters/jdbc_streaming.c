/*
 * jdbc_streaming.c - rows of a database for each event, over ODBC.
 *
 * The statement's parameters come from the event; its rows become a list of hashes. A batch is
 * parked until its statements have run (odbc_pool.h); what the cache knows is not asked for, and
 * events with the same parameters ask once. There is no Java here: the database is given by an ODBC
 * connection string, and the simple JDBC URLs of the common databases are read as such. State: the
 * shard's cache, and the question of each event of the parked batch.
 */
#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/event/time_format.h"
#include "engine/filters/odbc_pool.h"
#include "engine/filters/odbc_url.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/ttl_cache.h"
#include "parsers/json/json_decode.h"

/* How a parameter is found: a field, a text with %{field} in it, a constant. */
struct jdbc_param {
    slice name; /* of :name */
    bool is_field, is_text, falls_back;
    struct fieldref field;
    struct template text;
    struct value constant;
};

struct jdbc_cfg {
    slice statement, target_name, connection, user, password, driver_class, library, prepared_name;
    struct config_hash param_pairs, default_pairs;
    struct config_list bind_list, failure_tags, default_tags;
    bool validate, use_cache, prepared, warn_constants;
    double validate_sec, cache_sec;
    int64_t cache_size;
    struct fieldref target;
    struct value default_value;
    struct jdbc_param *param; /* in the order of the question marks */
    uint32_t param_n;
    struct odbc_pool *pool;
};

struct jdbc_state {
    struct lookup_asker *asker;
    struct ttl_cache cache;
    void **question; /* of lookup_each: struct odbc_question */
    struct json_reader reader;
    struct buf key, text;
    struct log_gate gate;
    struct lookup_counters counters;
};

struct jdbc_run {
    struct jdbc_state *state;
    const struct jdbc_cfg *cfg;
    struct batch *batch;
    struct event *ev;
    int64_t now_ns;
};

/* ---- parameters ----------------------------------------------------------------------------- */

static struct value param_value(struct jdbc_run *r, const struct jdbc_param *p)
{
    if (p->is_text) {
        slice text = template_render(&p->text, r->batch, r->ev, NULL);
        /* The text may name a field. */
        struct value *named = p->falls_back ? event_get_named(r->batch, r->ev, text) : NULL;
        return named != NULL ? *named : value_string(arena_copy(&r->batch->arena, text));
    }
    if (!p->is_field) return p->constant;
    if (p->field.root == FIELD_TIMESTAMP) return r->ev->time;
    const struct value *v = event_get(r->batch, r->ev, &p->field);
    if (v != NULL) return *v;
    return p->falls_back ? p->constant : value_nil();
}

static void time_param(struct odbc_param *out, int64_t ns)
{
    struct time_iso_cache cache = {0};
    char iso[TIME_ISO_BYTES_MAX];
    uint32_t n = time_iso_write(ns - ns % NS_PER_MS, &cache, iso);
    /* 2024-01-02T03:04:05.678Z */
    iso[10] = ' ';
    odbc_param_text(out, ODBC_TIME, slice_make(iso, n - 1));
}

/* False: a list or a hash, which no parameter can be. */
static bool param_set(struct odbc_param *out, const struct value *v)
{
    switch (v->type) {
    case VALUE_NIL: out->type = ODBC_NULL; return true;
    case VALUE_BOOL:
    case VALUE_INT:
        out->type = ODBC_INT;
        out->num = v->type == VALUE_BOOL ? v->u.yes : v->u.num;
        return true;
    case VALUE_FLOAT:
        out->type = ODBC_FLOAT;
        out->real = v->u.real;
        return true;
    case VALUE_TIME: time_param(out, v->u.time_ns); return true;
    case VALUE_BIGNUM:
    case VALUE_STRING: odbc_param_text(out, ODBC_TEXT, value_slice(v)); return true;
    default: return false;
    }
}

static slice key_of(struct jdbc_run *r, struct value *values)
{
    struct buf *key = &r->state->key;
    key->n = 0;
    for (uint32_t i = 0; i < r->cfg->param_n; i++) {
        value_json(&values[i], key);
        buf_add_byte(key, '\n');
    }
    return buf_slice(key);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void tag_all(struct jdbc_run *r, struct config_list tags)
{
    event_tag_list(r->batch, r->ev, tags);
}

static void rows_take(struct jdbc_run *r, bool failed, slice rows)
{
    struct arena *arena = &r->batch->arena;
    struct value val = value_list(NULL, 0);
    if (failed) tag_all(r, r->cfg->failure_tags);
    if (!failed && json_decode_copy(&r->state->reader, rows, JSON_WHOLE, arena, &val) < 0)
        val = value_list(NULL, 0);
    if (val.n == 0) {
        struct value *items = arena_alloc(arena, sizeof(*items), 16);
        items[0] = value_copy(&r->cfg->default_value, arena);
        val = value_list(items, 1);
        tag_all(r, r->cfg->default_tags);
    }
    if (event_put(r->batch, r->ev, &r->cfg->target, val) != ERR_OK)
        counter_add(&r->state->counters.errors, 1);
}

static void note_answer(struct jdbc_run *r, struct odbc_question *q)
{
    uint64_t held;
    struct jdbc_state *s = r->state;
    if (q->noted) return;
    q->noted = true;
    s->text.n = 0;
    buf_add_byte(&s->text, q->failed ? 'f' : 'r');
    buf_add_slice(&s->text, buf_slice(&q->rows));
    ttl_cache_put(&s->cache, q->base.key, buf_slice(&s->text), r->now_ns);
    if (!q->failed) return;
    counter_add(&s->counters.errors, 1);
    if (log_gate_open(&s->gate, &held))
        log_warn("filters.jdbc_streaming", "%s (%llu more since the last report)", q->error,
                 (unsigned long long)held);
}

/* ---- batches -------------------------------------------------------------------------------- */

/* Stands for events that need no answer (any more). */
static struct odbc_question settled;

static void *ask(void *run, struct event *ev)
{
    struct jdbc_run *r = run;
    struct jdbc_state *s = r->state;
    const struct jdbc_cfg *cfg = r->cfg;
    struct value values[ODBC_PARAMS_MAX];
    slice known;
    r->ev = ev;
    for (uint32_t i = 0; i < cfg->param_n; i++) values[i] = param_value(r, &cfg->param[i]);
    slice key = key_of(r, values);
    uint64_t hash = hash_bytes(key.p, key.n, 0);
    struct lookup_question *same = lookup_find(s->asker, key, hash);
    bool cached = same == NULL && ttl_cache_get(&s->cache, key, r->now_ns, &known);
    counter_add(same != NULL || cached ? &s->counters.hits : &s->counters.misses, 1);
    if (same != NULL) return same;
    if (cached) {
        rows_take(r, known.p[0] == 'f', slice_from(known, 1));
        return &settled;
    }
    struct odbc_question *q = odbc_question_new(cfg->param_n);
    for (uint32_t i = 0; i < cfg->param_n; i++) {
        if (param_set(&q->param[i], &values[i])) continue;
        q->param[i].type = ODBC_NULL;
        q->failed = true;
    }
    bool ok = !q->failed;
    if (ok) {
        odbc_ask(s->asker, cfg->pool, q, key, hash);
        return q;
    }
    odbc_question_free(q);
    counter_add(&s->counters.errors, 1);
    rows_take(r, true, SLICE("[]"));
    return &settled;
}

static enum applied jdbc_apply(void *state, const void *config, struct batch *b,
                               const struct sel *in, struct sel *hit, struct plan_run *run)
{
    struct jdbc_state *s = state;
    struct jdbc_run r = {.state = s, .cfg = config, .batch = b, .now_ns = clock_mono_ns()};
    (void)run;
    if (lookup_each(s->asker, &s->counters, b, in, &s->question, ask, &r) == APPLY_PARKED)
        return APPLY_PARKED;
    for (uint32_t i = 0; i < in->n; i++) {
        struct odbc_question *q = s->question[i];
        r.ev = &b->event[in->at[i]];
        sel_add(hit, in->at[i]);
        if (q == &settled) continue;
        note_answer(&r, q);
        rows_take(&r, q->failed, buf_slice(&q->rows));
    }
    s->question = NULL;
    lookup_end(s->asker);
    return APPLIED;
}

static err jdbc_start(void *state, const void *config, struct worker *worker)
{
    struct jdbc_state *s = state;
    const struct jdbc_cfg *cfg = config;
    s->asker = lookup_join(worker);
    json_reader_init(&s->reader);
    ttl_cache_init(&s->cache, cfg->use_cache ? cfg->cache_size : 0,
                   (int64_t)(cfg->cache_sec * 1e9));
    return ERR_OK;
}

static void jdbc_stop(void *state, const void *cfg)
{
    struct jdbc_state *s = state;
    (void)cfg;
    lookup_leave(s->asker);
    ttl_cache_fini(&s->cache);
    json_reader_fini(&s->reader);
    buf_fini(&s->key);
    buf_fini(&s->text);
}

static void jdbc_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    lookup_stats(&((const struct jdbc_state *)state)->counters, out);
}

/* ---- configuration -------------------------------------------------------------------------- */

static bool is_template(slice text)
{
    return slice_find(text, SLICE("%{")) >= 0;
}

/* `bare`: a text without brackets is a field, too, if the event has it. */
static err compile_param(struct compiler *c, struct jdbc_param *p, const struct config_value *v,
                         bool bare)
{
    slice text = v->text;
    p->constant = compile_value(c, v);
    p->falls_back = bare;
    if (v->type != CONFIG_STRING) return ERR_OK;
    p->is_text = is_template(text);
    if (p->is_text) return compile_template(c, &p->text, text, v->pos);
    bool brackets = text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';
    p->is_field = text.n > 0 && (bare || brackets);
    if (!p->is_field) return ERR_OK;
    /* A text that is no reference is a constant. */
    if (!brackets && fieldref_parse(&p->field, text, c->arena) != ERR_OK) {
        p->is_field = false;
        return ERR_OK;
    }
    return compile_fieldref(c, &p->field, text, v->pos);
}

static bool is_word(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_';
}

/* The parameter that is named behind a colon, the longest one; NULL: none. */
static const struct config_pair *named(const struct jdbc_cfg *cfg, slice rest)
{
    const struct config_pair *best = NULL;
    for (uint32_t i = 0; i < cfg->param_pairs.n; i++) {
        const struct config_pair *pair = &cfg->param_pairs.at[i];
        slice name = pair->key.text;
        bool ends = name.n == rest.n || (name.n < rest.n && !is_word(rest.p[name.n]));
        if (slice_starts(rest, name) && ends && (best == NULL || name.n > best->key.text.n))
            best = pair;
    }
    return best;
}

static err too_many(struct compiler *c)
{
    compile_error(c, "statement", NULL, "more than %u parameters", ODBC_PARAMS_MAX);
    return ERR_CONFIG;
}

/* :name becomes ?, except within quotes. */
static err compile_named(struct jdbc_cfg *cfg, struct compiler *c, struct buf *out)
{
    slice s = cfg->statement;
    char quote = 0;
    for (uint32_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        const struct config_pair *pair = NULL;
        if (quote != 0)
            quote = ch == quote ? 0 : quote;
        else if (ch == '\'' || ch == '"')
            quote = ch;
        else if (ch == ':' && (i == 0 || s.p[i - 1] != ':'))
            pair = named(cfg, slice_from(s, i + 1));
        if (pair == NULL) {
            buf_add_byte(out, ch);
            continue;
        }
        if (cfg->param_n == ODBC_PARAMS_MAX) return too_many(c);
        if (compile_param(c, &cfg->param[cfg->param_n++], &pair->val, true) != ERR_OK)
            return ERR_CONFIG;
        buf_add_byte(out, '?');
        i += pair->key.text.n;
    }
    return ERR_OK;
}

static err compile_prepared(struct jdbc_cfg *cfg, struct compiler *c, struct buf *out)
{
    uint32_t marks = 0;
    for (uint32_t i = 0; i < cfg->statement.n; i++) marks += cfg->statement.p[i] == '?';
    if (cfg->prepared_name.n == 0) {
        compile_error(c, "prepared_statement_name", "a name",
                      "must provide a name for the Prepared Statement");
        return ERR_CONFIG;
    }
    if (marks != cfg->bind_list.n) {
        compile_error(c, "prepared_statement_bind_values", "a value for each ?",
                      "there is a mismatch between the number of statement `?` placeholders and "
                      ":prepared_statement_bind_values array setting elements");
        return ERR_CONFIG;
    }
    if (marks > ODBC_PARAMS_MAX) return too_many(c);
    for (uint32_t i = 0; i < marks; i++) {
        struct jdbc_param *p = &cfg->param[cfg->param_n++];
        const struct config_value *v = &cfg->bind_list.at[i];
        if (compile_param(c, p, v, false) != ERR_OK) return ERR_CONFIG;
        if (cfg->warn_constants && v->type == CONFIG_STRING && !p->is_field && !p->is_text)
            diag_warn(c->diag, v->pos, "[field]", "`%.*s` is a constant here", SLICE_FMT(v->text));
    }
    buf_add_slice(out, cfg->statement);
    return ERR_OK;
}

static err compile_pool(struct jdbc_cfg *cfg, struct compiler *c, slice statement)
{
    struct buf connection = {0}, why = {0};
    err e =
        odbc_url_add(cfg->connection, cfg->user, cfg->password, &connection) ? ERR_OK : ERR_CONFIG;
    if (e != ERR_OK) compile_error(c, "jdbc_connection_string", ODBC_URL_EXPECTED, ODBC_URL_ERROR);
    struct odbc_options options = {
        .statement = heap_dup(c->heap, statement).p,
        .validate = cfg->validate,
        .validate_ns = (int64_t)(cfg->validate_sec * 1e9),
    };
    if (e == ERR_OK) {
        options.connection = heap_dup(c->heap, buf_slice(&connection)).p;
        cfg->pool = odbc_pool_new(&options, &why);
        if (cfg->pool == NULL) {
            compile_error(c, NULL, NULL, "%s", buf_cstr(&why));
            e = ERR_CONFIG;
        }
    }
    buf_fini(&connection);
    buf_fini(&why);
    return e;
}

static err jdbc_compile(void *config, struct compiler *c)
{
    struct jdbc_cfg *cfg = config;
    struct buf statement = {0};
    struct config_value none = {.type = CONFIG_HASH,
                                .n = cfg->default_pairs.n,
                                .u.pairs = (void *)(uintptr_t)cfg->default_pairs.at};
    cfg->default_value = compile_value(c, &none);
    cfg->param = heap_alloc(c->heap, ODBC_PARAMS_MAX * sizeof(*cfg->param));
    err e = compile_field_option(c, &cfg->target, "target", cfg->target_name);
    err e2 =
        cfg->prepared ? compile_prepared(cfg, c, &statement) : compile_named(cfg, c, &statement);
    if (e == ERR_OK) e = e2;
    if (e == ERR_OK) e = compile_pool(cfg, c, buf_slice(&statement));
    buf_fini(&statement);
    return e;
}

static void jdbc_release(void *config)
{
    struct jdbc_cfg *cfg = config;
    odbc_pool_free(cfg->pool);
    for (uint32_t i = 0; i < cfg->param_n; i++) template_fini(&cfg->param[i].text);
}

#define JDBC_AT(member, kind) SETTING_AT(struct jdbc_cfg, member, kind)

/* clang-format off */
static const struct setting jdbc_settings[] = {
    {.name = "jdbc_connection_string", JDBC_AT(connection, STRING), .flags = SETTING_REQUIRED,
     .doc = ODBC_URL_DOC},
    {.name = "jdbc_user", JDBC_AT(user, STRING), .doc = "User name (UID)."},
    {.name = "jdbc_password", JDBC_AT(password, PASSWORD), .doc = "Password (PWD)."},
    {.name = "jdbc_driver_class", JDBC_AT(driver_class, STRING), .flags = SETTING_OLD,
     .instead = "Drivers are those of unixODBC (odbcinst.ini).", .doc = "A class of Java."},
    {.name = "jdbc_driver_library", JDBC_AT(library, STRING), .flags = SETTING_OLD,
     .instead = "Drivers are those of unixODBC (odbcinst.ini).", .doc = "A library of Java."},
    {.name = "jdbc_validate_connection", JDBC_AT(validate, BOOL), .default_text = "false",
     .doc = "Ask the driver whether a connection still lives before it is used again."},
    {.name = "jdbc_validation_timeout", JDBC_AT(validate_sec, FLOAT), .default_text = "3600",
     .doc = "Only when it was idle for so many seconds."},
    {.name = "statement", JDBC_AT(statement, STRING), .flags = SETTING_REQUIRED,
     .doc = "The SQL to run, with :name for parameters, or ? in a prepared statement. It is "
            "prepared either way."},
    {.name = "parameters", JDBC_AT(param_pairs, HASH), .flags = SETTING_FIELD, .default_text = "{}",
     .doc = "Names, and where their values come from: a field, a text with %{field}, else the "
            "value itself."},
    {.name = "use_prepared_statements", JDBC_AT(prepared, BOOL), .default_text = "false",
     .doc = "The statement has ? for its parameters."},
    {.name = "prepared_statement_name", JDBC_AT(prepared_name, STRING), .default_text = "",
     .doc = "Needed with that, as in Logstash."},
    {.name = "prepared_statement_bind_values", JDBC_AT(bind_list, ANY_LIST), .flags = SETTING_FIELD,
     .default_text = "[]",
     .doc = "Its parameters: \"[field]\", a text with %{field}, or a constant."},
    {.name = "prepared_statement_warn_on_constant_usage", JDBC_AT(warn_constants, BOOL),
     .default_text = "true", .doc = "Warn when a text among them is a constant."},
    {.name = "target", JDBC_AT(target_name, STRING), .flags = SETTING_REQUIRED | SETTING_FIELD,
     .doc = "The field that receives the rows, a list of hashes."},
    {.name = "default_hash", JDBC_AT(default_pairs, HASH), .default_text = "{}",
     .doc = "The one row of an event that there are no rows for."},
    {.name = "tag_on_failure", JDBC_AT(failure_tags, LIST),
     .default_text = "[\"_jdbcstreamingfailure\"]", .doc = "Tags when the database said no."},
    {.name = "tag_on_default_use", JDBC_AT(default_tags, LIST),
     .default_text = "[\"_jdbcstreamingdefaultsused\"]", .doc = "Tags when there are no rows."},
    {.name = "use_cache", JDBC_AT(use_cache, BOOL), .default_text = "true",
     .doc = "Remember rows, and failures, by parameters."},
    {.name = "cache_expiration", JDBC_AT(cache_sec, FLOAT), .default_text = "5",
     .doc = "Seconds to remember them for."},
    {.name = "cache_size", JDBC_AT(cache_size, INT), .default_text = "500", .min = 0,
     .max = TTL_CACHE_ENTRIES_MAX, .doc = "How many to remember, per shard."},
    {.name = "sequel_opts", .type = SETTING_HASH, .flags = SETTING_UNSUPPORTED,
     .instead = "Options of a connection go into the ODBC connection string."},
    {0}};
/* clang-format on */

const struct filter_ops filter_jdbc_streaming = {
    .name = "jdbc_streaming",
    .doc = "Puts rows of a database into events, over ODBC.",
    .flags = FILTER_WAITS,
    .settings = jdbc_settings,
    .cfg_size = sizeof(struct jdbc_cfg),
    .state_size = sizeof(struct jdbc_state),
    .compile = jdbc_compile,
    .release = jdbc_release,
    .start = jdbc_start,
    .apply = jdbc_apply,
    .stop = jdbc_stop,
    .stats = jdbc_stats,
};
