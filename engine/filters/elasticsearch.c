/*
 * elasticsearch.c - finds documents in Elasticsearch and copies of them what the event lacks.
 *
 * One search per event: a query string in the URL, a request body made from a template file, or an
 * ES|QL query. A batch is parked until its searches are answered; events that ask the same share
 * one (http_client.h). An answer that is an error, or no search result, tags the event. State: the
 * request of each event of the parked batch.
 */
#include "engine/filters/elasticsearch.h"

#include "engine/base/assert.h"

/* ---- requests -------------------------------------------------------------------------------- */

/* Names stay lists: the commas between them are not encoded. */
static void index_add(struct buf *url, slice names)
{
    while (names.n > 0) {
        int64_t comma = slice_find_byte(names, ',');
        slice name = comma < 0 ? names : slice_part(names, 0, (uint32_t)comma);
        http_escape(url, name);
        if (comma >= 0) buf_add_byte(url, ',');
        names = comma < 0 ? SLICE_NONE : slice_from(names, (uint32_t)comma + 1);
    }
}

static slice render(struct look_run *r, const struct template *t)
{
    return template_render(t, r->batch, r->ev, NULL);
}

static struct http_request *search_make(struct look_run *r, struct http_request *q)
{
    const struct look_cfg *cfg = r->cfg;
    slice index = render(r, &cfg->index);
    buf_add_byte(&q->url, '/');
    index_add(&q->url, index);
    buf_add_cstr(&q->url, index.n > 0 ? "/_search" : "_search");
    if (cfg->by_template) {
        struct value ignored;
        slice body = render(r, &cfg->query);
        q->has_body = true;
        q->method = "POST";
        if (json_decode_copy(&r->state->reader, body, JSON_WHOLE, &r->batch->arena, &ignored) < 0) {
            http_request_free(q);
            return NULL;
        }
        buf_add_slice(&q->body, body);
        return q;
    }
    buf_add_cstr(&q->url, "?q=");
    http_escape(&q->url, render(r, &cfg->query));
    buf_printf(&q->url, "&size=%lld", (long long)cfg->result_size);
    if (!cfg->enable_sort) return q;
    buf_add_cstr(&q->url, "&sort=");
    http_escape(&q->url, cfg->sort);
    return q;
}

static struct http_request *request_make(struct look_run *r)
{
    const struct look_cfg *cfg = r->cfg;
    struct http_request *q = http_request_new(cfg->client, "GET");
    bool ok = true;
    for (uint32_t i = 0; i < cfg->header_n; i++)
        ok = http_request_header(q, cfg->header_name[i], cfg->header_value[i]) && ok;
    ASSERT(ok);
    if (!cfg->esql) return search_make(r, q);
    q->method = "POST";
    q->has_body = true;
    buf_add_cstr(&q->url, "/_query?format=json&drop_null_columns=true");
    look_esql_body(r, &q->body);
    return q;
}

/* ---- answers -------------------------------------------------------------------------------- */

struct value *look_member(struct look_run *r, struct value *map, slice name)
{
    if (map == NULL || map->type != VALUE_MAP) return NULL;
    struct member *m = map_find(map->u.map, name, hash_key(name.p, name.n));
    if (m == NULL) return NULL;
    value_resolve(&m->val, &r->batch->arena);
    return &m->val;
}

static struct value walk(struct look_run *r, struct value *from, const struct look_copy *copy)
{
    for (uint32_t i = 0; i < copy->step_n && from != NULL; i++)
        from = look_member(r, from, copy->step[i]);
    return from == NULL ? value_nil() : *from;
}

static bool put(struct look_run *r, const struct fieldref *to, struct value val)
{
    return event_put(r->batch, r->ev, to, val) == ERR_OK;
}

/* One value of each hit: alone, or a list. `part` is a member of the hit, or empty for itself. */
static bool copy_hits(struct look_run *r, struct value *hits, const struct look_copies *copies,
                      slice part)
{
    struct arena *arena = &r->batch->arena;
    for (uint32_t i = 0; i < copies->n; i++) {
        struct value *items = arena_alloc(arena, ((size_t)hits->n + 1) * sizeof(*items), 16);
        for (uint32_t k = 0; k < hits->n; k++) {
            struct value *hit = &hits->u.list[k];
            value_resolve(hit, arena);
            if (part.n > 0) hit = look_member(r, hit, part);
            items[k] = walk(r, hit, &copies->at[i]);
        }
        struct value val = hits->n > 1 ? value_list(items, hits->n) : items[0];
        if (!put(r, &copies->at[i].to, val)) return false;
    }
    return true;
}

static bool take_aggregations(struct look_run *r, struct value *answer, bool *matched)
{
    struct value *all = look_member(r, answer, SLICE("aggregations"));
    if (all == NULL || all->type != VALUE_MAP || all->u.map->n == 0) return true;
    *matched = true;
    for (uint32_t i = 0; i < r->cfg->aggregations.n; i++) {
        const struct look_copy *copy = &r->cfg->aggregations.at[i];
        if (!put(r, &copy->to, walk(r, all, copy))) return false;
    }
    return true;
}

