/*
 * odbc_pool.h - one SQL statement, run over and over on a few connections of their own threads.
 *
 * ODBC calls block, so each connection has a service thread (engine/shard/lookup.h); questions go
 * to them in turn. A connection is made when it is first needed, again after an error that closed
 * it, and at most once in ODBC_RETRY_NS. The statement is prepared once per connection. Rows come
 * back as the JSON text of a list of objects. Pools are made and freed on the control thread;
 * freeing waits for statements that run, which ODBC_QUERY_SEC_MAX bounds where the driver keeps to
 * it.
 */
#ifndef ENGINE_FILTERS_ODBC_POOL_H
#define ENGINE_FILTERS_ODBC_POOL_H
#include "engine/shard/lookup.h"

/* Sequel's default, which Logstash uses. */
#define ODBC_CONNECTIONS 4u
#define ODBC_QUERY_SEC_MAX 60
#define ODBC_RETRY_NS NS_PER_SEC
#define ODBC_ROWS_BYTES_MAX (16u * 1024 * 1024)
#define ODBC_PARAMS_MAX 256u

struct odbc_pool;

struct odbc_options {
    const char *connection; /* string for SQLDriverConnect */
    const char *statement;  /* with ? for each parameter */
    bool validate;
    int64_t validate_ns; /* a connection idle for longer is looked at first */
};

enum odbc_type { ODBC_NULL, ODBC_INT, ODBC_FLOAT, ODBC_TEXT, ODBC_TIME };

struct odbc_param {
    enum odbc_type type;
    int64_t num;
    double real;
    char *text; /* TEXT and TIME; the question's */
    uint32_t text_n;
};

struct odbc_question {
    struct lookup_question base;
    uint32_t n;
    bool failed;
    bool noted;      /* the filter's: it is in its cache */
    struct buf rows; /* "[]" and the like */
    char error[256];
    struct odbc_param param[];
};

/* NULL with a reason. The options' texts must outlive the pool. */
struct odbc_pool *odbc_pool_new(const struct odbc_options *options, struct buf *why);
void odbc_pool_free(struct odbc_pool *pool);

struct odbc_question *odbc_question_new(uint32_t n);
void odbc_question_free(struct odbc_question *q);
/* A copy of the text, or of a time as SQL writes it. */
void odbc_param_text(struct odbc_param *param, enum odbc_type type, slice text);
/* Asks; from here on it is the asker's. */
void odbc_ask(struct lookup_asker *asker, struct odbc_pool *pool, struct odbc_question *q,
              slice key, uint64_t hash);

#endif
