/*
 * jdbc_local.h - the tables that jdbc_static looks things up in: SQLite, in memory.
 *
 * A loader fills a build, which becomes an image: the bytes of a database that nobody changes any
 * more. Every shard reads the same image through a connection of its own, without locks and without
 * a copy. The types of columns are Apache Derby's, which Logstash uses here; what SQLite would do
 * otherwise is set up to be as there: LIKE tells cases apart, text in double quotes is a name,
 * blanks at the end of texts do not count in comparisons, columns of results have lower case names.
 * Times are kept as SQL writes them, without trailing zeros, so that they compare as text; on the
 * way to an event they are read in the host's time zone.
 *
 * Schemas and queries are made on the control thread and do not change. A build belongs to the
 * loader's thread, a reader to its shard's.
 */
#ifndef ENGINE_FILTERS_JDBC_LOCAL_H
#define ENGINE_FILTERS_JDBC_LOCAL_H
#include "engine/base/tz.h"
#include "engine/config/heap.h"
#include "engine/event/map.h"
#include "engine/filters/sql_cell.h"
#include "engine/plan/edition.h"

#define LOCAL_ERROR_BYTES 320u
/* Of an image. */
#define LOCAL_BYTES_MAX (1u << 30)
/* Texts of the rows of one look-up. */
#define LOCAL_ROWS_BYTES_MAX (16u * 1024 * 1024)
/* Instructions of SQLite's machine that one look-up may take: about a second. */
#define LOCAL_STEPS_MAX 100000000u
#define LOCAL_COLUMNS_MAX 1000u
/* Look-ups of one filter. */
#define LOCAL_QUERIES_MAX 100u

enum local_kind {
    LOCAL_ANY, /* of an expression: whatever its value is */
    LOCAL_INT,
    LOCAL_FLOAT,
    LOCAL_DECIMAL,
    LOCAL_BOOL,
    LOCAL_DATE,
    LOCAL_TIME,
    LOCAL_TIMESTAMP,
    LOCAL_TEXT
};

struct local_column {
    slice name; /* in lower case */
    enum local_kind kind;
    uint32_t padded_n; /* CHAR(n): texts have at least that many characters */
    const char *constraint;
};

struct local_table {
    slice name;
    struct local_column *column;
    uint32_t n;
    uint32_t *index; /* columns of its index */
    uint32_t index_n;
};

struct local_schema {
    struct local_table *table;
    uint32_t n;
    uint32_t pages_max; /* of 4096 bytes, of an image */
};

/* Reads a type such as "varchar(15) not null". False with a reason. */
bool local_type_read(slice text, struct local_column *out, char *error);
/* The table of this name in any case; NULL: none. */
const struct local_table *local_table_find(const struct local_schema *schema, slice name);

/* ---- images --------------------------------------------------------------------------------- */

struct local_image {
    struct edition edition;
    unsigned char *bytes;
    int64_t n;
    bool loaded; /* by every loader, at least once */
};

void local_image_free(struct local_image *image);

struct local_build;

/* Empty tables; NULL with a reason. */
struct local_build *local_build_new(const struct local_schema *schema, char *error);
/* The table's rows are those that follow, up to end (or cancel, which leaves it empty). */
bool local_rows_begin(struct local_build *b, const struct local_table *table, char *error);
/* One cell a column. False: a value that the column cannot hold, or no room. */
bool local_row_add(struct local_build *b, const struct sql_cell *cell, char *error);
bool local_rows_end(struct local_build *b, char *error);
void local_rows_cancel(struct local_build *b);
/* The table has the rows that it has in the image. */
bool local_rows_keep(struct local_build *b, const struct local_table *table,
                     const struct local_image *older, char *error);
/* Ends the build; NULL with a reason. */
struct local_image *local_build_finish(struct local_build *b, char *error);
void local_build_free(struct local_build *b);

/* ---- looking up ----------------------------------------------------------------------------- */

struct local_result {
    slice name;
    enum local_kind kind;
};

struct local_query {
    const char *sql;
    uint32_t param_n, column_n;
    slice *param; /* names, without the colon; empty: a question mark */
    struct local_result *column;
};

/* Checks a query against the tables of an image, and says what it takes and gives. */
bool local_query_read(struct local_query *q, slice sql, const struct local_image *image,
                      struct heap *heap, char *error);

struct local_reader;

/* NULL with a reason. The image must outlive the reader. */
struct local_reader *local_reader_new(const struct local_image *image,
                                      const struct local_query *queries, uint32_t n,
                                      const struct tz *zone, char *error);
void local_reader_free(struct local_reader *r);
/* The rows of query `at`, a list of hashes in the arena, whose names are `keys`. Parameters are
 * scalars; resolved. False with a reason: the query failed. */
bool local_look_up(struct local_reader *r, uint32_t at, const struct value *params,
                   const struct key *keys, struct arena *arena, struct value *rows, char *error);

#endif
