/* elasticsearch_result.c - what an answer to a bulk request means for each of its items. */
#include "engine/outputs/elasticsearch.h"

#include "engine/base/assert.h"

/* Reads `"name":` white space included, at the start of *in. */
static bool take_text(slice *in, slice text)
{
    while (in->n > 0 && (*in->p == ' ' || *in->p == '\n' || *in->p == '\r' || *in->p == '\t'))
        *in = slice_from(*in, 1);
    if (!slice_starts(*in, text)) return false;
    *in = slice_from(*in, text.n);
    return true;
}

/* The common case without decoding a list of thousands: "errors":false before any item, and the
 * text is whole. */
static bool all_is_well(slice answer)
{
    slice in = answer;
    if (!take_text(&in, SLICE("{"))) return false;
    if (take_text(&in, SLICE("\"took\""))) {
        if (!take_text(&in, SLICE(":"))) return false;
        while (in.n > 0 && *in.p != ',' && *in.p != '"') in = slice_from(in, 1);
        if (!take_text(&in, SLICE(","))) return false;
    }
    if (!take_text(&in, SLICE("\"errors\"")) || !take_text(&in, SLICE(":")) ||
        !take_text(&in, SLICE("false")))
        return false;
    slice end = slice_trim(answer);
    return end.n > 0 && end.p[end.n - 1] == '}';
}

static struct value *member_of(const struct value *map, slice name, struct arena *arena)
{
    if (map == NULL || map->type != VALUE_MAP) return NULL;
    struct member *m = map_find(map->u.map, name, hash_key(name.p, name.n));
    if (m == NULL) return NULL;
    value_resolve(&m->val, arena);
    return &m->val;
}

static slice text_of(struct value *error, slice name, struct arena *arena)
{
    struct value *v = member_of(error, name, arena);
    return v != NULL && v->type == VALUE_STRING ? value_slice(v) : SLICE("");
}

static bool in_list(struct config_list list, slice text)
{
    for (uint32_t i = 0; i < list.n; i++)
        if (slice_equal(list.at[i].text, text)) return true;
    return false;
}

/* One line of the action, for logs: it names index and id. */
static slice action_of(const struct es_request *r, uint32_t item)
{
    slice bytes = es_request_item_bytes(r, item);
    int64_t end = slice_find_byte(bytes, '\n');
    return slice_part(bytes, 0, end < 0 || end > 300 ? 300 : (uint32_t)end);
}

static void log_item(struct es_shared *s, struct log_gate *gate, const char *what,
                     const struct es_request *r, uint32_t item, int64_t status, slice type,
                     slice reason)
{
    uint64_t held;
    if (!log_gate_open(gate, &held)) return;
    slice action = action_of(r, item);
    log_warn(s->logger, "%s: status %lld, action %.*s, error %.*s: %.*s (%llu more)", what,
             (long long)status, SLICE_FMT(action), SLICE_FMT(type),
             SLICE_FMT(slice_part(reason, 0, 500)), (unsigned long long)held);
}

static bool code_is_final(const struct es_cfg *cfg, int64_t status)
{
    return status >= 0 && status < 1024 && (cfg->drop_codes[status / 64] >> (status % 64) & 1) != 0;
}

static void drop(struct es_request *r)
{
    /* It was refused for good and counted: for the source that is settled, as in Logstash. */
    if (r->outcome < OUTCOME_DEAD_LETTERED) r->outcome = OUTCOME_DEAD_LETTERED;
}

static void settle_item(struct es_shared *s, struct es_request *r, uint32_t item,
                        struct value *answer)
{
    struct es_writer_counters *n = &s->counters;
    struct value *op = NULL, *status_value, *error;
    if (answer->type == VALUE_MAP && answer->u.map->n == 1) op = &answer->u.map->at[0].val;
    status_value = member_of(op, SLICE("status"), &s->arena);
    error = member_of(op, SLICE("error"), &s->arena);
    int64_t status =
        status_value != NULL && status_value->type == VALUE_INT ? status_value->u.num : 0;
    if (status >= 200 && status < 300) {
        counter_add(&n->successes, 1);
        return;
    }
    slice type = text_of(error, SLICE("type"), &s->arena);
    slice reason = text_of(error, SLICE("reason"), &s->arena);
    if (status == 409) {
        counter_add(&n->conflicts, 1);
        drop(r);
        if (!in_list(s->cfg->opt.silenced, type))
            log_item(s, &s->gate_conflict, "document exists in another version, dropped", r, item,
                     status, type, reason);
    } else if (code_is_final(s->cfg, status) || in_list(s->cfg->opt.drop_error_types, type)) {
        counter_add(&n->rejected, 1);
        drop(r);
        if (!in_list(s->cfg->opt.silenced, type))
            log_item(s, &s->gate_item, "document refused, dropped", r, item, status, type, reason);
    } else {
        counter_add(&n->retryable, 1);
        if (status != 429)
            log_item(s, &s->gate_status, "document not taken, will be sent again", r, item, status,
                     type, reason);
        es_request_keep(r, item);
    }
}

static enum es_result read_items(struct es_shared *s, struct es_request *r, slice answer)
{
    struct value v;
    if (json_decode(&s->reader, answer, JSON_WHOLE, &s->arena, &v) < 0) return ES_AGAIN;
    struct value *errors = member_of(&v, SLICE("errors"), &s->arena);
    struct value *items = member_of(&v, SLICE("items"), &s->arena);
    if (errors != NULL && errors->type == VALUE_BOOL && !errors->u.yes) {
        counter_add(&s->counters.successes, r->part_n);
        counter_add(&s->counters.bulk_ok, 1);
        return ES_DONE;
    }
    if (items == NULL || items->type != VALUE_LIST || items->n != r->part_n) return ES_AGAIN;
    counter_add(&s->counters.bulk_errors, 1);
    for (uint32_t i = 0; i < items->n; i++) settle_item(s, r, r->at + i, &items->u.list[i]);
    return ES_DONE;
}

/* One document alone is more than the server takes. */
static void settle_too_large(struct es_shared *s, struct es_request *r)
{
    if (r->too_large_n < ES_TOO_LARGE_RETRIES) {
        counter_add(&s->counters.retryable, 1);
        r->too_large_now = true;
        es_request_keep(r, r->at);
        return;
    }
    counter_add(&s->counters.too_large, 1);
    drop(r);
    uint64_t held;
    if (!log_gate_open(&s->gate_large, &held)) return;
    slice action = action_of(r, r->at);
    log_warn(s->logger,
             "document of %u bytes dropped: the server refuses a request that large (413); "
             "action %.*s (%llu more)",
             es_request_item_bytes(r, r->at).n, SLICE_FMT(action), (unsigned long long)held);
}

enum es_result es_result_read(struct es_shared *s, struct es_request *r, long status, slice answer)
{
    if (status >= 0 && status < 600) counter_add(&s->counters.status[status], 1);
    if (status == 413) {
        if (r->part_n > 1) {
            r->part_n_max = r->part_n / 2;
            return ES_SPLIT;
        }
        settle_too_large(s, r);
        return ES_DONE;
    }
    if (status < 200 || status >= 300) return ES_AGAIN;
    if (all_is_well(answer)) {
        counter_add(&s->counters.successes, r->part_n);
        counter_add(&s->counters.bulk_ok, 1);
        return ES_DONE;
    }
    enum es_result result = read_items(s, r, answer);
    arena_reset(&s->arena);
    return result;
}
