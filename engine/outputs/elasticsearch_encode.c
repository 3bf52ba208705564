/* elasticsearch_encode.c - events to bulk items: an action line and, but for delete, a document. */
#include "engine/outputs/elasticsearch.h"

#include "engine/base/assert.h"

const slice es_action_names[ES_ACTIONS] = {
    {"index", 5}, {"create", 6}, {"update", 6}, {"delete", 6}};

/* What an event brings along in [@metadata]: values used where the option is not set. */
struct meta {
    struct value *document[ES_META]; /* of [_ingest_document]; NULL: absent */
    struct value *target;            /* [target_ingest_pipeline] */
};

/* One event on its way into a request. */
struct item {
    struct es_state *s;
    struct batch *b;
    struct event *ev;
    struct meta meta;
    struct buf *out;
    bool comma;
    enum es_action action;
};

static struct value *find_set(const struct map *map, const struct key *key, struct arena *arena)
{
    struct member *m = map_find(map, key->name, key->hash);
    if (m == NULL) return NULL;
    value_resolve(&m->val, arena);
    return m->val.type == VALUE_NIL ? NULL : &m->val;
}

/* False in the common case: nothing there that concerns this output. */
static bool meta_read(const struct es_cfg *cfg, struct batch *b, struct event *ev,
                      struct meta *meta)
{
    *meta = (struct meta){0};
    if (ev->meta.n == 0) return false;
    struct value *document = find_set(&ev->meta, &cfg->meta_document, &b->arena);
    meta->target = find_set(&ev->meta, &cfg->meta_target, &b->arena);
    if (document != NULL && document->type == VALUE_MAP)
        for (int i = 0; i < ES_META; i++)
            meta->document[i] = find_set(document->u.map, &cfg->meta[i], &b->arena);
    return document != NULL || meta->target != NULL;
}

static void count_drop(struct es_state *s, struct counter *counter, struct log_gate *gate,
                       const char *why, slice text)
{
    uint64_t held;
    counter_add(counter, 1);
    if (log_gate_open(gate, &held))
        log_warn(s->shared->logger, "event dropped: %s \"%.*s\" (%llu more since the last line)",
                 why, SLICE_FMT(slice_part(text, 0, 200)), (unsigned long long)held);
}

/* ---- the action line --------------------------------------------------------------- */

static void add_name(struct item *i, const char *quoted_name)
{
    if (i->comma) buf_add_byte(i->out, ',');
    i->comma = true;
    buf_add_cstr(i->out, quoted_name);
}

static void add_text(struct item *i, const char *quoted_name, slice text)
{
    add_name(i, quoted_name);
    json_write_string(i->out, text);
}

static slice value_of(struct item *i, struct value *v)
{
    return value_to_slice(v, &i->b->arena, &i->b->scratch);
}

/* A value out of [_ingest_document] keeps its type: a number is sent as a number. */
static void add_value(struct item *i, const char *quoted_name, struct value *v)
{
    add_name(i, quoted_name);
    json_write_value(i->out, v, &i->s->iso);
}

static slice render(struct item *i, const struct es_text *text)
{
    return template_render(&text->text, i->b, i->ev, NULL);
}

/* Whether a placeholder was left as it was written. */
static bool unresolved(slice text)
{
    int64_t at = slice_find(text, SLICE("%{"));
    return at >= 0 && slice_find_byte(slice_from(text, (uint32_t)at), '}') >= 0;
}

static bool choose_action(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    i->action = cfg->action_fixed;
    if (cfg->action_constant) return true;
    slice text = render(i, &cfg->action);
    for (int a = 0; a < ES_ACTIONS; a++)
        if (slice_equal(text, es_action_names[a])) {
            i->action = (enum es_action)a;
            return true;
        }
    count_drop(i->s, &i->s->lane->counters.dropped_action, &i->s->gate_action,
               "the action is none of index, create, update, delete:", text);
    return false;
}

/* The event's own [data_stream] map, when it may choose the stream. */
static struct map *routed_stream(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    if (!cfg->opt.ds_auto_routing) return NULL;
    struct value *v = find_set(&i->ev->data, &cfg->ds_key, &i->b->arena);
    return v != NULL && v->type == VALUE_MAP ? v->u.map : NULL;
}

