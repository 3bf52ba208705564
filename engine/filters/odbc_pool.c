/* odbc_pool.c - connections, parameters, rows to JSON. */
#include "engine/filters/odbc_pool.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/tz.h"
#include "engine/event/time_format.h"
#include "engine/filters/odbc.h"
#include "parsers/text/date_parse.h"

struct connection {
    struct odbc_pool *pool;
    struct lookup_service *service;
    SQLHDBC dbc;   /* NULL: none */
    SQLHSTMT stmt; /* prepared */
    int64_t used_ns, retry_ns;
};

struct odbc_pool {
    struct odbc_options opt;
    SQLHENV env;
    struct connection connection[ODBC_CONNECTIONS];
    _Alignas(
        64) struct counter turn; /* any shard's: a lost increment only changes whose turn it is */
};

/* ---- connections ---------------------------------------------------------------------------- */

static void connection_close(struct connection *c)
{
    if (c->stmt != NULL) SQLFreeHandle(SQL_HANDLE_STMT, c->stmt);
    if (c->dbc != NULL) odbc_disconnect(c->dbc);
    c->stmt = c->dbc = NULL;
}

static bool connection_open(struct connection *c, char *error, size_t cap)
{
    const struct odbc_options *o = &c->pool->opt;
    int64_t now_ns = clock_mono_ns();
    if (now_ns < c->retry_ns) {
        snprintf(error, cap, "there is no connection");
        return false;
    }
    c->retry_ns = now_ns + ODBC_RETRY_NS;
    c->dbc = odbc_connect(c->pool->env, o->connection, error, cap);
    if (c->dbc == NULL) return false;
    if (odbc_ok(SQLAllocHandle(SQL_HANDLE_STMT, c->dbc, &c->stmt))) {
        SQLSetStmtAttr(c->stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)(intptr_t)ODBC_QUERY_SEC_MAX,
                       0);
        if (odbc_ok(SQLPrepare(c->stmt, (SQLCHAR *)(uintptr_t)o->statement, SQL_NTS))) {
            c->retry_ns = 0;
            return true;
        }
        odbc_diagnose(SQL_HANDLE_STMT, c->stmt, error, cap);
    }
    connection_close(c);
    return false;
}

static bool connection_ready(struct connection *c, char *error, size_t cap)
{
    SQLUINTEGER dead = SQL_CD_FALSE;
    const struct odbc_options *o = &c->pool->opt;
    if (c->dbc != NULL && o->validate && clock_mono_ns() - c->used_ns > o->validate_ns &&
        odbc_ok(SQLGetConnectAttr(c->dbc, SQL_ATTR_CONNECTION_DEAD, &dead, 0, NULL)) &&
        dead == SQL_CD_TRUE)
        connection_close(c);
    return c->dbc != NULL || connection_open(c, error, cap);
}

/* ---- parameters ----------------------------------------------------------------------------- */

