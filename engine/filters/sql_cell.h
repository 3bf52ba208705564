/*
 * sql_cell.h - one value of a row that came from a database.
 *
 * Borrowed: the text is the reader's, until it reads the next cell.
 */
#ifndef ENGINE_FILTERS_SQL_CELL_H
#define ENGINE_FILTERS_SQL_CELL_H
#include <stdint.h>

#include "engine/base/slice.h"

enum sql_cell_type {
    SQL_CELL_NULL,
    SQL_CELL_BOOL, /* num */
    SQL_CELL_INT,
    SQL_CELL_FLOAT,   /* real */
    SQL_CELL_DECIMAL, /* text, as are the following */
    SQL_CELL_TIME,    /* a date and a time of day: "2024-01-02 03:04:05.6" */
    SQL_CELL_TEXT
};

struct sql_cell {
    enum sql_cell_type type;
    int64_t num;
    double real;
    slice text;
};

#endif