static slice stream_name(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    struct map *own = routed_stream(i);
    if (own == NULL) return cfg->ds_name;
    struct buf *text = &i->s->text;
    text->n = 0;
    for (int p = 0; p < ES_DS_PARTS; p++) {
        struct value *v = find_set(own, &cfg->ds_part_key[p], &i->b->arena);
        if (p > 0) buf_add_byte(text, '-');
        if (v == NULL)
            buf_add_slice(text, cfg->ds_default[p]);
        else
            value_text(v, &i->b->arena, text);
    }
    return buf_slice(text);
}

static bool add_index(struct item *i)
{
    struct es_state *s = i->s;
    const struct es_cfg *cfg = s->cfg;
    struct value *own = i->meta.document[ES_META_INDEX];
    bool own_counts = cfg->index_is_default && !cfg->is_data_stream && !s->ilm;
    if (own != NULL && own_counts) {
        add_value(i, "\"_index\":", own);
        return true;
    }
    slice text = s->ilm                ? cfg->ilm_alias
                 : cfg->is_data_stream ? stream_name(i)
                                       : render(i, &cfg->index);
    if (cfg->opt.dlq_on_index && unresolved(text)) {
        count_drop(s, &s->lane->counters.dropped_index, &s->gate_index,
                   "the index name has a field that the event lacks:", text);
        return false;
    }
    add_text(i, "\"_index\":", text);
    return true;
}

static bool add_id(struct item *i)
{
    struct es_state *s = i->s;
    struct value *own = i->meta.document[ES_META_ID];
    if (s->cfg->id.given) {
        add_text(i, "\"_id\":", render(i, &s->cfg->id));
    } else if (own != NULL) {
        add_value(i, "\"_id\":", own);
    } else if (i->action == ES_UPDATE || i->action == ES_DELETE) {
        /* The server would refuse the whole request because of this one item. */
        count_drop(s, &s->lane->counters.dropped_id, &s->gate_id, "no document_id for action",
                   es_action_names[i->action]);
        return false;
    }
    return true;
}

static void add_type(struct item *i)
{
    const struct es_state *s = i->s;
    if (s->major == 6 || (s->major == 7 && s->cfg->type.given))
        add_text(i, "\"_type\":", s->cfg->type.given ? render(i, &s->cfg->type) : SLICE("doc"));
}

static void add_routing(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    struct value *own = i->meta.document[ES_META_ROUTING];
    if (cfg->has_join && cfg->parent.given)
        add_text(i, "\"routing\":", render(i, &cfg->parent));
    else if (cfg->routing.given)
        add_text(i, "\"routing\":", render(i, &cfg->routing));
    else if (own != NULL)
        add_value(i, "\"routing\":", own);
    if (cfg->parent.given && !cfg->has_join) add_text(i, "\"parent\":", render(i, &cfg->parent));
}

/* A text of the event that is a template itself: rare, so it is compiled on the spot. */
static slice render_own(struct item *i, struct value *v)
{
    slice text = value_of(i, v);
    if (slice_find(text, SLICE("%{")) < 0) return text;
    struct template t;
    struct template_error error;
    if (template_compile(&t, text, &i->b->arena, &error) == ERR_OK)
        text = template_render(&t, i->b, i->ev, NULL);
    template_fini(&t);
    return text;
}

static void add_pipeline(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    struct value *own = i->meta.document[ES_META_PIPELINE];
    slice text = SLICE_NONE;
    if (cfg->pipeline.given)
        text = render(i, &cfg->pipeline);
    else if (own != NULL)
        text = value_of(i, own);
    else if (i->meta.target != NULL)
        text = render_own(i, i->meta.target);
    if (text.n > 0) add_text(i, "\"pipeline\":", text);
}

