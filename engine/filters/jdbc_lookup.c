/* jdbc_lookup.c - queries on images, from parameters to rows in an event's memory. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/utf8.h"
#include "engine/event/time_format.h"
#include "engine/filters/jdbc_local.h"
#include "parsers/text/date_parse.h"

/* How often the steps of a query are counted. */
#define STEPS_BETWEEN 100000

struct local_reader {
    sqlite3 *db;
    sqlite3_stmt **stmt;
    const struct local_query *query;
    uint32_t n;
    const struct tz *zone;
    struct tz_hint zone_hint, param_hint;
    uint32_t ticks; /* of the progress handler in this look-up */
};

/* ---- connections ---------------------------------------------------------------------------- */

static bool fail(sqlite3 *db, char *error)
{
    snprintf(error, LOCAL_ERROR_BYTES, "%s", sqlite3_errmsg(db));
    return false;
}

/* Derby's rules, as far as SQLite has them; and no way out of memory. */
static const char *const ways = "PRAGMA case_sensitive_like = ON; PRAGMA query_only = ON;"
                                "PRAGMA mmap_size = 2147418112; PRAGMA temp_store = MEMORY";

static bool open_image(sqlite3 **db, const struct local_image *image, char *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(":memory:", db, flags, NULL) != SQLITE_OK) return fail(*db, error);
    sqlite3_db_config(*db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_limit(*db, SQLITE_LIMIT_ATTACHED, 0);
    if (sqlite3_deserialize(*db, "main", image->bytes, image->n, image->n,
                            SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
        return fail(*db, error);
    return sqlite3_exec(*db, ways, NULL, NULL, NULL) == SQLITE_OK || fail(*db, error);
}

static bool prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, char *error)
{
    const char *rest = "";
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, &rest) != SQLITE_OK)
        return fail(db, error);
    const char *why = NULL;
    if (*out == NULL)
        why = "there is no statement";
    else if (slice_trim(slice_from_cstr(rest)).n > 0)
        why = "there is more than one statement";
    else if (sqlite3_stmt_readonly(*out) == 0 || sqlite3_column_count(*out) == 0)
        why = "the statement gives no rows";
    if (why != NULL) snprintf(error, LOCAL_ERROR_BYTES, "%s", why);
    return why == NULL;
}

/* ---- queries -------------------------------------------------------------------------------- */

static enum local_kind kind_of(const char *declared)
{
    static const struct {
        const char *name;
        enum local_kind kind;
    } kinds[] = {{"INTEGER", LOCAL_INT},         {"DOUBLE", LOCAL_FLOAT},
                 {"DECIMAL", LOCAL_DECIMAL},     {"BOOLEAN", LOCAL_BOOL},
                 {"DATE", LOCAL_DATE},           {"TIME", LOCAL_TIME},
                 {"TIMESTAMP", LOCAL_TIMESTAMP}, {"VARCHAR", LOCAL_TEXT}};
    for (uint32_t i = 0; declared != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(declared, kinds[i].name) == 0) return kinds[i].kind;
    return LOCAL_ANY;
}

static bool params_read(struct local_query *q, sqlite3_stmt *stmt, struct heap *heap, char *error)
{
    q->param_n = (uint32_t)sqlite3_bind_parameter_count(stmt);
    q->param = heap_alloc(heap, ((size_t)q->param_n + 1) * sizeof(*q->param));
    for (uint32_t i = 0; i < q->param_n; i++) {
        const char *name = sqlite3_bind_parameter_name(stmt, (int)i + 1);
        if (name == NULL) continue;
        if (name[0] == ':') {
            q->param[i] = heap_dup(heap, slice_from_cstr(name + 1));
            continue;
        }
        snprintf(error, LOCAL_ERROR_BYTES, "parameters are :name or ?, and not %s", name);
        return false;
    }
    return true;
}

