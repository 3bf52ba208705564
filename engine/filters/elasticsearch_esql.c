/* elasticsearch_esql.c - ES|QL: named parameters out, columns and rows in. */
#include "engine/filters/elasticsearch.h"

#include "engine/base/tz.h"
#include "parsers/text/date_parse.h"

static void param_add(struct look_run *r, const struct look_param *p, struct buf *out)
{
    const struct value *v = p->is_field ? event_get(r->batch, r->ev, &p->field) : NULL;
    buf_add_byte(out, '{');
    buf_add_json(out, p->name);
    buf_add_byte(out, ':');
    if (!p->is_field)
        buf_add_slice(out, p->json);
    else if (v == NULL)
        buf_add_cstr(out, "null");
    else
        value_json(v, out);
    buf_add_byte(out, '}');
}

void look_esql_body(struct look_run *r, struct buf *out)
{
    const struct look_cfg *cfg = r->cfg;
    const char *before = "";
    buf_add_cstr(out, "{\"query\":");
    buf_add_json(out, cfg->query_text);
    buf_add_cstr(out, ",\"params\":[");
    /* Those from fields first, as Logstash has them. */
    for (uint32_t i = 0; i < cfg->param_n * 2; i++) {
        const struct look_param *p = &cfg->param[i % cfg->param_n];
        if (p->is_field != (i < cfg->param_n)) continue;
        buf_add_cstr(out, before);
        param_add(r, p, out);
        before = ",";
    }
    buf_add_cstr(out, "]}");
}

struct column {
    slice name, type;
    bool hidden; /* below another column: text.keyword beside text */
};

static bool is_below(slice name, slice other)
{
    return name.n > other.n && slice_starts(name, other) && name.p[other.n] == '.';
}

static struct column *columns_read(struct look_run *r, struct value *list)
{
    struct column *at = arena_alloc(&r->batch->arena, ((size_t)list->n + 1) * sizeof(*at), 16);
    for (uint32_t i = 0; i < list->n; i++) {
        value_resolve(&list->u.list[i], &r->batch->arena);
        struct value *name = look_member(r, &list->u.list[i], SLICE("name"));
        struct value *type = look_member(r, &list->u.list[i], SLICE("type"));
        if (name == NULL || name->type != VALUE_STRING || type == NULL ||
            type->type != VALUE_STRING)
            return NULL;
        at[i] = (struct column){.name = value_slice(name), .type = value_slice(type)};
    }
    for (uint32_t i = 0; i < list->n; i++)
        for (uint32_t k = 0; k < list->n && !at[i].hidden; k++)
            at[i].hidden = is_below(at[i].name, at[k].name);
    return at;
}

/* Null, or a value that may be put; false: a date that is none. */
static bool cell(struct look_run *r, struct value *row, uint32_t index, const struct column *column,
                 struct value *out)
{
    *out = value_nil();
    if (row->type != VALUE_LIST || index >= row->n || column->hidden) return true;
    value_resolve(&row->u.list[index], &r->batch->arena);
    *out = row->u.list[index];
    if (!slice_equal(column->type, SLICE("date")) || out->type != VALUE_STRING) return true;
    struct tz_hint hint = {0};
    int64_t ns;
    if (!iso8601_lenient_parse(value_slice(out), tz_utc(), &hint, &ns)) return false;
    *out = value_time(ns);
    return true;
}

/* a.b.c as maps in maps; what is in the way is replaced. */
static void nest(struct look_run *r, struct map *map, slice name, struct value val)
{
    struct arena *arena = &r->batch->arena;
    for (int64_t dot; (dot = slice_find_byte(name, '.')) >= 0;) {
        struct key key = key_make(arena, slice_part(name, 0, (uint32_t)dot));
        struct member *m = map_find(map, key.name, key.hash);
        struct map *below = m != NULL && m->val.type == VALUE_MAP ? m->val.u.map : map_new(arena);
        if (m == NULL || m->val.type != VALUE_MAP) map_put(map, arena, key, value_map(below));
        map = below;
        name = slice_from(name, (uint32_t)dot + 1);
    }
    map_put(map, arena, key_make(arena, name), val);
}

static bool take_rows(struct look_run *r, const struct column *column, uint32_t column_n,
                      struct value *rows)
{
    struct arena *arena = &r->batch->arena;
    struct value *items = arena_alloc(arena, ((size_t)rows->n + 1) * sizeof(*items), 16), val;
    for (uint32_t i = 0; i < rows->n; i++) {
        struct map *map = map_new(arena);
        value_resolve(&rows->u.list[i], arena);
        for (uint32_t k = 0; k < column_n; k++) {
            if (!cell(r, &rows->u.list[i], k, &column[k], &val)) return false;
            if (value_is_truthy(&val)) nest(r, map, column[k].name, val);
        }
        items[i] = map->n > 0 ? value_map(map) : value_nil();
    }
    return event_put(r->batch, r->ev, &r->cfg->target, value_list(items, rows->n)) == ERR_OK;
}

static bool put_column(struct look_run *r, slice name, struct value val)
{
    struct buf text = {0};
    buf_add_byte(&text, '[');
    for (uint32_t i = 0; i < name.n; i++)
        if (name.p[i] == '.')
            buf_add_cstr(&text, "][");
        else
            buf_add_byte(&text, name.p[i]);
    buf_add_byte(&text, ']');
    slice ref = arena_copy(&r->batch->arena, buf_slice(&text));
    buf_fini(&text);
    return event_put_named(r->batch, r->ev, ref, val);
}

static bool take_row(struct look_run *r, const struct column *column, uint32_t column_n,
                     struct value *row)
{
    struct value val;
    value_resolve(row, &r->batch->arena);
    for (uint32_t k = 0; k < column_n; k++) {
        if (!cell(r, row, k, &column[k], &val)) return false;
        if (value_is_truthy(&val) && !put_column(r, column[k].name, val)) return false;
    }
    return true;
}

bool look_esql_take(struct look_run *r, struct value *answer)
{
    struct value *columns = look_member(r, answer, SLICE("columns"));
    struct value *rows = look_member(r, answer, SLICE("values"));
    if (rows == NULL || rows->type != VALUE_LIST || rows->n == 0) return true;
    if (columns == NULL || columns->type != VALUE_LIST || columns->n == 0) return true;
    struct column *column = columns_read(r, columns);
    if (column == NULL) return false;
    if (event_put(r->batch, r->ev, &r->cfg->total_values, value_int(rows->n)) != ERR_OK)
        return false;
    return r->cfg->has_target ? take_rows(r, column, columns->n, rows)
                              : take_row(r, column, columns->n, &rows->u.list[0]);
}