static void add_version(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    struct value *version = i->meta.document[ES_META_VERSION];
    struct value *type = i->meta.document[ES_META_VERSION_TYPE];
    if (cfg->is_data_stream) return; /* has no versions */
    if (cfg->version.given)
        add_text(i, "\"version\":", render(i, &cfg->version));
    else if (version != NULL)
        add_value(i, "\"version\":", version);
    if (cfg->version_type.p != NULL)
        add_text(i, "\"version_type\":", cfg->version_type);
    else if (type != NULL)
        add_value(i, "\"version_type\":", type);
}

/* False when the event is dropped. */
static bool add_line(struct item *i)
{
    buf_add_cstr(i->out, "{\"");
    buf_add_slice(i->out, es_action_names[i->action]);
    buf_add_cstr(i->out, "\":{");
    if (!add_index(i) || !add_id(i)) return false;
    add_type(i);
    add_routing(i);
    add_pipeline(i);
    add_version(i);
    if (i->action == ES_UPDATE) {
        add_name(i, "\"retry_on_conflict\":");
        buf_printf(i->out, "%lld", (long long)i->s->cfg->opt.retry_on_conflict);
    }
    buf_add_cstr(i->out, "}}\n");
    return true;
}

/* ---- the document --------------------------------------------------------------------- */

static void write_plain(struct item *i)
{
    json_write_laid_out(i->out, i->ev, &i->s->iso, i->s->layouts);
}

/* The event as it would be with data_stream and join fields set; other outputs of the batch
 * must not see them, so they are set on a copy. */
static struct event copy_of(struct item *i)
{
    struct event copy = {.child = EVENT_NONE, .child_last = EVENT_NONE, .sibling = EVENT_NONE};
    event_copy(i->b, &copy, i->ev);
    return copy;
}

/* The three data_stream fields as the stream that was chosen has them. */
static void write_synced(struct item *i)
{
    struct es_state *s = i->s;
    const struct es_cfg *cfg = s->cfg;
    struct arena *arena = &i->b->arena;
    if (map_find(&i->ev->data, cfg->ds_key.name, cfg->ds_key.hash) == NULL) {
        write_plain(i);
        i->out->n--; /* the closing brace */
        if (i->out->data[i->out->n - 1] != '{') buf_add_byte(i->out, ',');
        buf_add_slice(i->out, cfg->ds_suffix);
        return;
    }
    struct event copy = copy_of(i);
    struct value *v = find_set(&copy.data, &cfg->ds_key, arena);
    struct map *map = v != NULL && v->type == VALUE_MAP ? v->u.map : NULL;
    if (map == NULL) {
        map = map_new(arena);
        map_put(&copy.data, arena, cfg->ds_key, value_map(map));
    }
    for (int p = 0; p < ES_DS_PARTS; p++)
        if (!cfg->opt.ds_auto_routing || find_set(map, &cfg->ds_part_key[p], arena) == NULL)
            map_put(map, arena, cfg->ds_part_key[p], value_string(cfg->ds_default[p]));
    json_write_event(i->out, &copy, &s->iso);
}

static void write_joined(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    struct arena *arena = &i->b->arena;
    struct event copy = copy_of(i);
    struct value *name = event_get(i->b, &copy, &cfg->join_field);
    struct map *map = map_new(arena);
    map_put(map, arena, cfg->join_name, name == NULL ? value_nil() : *name);
    map_put(map, arena, cfg->join_parent, value_string(render(i, &cfg->parent)));
    /* What is no fitting place keeps the document as it is; the server then says so. */
    err e = event_put(i->b, &copy, &cfg->join_field, value_map(map));
    json_write_event(i->out, e == ERR_OK ? &copy : i->ev, &i->s->iso);
}

static void write_document(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    if (cfg->has_join && cfg->parent.given)
        write_joined(i);
    else if (cfg->is_data_stream && cfg->opt.ds_sync)
        write_synced(i);
    else
        write_plain(i);
}

/* The upsert document is JSON text with placeholders; it is read so that it ends up on one line
 * and cannot break the request. */
static bool write_upsert(struct item *i)
{
    struct es_state *s = i->s;
    slice text = render(i, &s->cfg->upsert);
    struct value v;
    if (json_decode_copy(&s->reader, text, JSON_WHOLE, &i->b->arena, &v) < 0) {
        count_drop(s, &s->lane->counters.dropped_upsert, &s->gate_upsert,
                   "upsert is no JSON for it:", text);
        return false;
    }
    buf_add_cstr(i->out, ",\"upsert\":");
    json_write_value(i->out, &v, &s->iso);
    return true;
}