static bool params_bind(SQLHSTMT stmt, struct odbc_question *q, SQLLEN *length)
{
    for (uint32_t i = 0; i < q->n; i++) {
        struct odbc_param *p = &q->param[i];
        SQLSMALLINT c_type = SQL_C_CHAR, type = SQL_VARCHAR;
        SQLPOINTER at = p->text;
        SQLULEN size = p->text_n > 0 ? p->text_n : 1;
        length[i] = p->text_n;
        if (p->type == ODBC_NULL) {
            length[i] = SQL_NULL_DATA;
        } else if (p->type == ODBC_INT) {
            c_type = SQL_C_SBIGINT;
            type = SQL_BIGINT;
            at = &p->num;
        } else if (p->type == ODBC_FLOAT) {
            c_type = SQL_C_DOUBLE;
            type = SQL_DOUBLE;
            at = &p->real;
        } else if (p->type == ODBC_TIME) {
            type = SQL_TYPE_TIMESTAMP;
        }
        if (!odbc_ok(SQLBindParameter(stmt, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, c_type, type,
                                      size, type == SQL_TYPE_TIMESTAMP ? 3 : 0, at, p->text_n,
                                      &length[i])))
            return false;
    }
    return true;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static bool is_json_number(slice text)
{
    uint32_t digits = 0, dots = 0;
    if (text.n > 0 && text.p[0] == '-') text = slice_from(text, 1);
    for (uint32_t i = 0; i < text.n; i++) {
        if (text.p[i] == '.' && i > 0 && i + 1 < text.n)
            dots++;
        else if (text.p[i] >= '0' && text.p[i] <= '9')
            digits++;
        else
            return false;
    }
    return digits > 0 && dots <= 1 && (text.p[0] != '0' || text.n == 1 || text.p[1] == '.');
}

/* "2024-01-02 03:04:05.6" is the host's local time, and becomes what a timestamp looks like. */
static void time_add(struct buf *text, struct buf *out)
{
    struct time_iso_cache cache = {0};
    struct tz_hint hint = {0};
    char iso[TIME_ISO_BYTES_MAX];
    int64_t ns;
    if (text->n > 10 && text->data[10] == ' ') text->data[10] = 'T';
    if (!iso8601_lenient_parse(buf_slice(text), tz_host(), &hint, &ns)) {
        buf_add_json(out, buf_slice(text));
        return;
    }
    uint32_t n = time_iso_write(ns, &cache, iso);
    buf_add_json(out, slice_make(iso, n));
}

static void cell_add(const struct sql_cell *cell, struct buf *text, struct buf *out)
{
    struct value v;
    switch (cell->type) {
    case SQL_CELL_NULL: buf_add_cstr(out, "null"); return;
    case SQL_CELL_BOOL: buf_add_cstr(out, cell->num != 0 ? "true" : "false"); return;
    case SQL_CELL_INT: buf_printf(out, "%lld", (long long)cell->num); return;
    case SQL_CELL_FLOAT:
        v = value_float(cell->real);
        value_json(&v, out);
        return;
    case SQL_CELL_TIME: time_add(text, out); return;
    case SQL_CELL_DECIMAL:
        if (is_json_number(cell->text))
            buf_add_slice(out, cell->text);
        else
            buf_add_json(out, cell->text);
        return;
    case SQL_CELL_TEXT: buf_add_json(out, cell->text); return;
    }
}

static bool row_add(SQLHSTMT stmt, const struct odbc_column *column, SQLSMALLINT n,
                    struct buf *text, struct buf *out)
{
    struct sql_cell cell;
    buf_add_cstr(out, out->n == 1 ? "{" : ",{");
    for (SQLSMALLINT i = 0; i < n; i++) {
        if (i > 0) buf_add_byte(out, ',');
        buf_add_json(out, slice_from_cstr((const char *)column[i].name));
        buf_add_byte(out, ':');
        if (!odbc_cell(stmt, (SQLUSMALLINT)(i + 1), column[i].type, text, &cell)) return false;
        cell_add(&cell, text, out);
    }
    buf_add_byte(out, '}');
    return out->n <= ODBC_ROWS_BYTES_MAX;
}

static bool rows_read(SQLHSTMT stmt, struct buf *out)
{
    SQLSMALLINT n = 0;
    struct buf text = {0};
    SQLRETURN r = SQL_NO_DATA;
    struct odbc_column *column = odbc_columns(stmt, &n);
    buf_add_byte(out, '[');
    bool good = column != NULL;
    while (good && n > 0 && odbc_ok(r = SQLFetch(stmt)))
        good = row_add(stmt, column, n, &text, out);
    buf_add_byte(out, ']');
    buf_fini(&text);
    free(column);
    return good && r == SQL_NO_DATA;
}

/* ---- the threads ---------------------------------------------------------------------------- */

static void take(void *ctx, struct lookup_question *base)
{
    struct connection *c = ctx;
    struct odbc_question *q = (struct odbc_question *)base;
    SQLLEN length[ODBC_PARAMS_MAX];
    q->failed = true;
    if (!connection_ready(c, q->error, sizeof(q->error))) {
        lookup_answer(base);
        return;
    }
    SQLRETURN r = SQL_ERROR;
    if (params_bind(c->stmt, q, length)) r = SQLExecute(c->stmt);
    /* SQL_NO_DATA: a statement that changes nothing. */
    q->failed = !(r == SQL_NO_DATA || (odbc_ok(r) && rows_read(c->stmt, &q->rows)));
    bool lost = q->failed && odbc_diagnose(SQL_HANDLE_STMT, c->stmt, q->error, sizeof(q->error));
    if (!q->failed && !lookup_room(base, q->rows.cap)) {
        q->failed = true;
        snprintf(q->error, sizeof(q->error), "the rows of one batch are too many");
    }
    if (q->failed || q->rows.n == 0) {
        buf_fini(&q->rows);
        buf_add_cstr(&q->rows, "[]");
    }
    SQLFreeStmt(c->stmt, SQL_CLOSE);
    SQLFreeStmt(c->stmt, SQL_RESET_PARAMS);
    if (lost) connection_close(c);
    c->used_ns = clock_mono_ns();
    lookup_answer(base);
}

static const struct lookup_service_ops odbc_ops = {.name = "spate-odbc", .take = take};

static void close_it(void *arg)
{
    connection_close(arg);
}

/* ---- control thread ------------------------------------------------------------------------- */

void odbc_pool_free(struct odbc_pool *pool)
{
    if (pool == NULL) return;
    for (uint32_t i = 0; i < ODBC_CONNECTIONS; i++) {
        struct connection *c = &pool->connection[i];
        if (c->service == NULL) continue;
        lookup_service_call(c->service, close_it, c);
        lookup_service_free(c->service);
    }
    SQLFreeHandle(SQL_HANDLE_ENV, pool->env);
    free(pool);
}

struct odbc_pool *odbc_pool_new(const struct odbc_options *options, struct buf *why)
{
    struct odbc_pool *pool = calloc(1, sizeof(*pool));
    ASSERT(pool != NULL);
    pool->opt = *options;
    pool->env = odbc_env_new();
    if (pool->env == NULL) {
        buf_add_cstr(why, "ODBC does not start");
        free(pool);
        return NULL;
    }
    tz_host(); /* times of rows are read in it, on other threads */
    for (uint32_t i = 0; i < ODBC_CONNECTIONS; i++) {
        struct connection *c = &pool->connection[i];
        c->pool = pool;
        c->service = lookup_service_new(&odbc_ops, c, 1);
        if (c->service != NULL) continue;
        buf_add_cstr(why, "a thread cannot be started");
        odbc_pool_free(pool);
        return NULL;
    }
    return pool;
}

/* ---- shards --------------------------------------------------------------------------------- */

struct odbc_question *odbc_question_new(uint32_t n)
{
    struct odbc_question *q = calloc(1, sizeof(*q) + n * sizeof(q->param[0]));
    ASSERT(q != NULL && n <= ODBC_PARAMS_MAX);
    q->n = n;
    return q;
}

void odbc_param_text(struct odbc_param *param, enum odbc_type type, slice text)
{
    param->type = type;
    param->text = slice_dup_cstr(text);
    param->text_n = text.n;
}

void odbc_question_free(struct odbc_question *q)
{
    for (uint32_t i = 0; i < q->n; i++) free(q->param[i].text);
    buf_fini(&q->rows);
    free((void *)(uintptr_t)q->base.key.p);
    free(q);
}

static void discard(struct lookup_question *q)
{
    odbc_question_free((struct odbc_question *)q);
}

void odbc_ask(struct lookup_asker *asker, struct odbc_pool *pool, struct odbc_question *q,
              slice key, uint64_t hash)
{
    q->base.key = slice_make(slice_dup_cstr(key), key.n);
    q->base.hash = hash;
    q->base.discard = discard;
    lookup_ask(asker, pool->connection[(hash >> 32) % ODBC_CONNECTIONS].service, &q->base);
}
