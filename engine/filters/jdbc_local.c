/* jdbc_local.c - images of SQLite databases: how they are filled and sealed. */
#include "engine/filters/jdbc_local.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"
#include "engine/base/utf8.h"

/* ---- schemas -------------------------------------------------------------------------------- */

/* What SQLite is told a column is; jdbc_lookup.c finds the kind again by this name. */
static const char *const kind_names[] = {
    [LOCAL_INT] = "INTEGER",         [LOCAL_FLOAT] = "DOUBLE",
    [LOCAL_DECIMAL] = "DECIMAL",     [LOCAL_BOOL] = "BOOLEAN",
    [LOCAL_DATE] = "DATE",           [LOCAL_TIME] = "TIME",
    [LOCAL_TIMESTAMP] = "TIMESTAMP", [LOCAL_TEXT] = "VARCHAR COLLATE RTRIM",
};

const struct local_table *local_table_find(const struct local_schema *schema, slice name)
{
    for (uint32_t i = 0; i < schema->n; i++)
        if (slice_equal_nocase(schema->table[i].name, name)) return &schema->table[i];
    return NULL;
}

static void name_add(struct buf *out, slice name)
{
    buf_add_byte(out, '"');
    for (uint32_t i = 0; i < name.n; i++) {
        buf_add_byte(out, name.p[i]);
        if (name.p[i] == '"') buf_add_byte(out, '"');
    }
    buf_add_byte(out, '"');
}

static void table_add(struct buf *out, const struct local_table *table)
{
    buf_add_cstr(out, "CREATE TABLE main.");
    name_add(out, table->name);
    for (uint32_t i = 0; i < table->n; i++) {
        const struct local_column *column = &table->column[i];
        buf_add_cstr(out, i == 0 ? " (" : ", ");
        name_add(out, column->name);
        buf_printf(out, " %s %s", kind_names[column->kind],
                   column->constraint == NULL ? "" : column->constraint);
    }
    buf_add_cstr(out, ");");
}

static void index_add(struct buf *out, const struct local_table *table, uint32_t at)
{
    if (table->index_n == 0) return;
    buf_printf(out, "CREATE INDEX main.\"index of table %u\" ON ", at);
    name_add(out, table->name);
    for (uint32_t i = 0; i < table->index_n; i++) {
        buf_add_cstr(out, i == 0 ? " (" : ", ");
        name_add(out, table->column[table->index[i]].name);
    }
    buf_add_cstr(out, ");");
}

/* ---- builds --------------------------------------------------------------------------------- */

struct local_build {
    const struct local_schema *schema;
    const struct local_table *table; /* being filled */
    sqlite3 *db;
    sqlite3_stmt *insert;
    uint32_t row_n; /* of the table */
    struct buf text;
};

static bool fail(sqlite3 *db, char *error)
{
    snprintf(error, LOCAL_ERROR_BYTES, "%s", sqlite3_errmsg(db));
    return false;
}

static bool run(sqlite3 *db, const char *sql, char *error)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(db, error);
}

struct local_build *local_build_new(const struct local_schema *schema, char *error)
{
    struct buf sql = {0};
    struct local_build *b = calloc(1, sizeof(*b));
    ASSERT(b != NULL);
    b->schema = schema;
    /* The version makes a page: what is empty cannot be sealed. */
    buf_printf(&sql,
               "PRAGMA page_size = 4096; PRAGMA max_page_count = %u; PRAGMA user_version = 1;",
               schema->pages_max);
    for (uint32_t i = 0; i < schema->n; i++) table_add(&sql, &schema->table[i]);
    bool ok = sqlite3_open_v2(":memory:", &b->db,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                              NULL) == SQLITE_OK
                  ? run(b->db, buf_cstr(&sql), error)
                  : fail(b->db, error);
    buf_fini(&sql);
    if (ok) return b;
    local_build_free(b);
    return NULL;
}

void local_build_free(struct local_build *b)
{
    if (b == NULL) return;
    sqlite3_finalize(b->insert);
    sqlite3_close(b->db);
    buf_fini(&b->text);
    free(b);
}

