/* odbc_pool.c - connections, parameters, rows to JSON. */
#include "engine/filters/odbc_pool.h"

#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/tz.h"
#include "engine/event/time_format.h"
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

static bool ok(SQLRETURN r)
{
    return r == SQL_SUCCESS || r == SQL_SUCCESS_WITH_INFO;
}

/* The first diagnostic of a handle. Returns whether it says that the connection is gone. */
static bool diagnose(SQLSMALLINT kind, SQLHANDLE handle, char *out, size_t cap)
{
    SQLCHAR state[6] = "", text[512] = "";
    SQLINTEGER code;
    SQLSMALLINT n;
    if (!ok(SQLGetDiagRec(kind, handle, 1, state, &code, text, sizeof(text), &n)))
        snprintf((char *)text, sizeof(text), "no reason was given");
    snprintf(out, cap, "%s %s", (char *)state, (char *)text);
    return memcmp(state, "08", 2) == 0;
}

static void connection_close(struct connection *c)
{
    if (c->stmt != NULL) SQLFreeHandle(SQL_HANDLE_STMT, c->stmt);
    if (c->dbc != NULL) {
        SQLDisconnect(c->dbc);
        SQLFreeHandle(SQL_HANDLE_DBC, c->dbc);
    }
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
    if (!ok(SQLAllocHandle(SQL_HANDLE_DBC, c->pool->env, &c->dbc))) return false;
    SQLSetConnectAttr(c->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)(intptr_t)ODBC_LOGIN_SEC_MAX, 0);
    if (!ok(SQLDriverConnect(c->dbc, NULL, (SQLCHAR *)(uintptr_t)o->connection, SQL_NTS, NULL, 0,
                             NULL, SQL_DRIVER_NOPROMPT))) {
        diagnose(SQL_HANDLE_DBC, c->dbc, error, cap);
        SQLFreeHandle(SQL_HANDLE_DBC, c->dbc);
        c->dbc = NULL;
        return false;
    }
    if (ok(SQLAllocHandle(SQL_HANDLE_STMT, c->dbc, &c->stmt))) {
        SQLSetStmtAttr(c->stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)(intptr_t)ODBC_QUERY_SEC_MAX,
                       0);
        if (ok(SQLPrepare(c->stmt, (SQLCHAR *)(uintptr_t)o->statement, SQL_NTS))) {
            c->retry_ns = 0;
            return true;
        }
        diagnose(SQL_HANDLE_STMT, c->stmt, error, cap);
    }
    connection_close(c);
    return false;
}

