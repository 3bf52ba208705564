/*
 * jdbc_static.c - looks things up in local tables that are loaded from databases.
 *
 * The tables are SQLite's, in memory (jdbc_local.h); a thread fills them when the pipeline starts,
 * and by a schedule (jdbc_loader.h). Until they are filled for the first time batches are parked;
 * after that nothing waits. State: the shard's own connection to the image that all share, and the
 * question whether there is one yet.
 */
#include "engine/filters/jdbc_static.h"

#include "engine/base/log.h"

#define LOGGER "filters.jdbc_static"

struct static_state {
    struct lookup_asker *asker;
    struct edition_user *user;
    struct local_reader *reader; /* NULL: it could not be made */
    bool loaded;
    struct log_gate gate;
    struct counter lookups, misses, invalid, failures;
};

struct static_run {
    struct static_state *state;
    const struct static_cfg *cfg;
    struct batch *batch;
    struct event *ev;
};

/* ---- images --------------------------------------------------------------------------------- */

static void reader_renew(struct static_state *s, const struct static_cfg *cfg)
{
    char error[LOCAL_ERROR_BYTES];
    /* It reads the image that is given back now. */
    local_reader_free(s->reader);
    const struct local_image *image = jdbc_loader_now(s->user);
    ASSERT(image->loaded);
    s->reader = local_reader_new(image, cfg->query, cfg->lookup_n, cfg->zone, error);
    if (s->reader == NULL) log_error(LOGGER, "the local tables cannot be opened: %s", error);
}

/* ---- one event ------------------------------------------------------------------------------ */

static void complain(struct static_run *r, const struct static_lookup *look, const char *what,
                     slice name)
{
    uint64_t held;
    if (log_gate_open(&r->state->gate, &held))
        log_warn(LOGGER, "lookup %.*s: %s %.*s (%llu more since the last report)",
                 SLICE_FMT(look->id), what, SLICE_FMT(name), (unsigned long long)held);
}

/* False: the event has no such field, or a list or a hash there; of a text, none of its fields. */
static bool param_value(struct static_run *r, const struct static_param *p, struct value *out)
{
    if (p->is_text) {
        slice text = template_render(&p->text, r->batch, r->ev, NULL);
        *out = value_string(arena_copy(&r->batch->arena, text));
        return !slice_equal(text, p->text.text);
    }
    if (p->field.root == FIELD_TIMESTAMP) {
        *out = r->ev->time;
    } else {
        const struct value *v = event_get(r->batch, r->ev, &p->field);
        *out = v == NULL ? value_nil() : *v;
    }
    return out->type != VALUE_NIL && out->type != VALUE_LIST && out->type != VALUE_MAP;
}

static bool params_get(struct static_run *r, uint32_t at, struct value out[STATIC_PARAMS_MAX])
{
    const struct static_lookup *look = &r->cfg->lookup[at];
    struct value given[STATIC_PARAMS_MAX];
    for (uint32_t i = 0; i < look->param_n; i++) {
        if (param_value(r, &look->param[i], &given[i])) continue;
        const struct static_param *p = &look->param[i];
        complain(r, look,
                 "parameter field not found in event:", p->is_text ? p->text.text : p->field.text);
        return false;
    }
    for (uint32_t i = 0; i < r->cfg->query[at].param_n; i++) out[i] = given[look->param_of[i]];
    return true;
}

static bool rows_get(struct static_run *r, uint32_t at, const struct value *params,
                     struct value *rows)
{
    char error[LOCAL_ERROR_BYTES] = "the local tables are not open";
    const struct static_lookup *look = &r->cfg->lookup[at];
    if (r->state->reader != NULL &&
        local_look_up(r->state->reader, at, params, look->key, &r->batch->arena, rows, error))
        return true;
    complain(r, look, "the query failed:", slice_from_cstr(error));
    return false;
}

/* False: the event was tagged. */
static bool look_up(struct static_run *r, uint32_t at)
{
    struct value params[STATIC_PARAMS_MAX], rows;
    struct static_state *s = r->state;
    const struct static_lookup *look = &r->cfg->lookup[at];
    counter_add(&s->lookups, 1);
    bool valid = params_get(r, at, params);
    if (!valid) counter_add(&s->invalid, 1);
    bool ok = valid && rows_get(r, at, params, &rows);
    if (ok && rows.n == 0) {
        counter_add(&s->misses, 1);
        if (look->has_default) {
            event_tag_list(r->batch, r->ev, look->default_tags);
            rows = value_copy(&look->default_rows, &r->batch->arena);
        }
    }
    if (ok) ok = event_put(r->batch, r->ev, &look->target, rows) == ERR_OK;
    if (ok) return true;
    if (valid) counter_add(&s->failures, 1);
    event_tag_list(r->batch, r->ev, look->failure_tags);
    return false;
}

/* ---- batches -------------------------------------------------------------------------------- */

static enum applied static_apply(void *state, const void *config, struct batch *b,
                                 const struct sel *in, struct sel *hit, struct plan_run *run)
{
    struct static_state *s = state;
    const struct static_cfg *cfg = config;
    (void)run;
    if (!s->loaded) {
        if (lookup_wait(s->asker) == APPLY_PARKED) return APPLY_PARKED;
        lookup_end(s->asker);
        s->loaded = true;
        reader_renew(s, cfg);
    } else if (edition_is_over(s->user)) {
        reader_renew(s, cfg);
    }
    for (uint32_t i = 0; i < in->n; i++) {
        struct static_run r = {s, cfg, b, &b->event[in->at[i]]};
        bool all = true;
        for (uint32_t k = 0; k < cfg->lookup_n; k++) all = look_up(&r, k) && all;
        if (all) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

/* A shard without events gives old tables back, too. */
static void static_tick(void *state, const void *cfg, struct batch *out, int64_t now_ns, bool last)
{
    struct static_state *s = state;
    (void)out;
    (void)now_ns;
    (void)last;
    if (s->loaded && edition_is_over(s->user)) reader_renew(s, cfg);
}

static err static_start(void *state, const void *config, struct worker *worker)
{
    struct static_state *s = state;
    const struct static_cfg *cfg = config;
    s->asker = lookup_join(worker);
    s->user = jdbc_loader_join(cfg->loader, s->asker);
    return ERR_OK;
}

static void static_stop(void *state, const void *cfg)
{
    struct static_state *s = state;
    (void)cfg;
    lookup_leave(s->asker);
    local_reader_free(s->reader);
    edition_leave(s->user);
}

static void static_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct static_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"lookups\":%llu,\"misses\":%llu,\"invalid\":%llu,\"failures\":%llu",
               (unsigned long long)counter_read(&s->lookups),
               (unsigned long long)counter_read(&s->misses),
               (unsigned long long)counter_read(&s->invalid),
               (unsigned long long)counter_read(&s->failures));
}

static void static_stats_shared(const void *config, struct buf *out)
{
    const struct static_cfg *cfg = config;
    jdbc_loader_stats(cfg->loader, out);
}

const struct filter_ops filter_jdbc_static = {
    .name = "jdbc_static",
    .doc = "Looks things up in local tables that are loaded from databases, over ODBC.",
    .flags = FILTER_WAITS,
    .settings = jdbc_static_settings,
    .cfg_size = sizeof(struct static_cfg),
    .state_size = sizeof(struct static_state),
    .compile = jdbc_static_compile,
    .release = jdbc_static_release,
    .start = static_start,
    .apply = static_apply,
    .tick = static_tick,
    .stop = static_stop,
    .stats = static_stats,
    .stats_shared = static_stats_shared,
};