bool local_rows_begin(struct local_build *b, const struct local_table *table, char *error)
{
    struct buf sql = {0};
    ASSERT(b->table == NULL);
    /* Of several loaders for one table, the last one counts. */
    buf_add_cstr(&sql, "BEGIN; DELETE FROM main.");
    name_add(&sql, table->name);
    bool ok = run(b->db, buf_cstr(&sql), error);
    sql.n = 0;
    buf_add_cstr(&sql, "INSERT INTO main.");
    name_add(&sql, table->name);
    for (uint32_t i = 0; i < table->n; i++) buf_add_cstr(&sql, i == 0 ? " VALUES (?" : ", ?");
    buf_add_byte(&sql, ')');
    if (ok && sqlite3_prepare_v2(b->db, buf_cstr(&sql), -1, &b->insert, NULL) != SQLITE_OK)
        ok = fail(b->db, error);
    buf_fini(&sql);
    b->table = table;
    b->row_n = 0;
    if (!ok) local_rows_cancel(b);
    return ok;
}

static void rows_close(struct local_build *b)
{
    sqlite3_finalize(b->insert);
    b->insert = NULL;
    b->table = NULL;
}

void local_rows_cancel(struct local_build *b)
{
    char ignored[LOCAL_ERROR_BYTES];
    rows_close(b);
    /* After some errors SQLite has done it already. */
    if (sqlite3_get_autocommit(b->db) != 0) return;
    bool ok = run(b->db, "ROLLBACK", ignored);
    ASSERT(ok);
}

bool local_rows_end(struct local_build *b, char *error)
{
    rows_close(b);
    return run(b->db, "COMMIT", error);
}

/* ---- values --------------------------------------------------------------------------------- */

/* Of a decimal text without a fraction, or with one of zeros. */
static bool whole_read(slice text, int64_t *out)
{
    text = slice_trim(text);
    int64_t dot = slice_find_byte(text, '.');
    for (uint32_t i = dot < 0 ? text.n : (uint32_t)dot + 1; i < text.n; i++)
        if (text.p[i] != '0') return false;
    if (text.n > 0 && text.p[0] == '+') text = slice_from(text, 1), dot--;
    return slice_to_i64(dot < 0 ? text : slice_part(text, 0, (uint32_t)dot), out);
}

static bool is_whole(double real)
{
    return real >= -9007199254740992.0 && real <= 9007199254740992.0 &&
           real == (double)(int64_t)real;
}

/* The number of a cell: in *num when it is whole, else in *real. */
static bool number_of(const struct sql_cell *cell, bool *whole, int64_t *num, double *real)
{
    *whole = true;
    switch (cell->type) {
    case SQL_CELL_BOOL:
    case SQL_CELL_INT: *num = cell->num; return true;
    case SQL_CELL_FLOAT:
        *real = cell->real;
        *whole = is_whole(cell->real);
        if (*whole) *num = (int64_t)cell->real;
        return true;
    case SQL_CELL_DECIMAL:
    case SQL_CELL_TEXT:
        if (whole_read(cell->text, num)) return true;
        *whole = false;
        return number_f64_parse(slice_trim(cell->text), real);
    default: return false;
    }
}

static bool bool_of(const struct sql_cell *cell, int64_t *out)
{
    static const struct {
        slice text;
        bool yes;
    } words[] = {{SLICE("true"), true},   {SLICE("t"), true},  {SLICE("1"), true},
                 {SLICE("false"), false}, {SLICE("f"), false}, {SLICE("0"), false}};
    if (cell->type == SQL_CELL_BOOL || cell->type == SQL_CELL_INT) {
        *out = cell->num != 0;
        return true;
    }
    if (cell->type == SQL_CELL_FLOAT || cell->type == SQL_CELL_TIME) return false;
    for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        *out = words[i].yes;
        if (slice_equal_nocase(slice_trim(cell->text), words[i].text)) return true;
    }
    return false;
}