static void columns_read(struct local_query *q, sqlite3_stmt *stmt, struct heap *heap)
{
    q->column_n = (uint32_t)sqlite3_column_count(stmt);
    q->column = heap_alloc(heap, ((size_t)q->column_n + 1) * sizeof(*q->column));
    for (uint32_t i = 0; i < q->column_n; i++) {
        slice name = heap_dup(heap, slice_from_cstr(sqlite3_column_name(stmt, (int)i)));
        char *p = (char *)(uintptr_t)name.p;
        for (uint32_t k = 0; k < name.n; k++)
            if (p[k] >= 'A' && p[k] <= 'Z') p[k] = (char)(p[k] + 32);
        q->column[i] = (struct local_result){name, kind_of(sqlite3_column_decltype(stmt, (int)i))};
    }
}

bool local_query_read(struct local_query *q, slice sql, const struct local_image *image,
                      struct heap *heap, char *error)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    q->sql = heap_dup(heap, sql).p;
    bool ok = open_image(&db, image, error) && prepare(db, q->sql, &stmt, error) &&
              params_read(q, stmt, heap, error);
    if (ok) columns_read(q, stmt, heap);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return ok;
}

/* ---- readers -------------------------------------------------------------------------------- */

static int count_steps(void *arg)
{
    struct local_reader *r = arg;
    return ++r->ticks > LOCAL_STEPS_MAX / STEPS_BETWEEN;
}

struct local_reader *local_reader_new(const struct local_image *image,
                                      const struct local_query *queries, uint32_t n,
                                      const struct tz *zone, char *error)
{
    struct local_reader *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    *r = (struct local_reader){.query = queries, .zone = zone};
    r->stmt = calloc((size_t)n + 1, sizeof(*r->stmt));
    ASSERT(r->stmt != NULL);
    bool ok = open_image(&r->db, image, error);
    for (; ok && r->n < n; r->n++) ok = prepare(r->db, queries[r->n].sql, &r->stmt[r->n], error);
    if (ok) sqlite3_progress_handler(r->db, STEPS_BETWEEN, count_steps, r);
    if (ok) return r;
    local_reader_free(r);
    return NULL;
}

void local_reader_free(struct local_reader *r)
{
    if (r == NULL) return;
    for (uint32_t i = 0; i < r->n; i++) sqlite3_finalize(r->stmt[i]);
    sqlite3_close(r->db);
    free(r->stmt);
    free(r);
}

/* ---- one look-up ---------------------------------------------------------------------------- */

/* As the columns have it: the host's wall clock, without trailing zeros. */
static slice time_text(struct local_reader *r, int64_t ns, char out[TIME_ISO_BYTES_MAX])
{
    struct time_iso_cache cache = {0};
    int64_t seconds = ns / NS_PER_SEC - (ns % NS_PER_SEC < 0);
    int64_t local_ns = ns + (int64_t)tz_offset(r->zone, seconds, &r->param_hint) * NS_PER_SEC;
    uint32_t n = time_iso_write(local_ns, &cache, out) - 1; /* without the Z */
    out[10] = ' ';
    while (out[n - 1] == '0' && n > 20) n--;
    if (out[n - 1] == '.') n--;
    return slice_make(out, n);
}

static void bind(struct local_reader *r, sqlite3_stmt *stmt, int at, const struct value *v)
{
    char iso[TIME_ISO_BYTES_MAX];
    slice text;
    switch (v->type) {
    case VALUE_BOOL: sqlite3_bind_int(stmt, at, v->u.yes); return;
    case VALUE_INT: sqlite3_bind_int64(stmt, at, v->u.num); return;
    case VALUE_FLOAT: sqlite3_bind_double(stmt, at, v->u.real); return;
    case VALUE_TIME:
        text = time_text(r, v->u.time_ns, iso);
        sqlite3_bind_text64(stmt, at, text.p, text.n, SQLITE_TRANSIENT, SQLITE_UTF8);
        return;
    default:
        /* It outlives the look-up. */
        text = value_slice(v);
        sqlite3_bind_text64(stmt, at, text.n == 0 ? "" : text.p, text.n, SQLITE_STATIC,
                            SQLITE_UTF8);
    }
}