static bool write_script(struct item *i)
{
    static const char *const kinds[] = {"},\"inline\":", "},\"id\":", "},\"file\":"};
    const struct es_cfg *cfg = i->s->cfg;
    buf_add_cstr(i->out, "{\"script\":{\"params\":{");
    json_write_string(i->out, cfg->opt.script_var_name);
    buf_add_byte(i->out, ':');
    write_document(i);
    buf_add_cstr(i->out, kinds[cfg->opt.script_type]);
    json_write_string(i->out, render(i, &cfg->script));
    if (cfg->opt.script_lang.n > 0) {
        buf_add_cstr(i->out, ",\"lang\":");
        json_write_string(i->out, cfg->opt.script_lang);
    }
    buf_add_byte(i->out, '}');
    if (cfg->opt.scripted_upsert) {
        buf_add_cstr(i->out, ",\"scripted_upsert\":true,\"upsert\":{}");
    } else if (cfg->opt.doc_as_upsert) {
        buf_add_cstr(i->out, ",\"upsert\":");
        write_document(i);
    } else if (cfg->upsert.given && !write_upsert(i)) {
        return false;
    }
    buf_add_byte(i->out, '}');
    return true;
}

static bool write_update(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    if (cfg->script.given) return write_script(i);
    buf_add_cstr(i->out, "{\"doc\":");
    write_document(i);
    if (cfg->opt.doc_as_upsert)
        buf_add_cstr(i->out, ",\"doc_as_upsert\":true");
    else if (cfg->upsert.given && !write_upsert(i))
        return false;
    buf_add_byte(i->out, '}');
    return true;
}

/* ---- both ------------------------------------------------------------------------------- */

/* Renders the line that all events of this span of time share. */
static bool refresh_line(struct item *i)
{
    struct es_state *s = i->s;
    int64_t span = s->ilm || s->cfg->is_data_stream ? ES_FOREVER : s->cfg->index_span_ns;
    struct buf *out = i->out;
    s->line.n = 0;
    i->out = &s->line;
    bool ok = add_line(i);
    i->out = out;
    s->line_from_ns = INT64_MIN;
    s->line_to_ns = INT64_MAX;
    if (!ok || span == 0) {
        s->line_to_ns = INT64_MIN;
    } else if (span != ES_FOREVER) {
        int64_t t = i->ev->time.u.time_ns;
        s->line_from_ns = t - (t % span + span) % span;
        s->line_to_ns = s->line_from_ns + span;
    }
    return ok;
}

static bool line_is_shared(struct item *i)
{
    const struct es_cfg *cfg = i->s->cfg;
    if (!cfg->line_static || i->ev->time.type != VALUE_TIME) return false;
    return !cfg->is_data_stream || routed_stream(i) == NULL;
}

static bool write_line(struct item *i)
{
    struct es_state *s = i->s;
    if (!meta_read(s->cfg, i->b, i->ev, &i->meta) && line_is_shared(i)) {
        i->action = s->cfg->action_fixed;
        int64_t t = i->ev->time.u.time_ns;
        bool fresh = t >= s->line_from_ns && t < s->line_to_ns;
        if (!fresh && !refresh_line(i)) return false;
        buf_add_slice(i->out, buf_slice(&s->line));
        return true;
    }
    return choose_action(i) && add_line(i);
}

void es_encode(struct es_state *s, struct batch *b, struct event *ev, struct es_request *r)
{
    struct item i = {.s = s, .b = b, .ev = ev, .out = &r->body};
    size_t begin = r->body.n;
    bool ok = write_line(&i);
    if (ok && i.action != ES_DELETE) {
        if (i.action == ES_UPDATE)
            ok = write_update(&i);
        else
            write_document(&i);
        buf_add_byte(&r->body, '\n');
    }
    if (!ok) {
        r->body.n = begin;
        return;
    }
    if (r->item_n == r->item_cap) es_request_grow(r);
    es_request_item(r);
}