/* How many bytes of the text are as the shape says, 0 for a digit. */
static uint32_t shaped_n(slice text, const char *shape)
{
    uint32_t n = 0;
    for (; shape[n] != 0 && n < text.n; n++) {
        bool digit = text.p[n] >= '0' && text.p[n] <= '9';
        bool blank = shape[n] == ' ' && text.p[n] == 'T';
        if (shape[n] == '0' ? !digit : shape[n] != text.p[n] && !blank) break;
    }
    return n;
}

/* A date, a time of day, or both, as the column has it; what follows a fraction (a zone) is cut. */
static bool time_of(slice in, enum local_kind kind, struct buf *out)
{
    slice text = slice_trim(in), clock = text;
    out->n = 0;
    bool dated = shaped_n(text, "0000-00-00") == 10;
    if (dated) clock = slice_from(text, text.n > 10 ? 11 : 10);
    bool timed =
        shaped_n(clock, "00:00:00") == 8 && (!dated || shaped_n(text, "0000-00-00 ") == 11);
    if (kind != LOCAL_TIME && !dated) return false;
    if (kind == LOCAL_TIME && !timed) return false;
    if (dated && !timed && text.n > 10) return false;
    if (kind != LOCAL_TIME) buf_add_slice(out, slice_part(text, 0, 10));
    if (kind == LOCAL_DATE) return true;
    if (kind == LOCAL_TIMESTAMP) buf_add_byte(out, ' ');
    buf_add_slice(out, timed ? slice_part(clock, 0, 8) : SLICE("00:00:00"));
    uint32_t n = 0;
    if (timed && clock.n > 8 && clock.p[8] == '.')
        while (9 + n < clock.n && clock.p[9 + n] >= '0' && clock.p[9 + n] <= '9') n++;
    while (n > 0 && clock.p[8 + n] == '0') n--;
    if (n > 0 && kind == LOCAL_TIMESTAMP) buf_add_slice(out, slice_part(clock, 8, n + 1));
    return true;
}

static void text_add(slice text, struct buf *out)
{
    out->n = 0;
    if (utf8_valid(text)) {
        buf_add_slice(out, text);
        return;
    }
    for (uint32_t i = 0; i < text.n;) {
        uint32_t n = utf8_valid_at(text, i);
        buf_add_slice(out, n == 0 ? SLICE("\xEF\xBF\xBD") : slice_part(text, i, n));
        i += n == 0 ? 1 : n;
    }
}

static void text_of(const struct sql_cell *cell, uint32_t padded_n, struct buf *out)
{
    char digits[32];
    slice text = cell->text;
    if (cell->type == SQL_CELL_INT)
        text = slice_make(digits, number_i64_text(cell->num, digits));
    else if (cell->type == SQL_CELL_FLOAT)
        text = slice_make(digits, number_f64_text(cell->real, digits));
    else if (cell->type == SQL_CELL_BOOL)
        text = cell->num != 0 ? SLICE("true") : SLICE("false");
    text_add(text, out);
    for (uint32_t n = utf8_length(buf_slice(out)); n < padded_n; n++) buf_add_byte(out, ' ');
}

static int bind_text(struct local_build *b, int at)
{
    return sqlite3_bind_text64(b->insert, at, b->text.n == 0 ? "" : b->text.data, b->text.n,
                               SQLITE_TRANSIENT, SQLITE_UTF8);
}

