/*
 * odbc.h - what every user of ODBC does: connect, say what went wrong, read rows.
 *
 * Calls block, so they belong on threads of their own. A connection and its statements are used by
 * one thread at a time. Errors come as text with the SQLSTATE in front.
 */
#ifndef ENGINE_FILTERS_ODBC_H
#define ENGINE_FILTERS_ODBC_H
#include <sql.h>
#include <sqlext.h>
#include <stdbool.h>

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/filters/sql_cell.h"

#define ODBC_LOGIN_SEC_MAX 10
#define ODBC_CELL_BYTES_MAX (16u * 1024 * 1024)
#define ODBC_ERROR_BYTES 256u

struct odbc_column {
    SQLCHAR name[256];
    SQLSMALLINT type;
};

static inline bool odbc_ok(SQLRETURN r)
{
    return r == SQL_SUCCESS || r == SQL_SUCCESS_WITH_INFO;
}

/* The first diagnostic of a handle. Returns whether it says that the connection is gone. */
bool odbc_diagnose(SQLSMALLINT kind, SQLHANDLE handle, char *out, size_t cap);
/* NULL when ODBC does not start. Control thread. */
SQLHENV odbc_env_new(void);
/* NULL with the reason. */
SQLHDBC odbc_connect(SQLHENV env, const char *connection, char *error, size_t cap);
void odbc_disconnect(SQLHDBC dbc);

/* The columns of a statement that has run, on the heap; NULL: an error of the statement. */
struct odbc_column *odbc_columns(SQLHSTMT stmt, SQLSMALLINT *n);
/* One cell of the current row; its text is in `text`. False: an error of the statement, or more
 * than ODBC_CELL_BYTES_MAX. */
bool odbc_cell(SQLHSTMT stmt, SQLUSMALLINT column, SQLSMALLINT type, struct buf *text,
               struct sql_cell *out) MUST_USE;

#endif
