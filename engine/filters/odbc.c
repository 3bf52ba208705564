/* odbc.c - connections, diagnostics, cells. */
#include "engine/filters/odbc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"

bool odbc_diagnose(SQLSMALLINT kind, SQLHANDLE handle, char *out, size_t cap)
{
    SQLCHAR state[6] = "", text[512] = "";
    SQLINTEGER code;
    SQLSMALLINT n;
    if (!odbc_ok(SQLGetDiagRec(kind, handle, 1, state, &code, text, sizeof(text), &n)))
        snprintf((char *)text, sizeof(text), "no reason was given");
    snprintf(out, cap, "%s %s", (char *)state, (char *)text);
    return memcmp(state, "08", 2) == 0;
}

SQLHENV odbc_env_new(void)
{
    SQLHENV env;
    if (!odbc_ok(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env))) return NULL;
    SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    return env;
}

SQLHDBC odbc_connect(SQLHENV env, const char *connection, char *error, size_t cap)
{
    SQLHDBC dbc;
    if (!odbc_ok(SQLAllocHandle(SQL_HANDLE_DBC, env, &dbc))) {
        odbc_diagnose(SQL_HANDLE_ENV, env, error, cap);
        return NULL;
    }
    SQLSetConnectAttr(dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)(intptr_t)ODBC_LOGIN_SEC_MAX, 0);
    if (odbc_ok(SQLDriverConnect(dbc, NULL, (SQLCHAR *)(uintptr_t)connection, SQL_NTS, NULL, 0,
                                 NULL, SQL_DRIVER_NOPROMPT)))
        return dbc;
    odbc_diagnose(SQL_HANDLE_DBC, dbc, error, cap);
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
    return NULL;
}

void odbc_disconnect(SQLHDBC dbc)
{
    SQLDisconnect(dbc);
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
}

struct odbc_column *odbc_columns(SQLHSTMT stmt, SQLSMALLINT *n)
{
    SQLSMALLINT name_n, digits, nullable;
    SQLULEN size;
    if (!odbc_ok(SQLNumResultCols(stmt, n))) return NULL;
    struct odbc_column *column = calloc((size_t)*n + 1, sizeof(*column));
    ASSERT(column != NULL);
    for (SQLSMALLINT i = 0; i < *n; i++)
        if (!odbc_ok(SQLDescribeCol(stmt, (SQLUSMALLINT)(i + 1), column[i].name,
                                    sizeof(column[i].name), &name_n, &column[i].type, &size,
                                    &digits, &nullable))) {
            free(column);
            return NULL;
        }
    return column;
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
        if (!odbc_ok(r)) return false;
        *null = left == SQL_NULL_DATA;
        if (*null) return true;
        bool more = left == SQL_NO_TOTAL || left >= 4096;
        text->n += more ? 4095 : (size_t)left;
        if (!more) return true;
        if (text->n > ODBC_CELL_BYTES_MAX) return false;
    }
}

static enum sql_cell_type cell_type(SQLSMALLINT type)
{
    switch (type) {
    case SQL_BIT: return SQL_CELL_BOOL;
    case SQL_INTEGER:
    case SQL_BIGINT:
    case SQL_SMALLINT:
    case SQL_TINYINT: return SQL_CELL_INT;
    case SQL_REAL:
    case SQL_FLOAT:
    case SQL_DOUBLE: return SQL_CELL_FLOAT;
    case SQL_DECIMAL:
    case SQL_NUMERIC: return SQL_CELL_DECIMAL;
    case SQL_TYPE_TIMESTAMP:
    case SQL_TIMESTAMP: return SQL_CELL_TIME;
    default: return SQL_CELL_TEXT;
    }
}

bool odbc_cell(SQLHSTMT stmt, SQLUSMALLINT column, SQLSMALLINT type, struct buf *text,
               struct sql_cell *out)
{
    SQLLEN n = 0;
    bool null = false;
    *out = (struct sql_cell){.type = cell_type(type)};
    if (out->type == SQL_CELL_FLOAT) {
        if (!odbc_ok(SQLGetData(stmt, column, SQL_C_DOUBLE, &out->real, 0, &n))) return false;
    } else if (out->type == SQL_CELL_INT || out->type == SQL_CELL_BOOL) {
        if (!odbc_ok(SQLGetData(stmt, column, SQL_C_SBIGINT, &out->num, 0, &n))) return false;
    } else {
        if (!text_read(stmt, column, text, &null)) return false;
        out->text = buf_slice(text);
    }
    if (null || n == SQL_NULL_DATA) out->type = SQL_CELL_NULL;
    return true;
}