static bool connection_ready(struct connection *c, char *error, size_t cap)
{
    SQLUINTEGER dead = SQL_CD_FALSE;
    const struct odbc_options *o = &c->pool->opt;
    if (c->dbc != NULL && o->validate && clock_mono_ns() - c->used_ns > o->validate_ns &&
        ok(SQLGetConnectAttr(c->dbc, SQL_ATTR_CONNECTION_DEAD, &dead, 0, NULL)) &&
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
        if (!ok(SQLBindParameter(stmt, (SQLUSMALLINT)(i + 1), SQL_PARAM_INPUT, c_type, type, size,
                                 type == SQL_TYPE_TIMESTAMP ? 3 : 0, at, p->text_n, &length[i])))
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

/* In parts, for it may be long. False: an error. */
static bool text_read(SQLHSTMT stmt, SQLUSMALLINT column, struct buf *text, bool *null)
{
    SQLLEN left;
    text->n = 0;
    *null = false;
    for (;;) {
        buf_room(text, 4096);
        SQLRETURN r = SQLGetData(stmt, column, SQL_C_CHAR, buf_end(text), 4096, &left);
        if (r == SQL_NO_DATA) return true;
        if (!ok(r)) return false;
        *null = left == SQL_NULL_DATA;
        if (*null) return true;
        bool more = left == SQL_NO_TOTAL || left >= 4096;
        text->n += more ? 4095 : (size_t)left;
        if (!more) return true;
        if (text->n > ODBC_ROWS_BYTES_MAX) return false;
    }
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

static bool cell_add(SQLHSTMT stmt, SQLUSMALLINT column, SQLSMALLINT type, struct buf *text,
                     struct buf *out)
{
    SQLLEN n = 0;
    int64_t num = 0;
    double real = 0;
    bool null = false, whole = type == SQL_INTEGER || type == SQL_BIGINT || type == SQL_SMALLINT ||
                               type == SQL_TINYINT || type == SQL_BIT;
    bool floating = type == SQL_REAL || type == SQL_FLOAT || type == SQL_DOUBLE;
    if (whole || floating) {
        if (!ok(SQLGetData(stmt, column, whole ? SQL_C_SBIGINT : SQL_C_DOUBLE,
                           whole ? (SQLPOINTER)&num : (SQLPOINTER)&real, 0, &n)))
            return false;
        null = n == SQL_NULL_DATA;
    } else if (!text_read(stmt, column, text, &null)) {
        return false;
    }
    if (null)
        buf_add_cstr(out, "null");
    else if (type == SQL_BIT)
        buf_add_cstr(out, num != 0 ? "true" : "false");
    else if (whole)
        buf_printf(out, "%lld", (long long)num);
    else if (floating) {
        struct value v = value_float(real);
        value_json(&v, out);
    } else if (type == SQL_TYPE_TIMESTAMP || type == SQL_TIMESTAMP)
        time_add(text, out);
    else if ((type == SQL_DECIMAL || type == SQL_NUMERIC) && is_json_number(buf_slice(text)))
        buf_add_slice(out, buf_slice(text));
    else
        buf_add_json(out, buf_slice(text));
    return true;
}

struct column {
    SQLCHAR name[256];
    SQLSMALLINT type;
};

static struct column *columns_read(SQLHSTMT stmt, SQLSMALLINT n)
{
    struct column *column = calloc((size_t)n + 1, sizeof(*column));
    SQLSMALLINT name_n, digits, nullable;
    SQLULEN size;
    ASSERT(column != NULL);
    for (SQLSMALLINT i = 0; i < n; i++)
        if (!ok(SQLDescribeCol(stmt, (SQLUSMALLINT)(i + 1), column[i].name, sizeof(column[i].name),
                               &name_n, &column[i].type, &size, &digits, &nullable))) {
            free(column);
            return NULL;
        }
    return column;
}

static bool row_add(SQLHSTMT stmt, const struct column *column, SQLSMALLINT n, struct buf *text,
                    struct buf *out)
{
    buf_add_cstr(out, out->n == 1 ? "{" : ",{");
    for (SQLSMALLINT i = 0; i < n; i++) {
        if (i > 0) buf_add_byte(out, ',');
        buf_add_json(out, slice_from_cstr((const char *)column[i].name));
        buf_add_byte(out, ':');
        if (!cell_add(stmt, (SQLUSMALLINT)(i + 1), column[i].type, text, out)) return false;
    }
    buf_add_byte(out, '}');
    return out->n <= ODBC_ROWS_BYTES_MAX;
}

static bool rows_read(SQLHSTMT stmt, struct buf *out)
{
    SQLSMALLINT n = 0;
    struct buf text = {0};
    SQLRETURN r = SQL_NO_DATA;
    if (!ok(SQLNumResultCols(stmt, &n))) return false;
    struct column *column = columns_read(stmt, n);
    buf_add_byte(out, '[');
    bool good = column != NULL;
    while (good && n > 0 && ok(r = SQLFetch(stmt))) good = row_add(stmt, column, n, &text, out);
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
    q->failed = !(r == SQL_NO_DATA || (ok(r) && rows_read(c->stmt, &q->rows)));
    bool lost = q->failed && diagnose(SQL_HANDLE_STMT, c->stmt, q->error, sizeof(q->error));
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
    if (!ok(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &pool->env))) {
        buf_add_cstr(why, "ODBC does not start");
        free(pool);
        return NULL;
    }
    SQLSetEnvAttr(pool->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
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