static bool take_search(struct look_run *r, struct value *answer, bool *matched)
{
    struct value *shards = look_member(r, answer, SLICE("_shards"));
    struct value *hits = look_member(r, answer, SLICE("hits"));
    if (shards == NULL || shards->type != VALUE_MAP || hits == NULL || hits->type != VALUE_MAP ||
        look_member(r, shards, SLICE("failures")) != NULL)
        return false;
    /* Since Elasticsearch 7 the total is an object. */
    struct value *total = look_member(r, hits, SLICE("total"));
    if (total != NULL && total->type == VALUE_MAP) total = look_member(r, total, SLICE("value"));
    if (!put(r, &r->cfg->total_hits, total == NULL ? value_nil() : *total)) return false;
    struct value *list = look_member(r, hits, SLICE("hits"));
    if (list != NULL && list->type == VALUE_LIST && list->n > 0) {
        *matched = true;
        if (!copy_hits(r, list, &r->cfg->fields, SLICE("_source")) ||
            !copy_hits(r, list, &r->cfg->docinfo, SLICE_NONE))
            return false;
    }
    return take_aggregations(r, answer, matched);
}

static void failed(struct look_run *r, struct http_request *q)
{
    struct look_state *s = r->state;
    uint64_t held;
    event_tag_list(r->batch, r->ev, r->cfg->tags);
    if (q != NULL && q->noted) return;
    bool late = q != NULL && q->outcome == HTTP_TIMED_OUT;
    counter_add(late ? &s->counters.timeouts : &s->counters.errors, 1);
    if (!log_gate_open(&s->gate, &held)) return;
    char status[32] = "";
    if (q != NULL && q->outcome == HTTP_ANSWERED)
        slice_cstr(slice_make("no search result", 16), status, sizeof(status));
    if (q != NULL && q->outcome == HTTP_ANSWERED && q->status != 200)
        snprintf(status, sizeof(status), "status %ld", q->status);
    log_warn("filters.elasticsearch", "a search failed: %s (%llu more since the last report)",
             q == NULL        ? "the query is no JSON"
             : status[0] != 0 ? status
                              : q->error,
             (unsigned long long)held);
}

static bool answer_take(struct look_run *r, struct http_request *q)
{
    struct value answer;
    bool matched = false;
    bool ok = q != NULL && q->outcome == HTTP_ANSWERED && q->status >= 200 && q->status <= 299;
    ok = ok && json_decode_copy(&r->state->reader, buf_slice(&q->answer), JSON_WHOLE,
                                &r->batch->arena, &answer) >= 0;
    ok = ok && answer.type == VALUE_MAP;
    if (ok && r->cfg->esql)
        ok = matched = look_esql_take(r, &answer);
    else if (ok)
        ok = take_search(r, &answer, &matched);
    if (!ok) failed(r, q);
    if (q != NULL) q->noted = true;
    return ok && matched;
}

/* ---- batches -------------------------------------------------------------------------------- */

/* Stands for a request that cannot be made. */
static struct http_request impossible;

static void *ask(void *run, struct event *ev)
{
    struct look_run *r = run;
    struct look_state *s = r->state;
    r->ev = ev;
    struct http_request *q = request_make(r);
    if (q == NULL) return &impossible;
    s->key.n = 0;
    buf_add_slice(&s->key, buf_slice(&q->url));
    buf_add_byte(&s->key, 0);
    buf_add_slice(&s->key, buf_slice(&q->body));
    return http_ask(s->asker, &s->counters, q, buf_slice(&s->key));
}

static enum applied look_apply(void *state, const void *config, struct batch *b,
                               const struct sel *in, struct sel *hit, struct plan_run *run)
{
    struct look_state *s = state;
    struct look_run r = {.state = s, .cfg = config, .batch = b};
    (void)run;
    if (lookup_each(s->asker, &s->counters, b, in, &s->request, ask, &r) == APPLY_PARKED)
        return APPLY_PARKED;
    for (uint32_t i = 0; i < in->n; i++) {
        r.ev = &b->event[in->at[i]];
        if (answer_take(&r, s->request[i] == &impossible ? NULL : s->request[i]))
            sel_add(hit, in->at[i]);
    }
    s->request = NULL;
    lookup_end(s->asker);
    return APPLIED;
}

static err look_start(void *state, const void *config, struct worker *worker)
{
    struct look_state *s = state;
    (void)config;
    s->asker = lookup_join(worker);
    json_reader_init(&s->reader);
    return ERR_OK;
}

static void look_stop(void *state, const void *cfg)
{
    struct look_state *s = state;
    (void)cfg;
    lookup_leave(s->asker);
    json_reader_fini(&s->reader);
    buf_fini(&s->key);
}

static void look_stats(const void *state, const void *cfg, struct buf *out)
{
    (void)cfg;
    lookup_stats(&((const struct look_state *)state)->counters, out);
}

const struct filter_ops filter_elasticsearch = {
    .name = "elasticsearch",
    .doc = "Finds documents in Elasticsearch and copies fields of them.",
    .flags = FILTER_WAITS,
    .settings = look_settings,
    .cfg_size = sizeof(struct look_cfg),
    .state_size = sizeof(struct look_state),
    .compile = look_compile,
    .release = look_release,
    .start = look_start,
    .apply = look_apply,
    .stop = look_stop,
    .stats = look_stats,
};