/* SQLITE_MISMATCH: the column cannot hold that. */
static int bind_cell(struct local_build *b, int at, const struct local_column *column,
                     const struct sql_cell *cell)
{
    int64_t num = 0;
    double real = 0;
    bool whole;
    if (cell->type == SQL_CELL_NULL) return sqlite3_bind_null(b->insert, at);
    switch (column->kind) {
    case LOCAL_BOOL:
        return bool_of(cell, &num) ? sqlite3_bind_int64(b->insert, at, num) : SQLITE_MISMATCH;
    case LOCAL_INT:
        if (!number_of(cell, &whole, &num, &real) || !whole) return SQLITE_MISMATCH;
        return sqlite3_bind_int64(b->insert, at, num);
    case LOCAL_FLOAT:
    case LOCAL_DECIMAL:
        if (!number_of(cell, &whole, &num, &real)) return SQLITE_MISMATCH;
        return whole ? sqlite3_bind_int64(b->insert, at, num)
                     : sqlite3_bind_double(b->insert, at, real);
    case LOCAL_DATE:
    case LOCAL_TIME:
    case LOCAL_TIMESTAMP:
        if (cell->type != SQL_CELL_TIME && cell->type != SQL_CELL_TEXT) return SQLITE_MISMATCH;
        if (!time_of(cell->text, column->kind, &b->text)) return SQLITE_MISMATCH;
        return bind_text(b, at);
    case LOCAL_ANY:
    case LOCAL_TEXT: text_of(cell, column->padded_n, &b->text); return bind_text(b, at);
    }
    return SQLITE_MISMATCH;
}

bool local_row_add(struct local_build *b, const struct sql_cell *cell, char *error)
{
    b->row_n++;
    for (uint32_t i = 0; i < b->table->n; i++) {
        const struct local_column *column = &b->table->column[i];
        int r = bind_cell(b, (int)i + 1, column, &cell[i]);
        if (r == SQLITE_OK) continue;
        if (r != SQLITE_MISMATCH) return fail(b->db, error);
        snprintf(error, LOCAL_ERROR_BYTES, "row %u has a value that column %.*s (%s) cannot hold",
                 b->row_n, SLICE_FMT(column->name), kind_names[column->kind]);
        return false;
    }
    int r = sqlite3_step(b->insert);
    sqlite3_reset(b->insert);
    if (r == SQLITE_DONE) return true;
    if (r != SQLITE_FULL) return fail(b->db, error);
    snprintf(error, LOCAL_ERROR_BYTES, "the tables have no room for row %u: %u MiB is the most",
             b->row_n, b->schema->pages_max / 256);
    return false;
}

/* ---- images --------------------------------------------------------------------------------- */

/* The image as a database of the connection. Not a copy. */
static bool image_open(sqlite3 *db, const char *schema, const struct local_image *image)
{
    return sqlite3_deserialize(db, schema, image->bytes, image->n, image->n,
                               SQLITE_DESERIALIZE_READONLY) == SQLITE_OK;
}

bool local_rows_keep(struct local_build *b, const struct local_table *table,
                     const struct local_image *older, char *error)
{
    struct buf sql = {0};
    if (!run(b->db, "ATTACH ':memory:' AS older", error)) return false;
    buf_add_cstr(&sql, "INSERT INTO main.");
    name_add(&sql, table->name);
    buf_add_cstr(&sql, " SELECT * FROM older.");
    name_add(&sql, table->name);
    bool ok =
        image_open(b->db, "older", older) ? run(b->db, buf_cstr(&sql), error) : fail(b->db, error);
    buf_fini(&sql);
    return run(b->db, "DETACH older", error) && ok;
}

struct local_image *local_build_finish(struct local_build *b, char *error)
{
    struct buf sql = {0};
    struct local_image *image = NULL;
    ASSERT(b->table == NULL);
    buf_add_cstr(&sql, "BEGIN;");
    for (uint32_t i = 0; i < b->schema->n; i++) index_add(&sql, &b->schema->table[i], i);
    buf_add_cstr(&sql, "COMMIT;");
    bool ok = run(b->db, buf_cstr(&sql), error);
    buf_fini(&sql);
    if (ok) {
        image = calloc(1, sizeof(*image));
        ASSERT(image != NULL);
        sqlite3_int64 n = 0;
        image->bytes = sqlite3_serialize(b->db, "main", &n, 0);
        image->n = n;
        if (image->bytes == NULL) {
            snprintf(error, LOCAL_ERROR_BYTES, "no memory for the tables");
            local_image_free(image);
            image = NULL;
        }
    }
    local_build_free(b);
    return image;
}

void local_image_free(struct local_image *image)
{
    sqlite3_free(image->bytes);
    free(image);
}
