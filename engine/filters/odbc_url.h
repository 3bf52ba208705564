/*
 * odbc_url.h - where a database is: an ODBC connection string out of what was written for JDBC.
 *
 * Control thread.
 */
#ifndef ENGINE_FILTERS_ODBC_URL_H
#define ENGINE_FILTERS_ODBC_URL_H
#include <stdbool.h>

#include "engine/base/buf.h"
#include "engine/base/err.h"

#define ODBC_URL_EXPECTED                                                                          \
    "an ODBC connection string such as Driver=PostgreSQL Unicode;Server=host;Port=5432;"           \
    "Database=name"
#define ODBC_URL_ERROR "this JDBC URL cannot be read as one"
/* For the documentation of options. */
#define ODBC_URL_DOC                                                                               \
    "ODBC connection string (Driver=...;Server=...;Database=..., or DSN=...). URLs "               \
    "jdbc:sqlite:FILE, jdbc:postgresql://, jdbc:mysql:// and jdbc:mariadb://HOST:PORT/NAME "       \
    "without parameters are read as such."

/* Appends the connection string with user and password, if there are any. False: a JDBC URL that
 * cannot be read. */
bool odbc_url_add(slice url, slice user, slice password, struct buf *out) MUST_USE;

#endif