static struct value time_value(struct local_reader *r, slice text, struct arena *arena)
{
    char iso[40];
    int64_t ns;
    if (text.n < sizeof(iso)) {
        memcpy(iso, text.p, text.n);
        if (text.n > 10) iso[10] = 'T';
        if (iso8601_lenient_parse(slice_make(iso, text.n), r->zone, &r->zone_hint, &ns))
            return value_time(ns);
    }
    return value_string(arena_copy(arena, text));
}

static struct value cell(struct local_reader *r, sqlite3_stmt *stmt, int at, enum local_kind kind,
                         struct arena *arena)
{
    slice text;
    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_NULL: return value_nil();
    case SQLITE_INTEGER:
        if (kind == LOCAL_BOOL) return value_bool(sqlite3_column_int64(stmt, at) != 0);
        return value_int(sqlite3_column_int64(stmt, at));
    case SQLITE_FLOAT: return value_float(sqlite3_column_double(stmt, at));
    default:
        text.p = (const char *)sqlite3_column_text(stmt, at);
        text.n = (uint32_t)sqlite3_column_bytes(stmt, at);
        if (kind == LOCAL_DATE || kind == LOCAL_TIMESTAMP) return time_value(r, text, arena);
        /* Functions on texts can cut characters. */
        return value_string(utf8_valid(text) ? arena_copy(arena, text) : SLICE("\xEF\xBF\xBD"));
    }
}

static struct value row(struct local_reader *r, const struct local_query *q, sqlite3_stmt *stmt,
                        const struct key *keys, struct arena *arena, uint64_t *bytes)
{
    struct map *map = map_exact(arena, q->column_n);
    for (uint32_t i = 0; i < q->column_n; i++) {
        struct value v = cell(r, stmt, (int)i, q->column[i].kind, arena);
        struct member *same = map_find(map, keys[i].name, keys[i].hash);
        *bytes += sizeof(struct member) + (v.type == VALUE_STRING ? v.n : 0);
        if (same == NULL) {
            map_append(map, arena, keys[i], v);
        } else {
            v.key_flags = same->val.key_flags;
            same->val = v;
        }
    }
    return value_map(map);
}

static bool rows(struct local_reader *r, uint32_t at, const struct key *keys, struct arena *arena,
                 struct value *out, char *error)
{
    uint32_t n = 0, cap = 4;
    uint64_t bytes = 0;
    sqlite3_stmt *stmt = r->stmt[at];
    struct value *list = arena_alloc(arena, cap * sizeof(*list), 16);
    int step;
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (n == cap) {
            struct value *more = arena_alloc(arena, 2 * (size_t)cap * sizeof(*list), 16);
            memcpy(more, list, cap * sizeof(*list));
            list = more;
            cap *= 2;
        }
        list[n++] = row(r, &r->query[at], stmt, keys, arena, &bytes);
        if (bytes <= LOCAL_ROWS_BYTES_MAX) continue;
        snprintf(error, LOCAL_ERROR_BYTES, "the rows of one look-up are too many");
        return false;
    }
    *out = value_list(list, n);
    return step == SQLITE_DONE || fail(r->db, error);
}

bool local_look_up(struct local_reader *r, uint32_t at, const struct value *params,
                   const struct key *keys, struct arena *arena, struct value *out, char *error)
{
    sqlite3_stmt *stmt = r->stmt[at];
    r->ticks = 0;
    for (uint32_t i = 0; i < r->query[at].param_n; i++) bind(r, stmt, (int)i + 1, &params[i]);
    bool ok = rows(r, at, keys, arena, out, error);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return ok;
}
