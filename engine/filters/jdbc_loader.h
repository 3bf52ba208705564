/*
 * jdbc_loader.h - fills the local tables of jdbc_static from databases, over ODBC.
 *
 * One thread per filter: it begins when the first shard asks for the tables, reads all loaders one
 * after the other, and hands a new image to every shard (engine/plan/edition.h); nobody waits for a
 * database but this thread. Until each loader has succeeded once, shards' questions stay open and
 * the loaders that failed are tried again, after LOADER_RETRY_NS and then twice as long each time;
 * after that the schedule counts. A loader that fails, or finds nothing or too much, leaves its
 * table as it was. Made and freed on the control thread; freeing waits for a statement that runs,
 * which LOADER_QUERY_SEC_MAX bounds where the driver keeps to it.
 */
#ifndef ENGINE_FILTERS_JDBC_LOADER_H
#define ENGINE_FILTERS_JDBC_LOADER_H
#include "engine/filters/jdbc_local.h"
#include "engine/shard/lookup.h"
#include "parsers/text/cron.h"

#define LOADER_QUERY_SEC_MAX 300
#define LOADER_RETRY_NS (1 * NS_PER_SEC)
#define LOADER_RETRY_NS_MAX (60 * NS_PER_SEC)

struct loader_query {
    slice id;
    const char *connection; /* string for SQLDriverConnect */
    const char *sql;
    const struct local_table *table;
    int64_t rows_max;
};

/* What it points at outlives the loader. */
struct loader_options {
    const struct local_schema *schema;
    struct loader_query *query;
    uint32_t n; /* 0: the tables stay empty, and there is no thread */
    bool scheduled;
    struct cron schedule;
    const struct tz *zone; /* of the schedule */
};

struct jdbc_loader;

/* NULL with a reason. */
struct jdbc_loader *jdbc_loader_new(const struct loader_options *options, char *error);
void jdbc_loader_free(struct jdbc_loader *l);
/* The tables before anything was loaded: what queries are checked against. */
const struct local_image *jdbc_loader_first(const struct jdbc_loader *l);
/* loads, load_failures, rows and so on, for filter_ops.stats_shared. */
void jdbc_loader_stats(const struct jdbc_loader *l, struct buf *out);

/* On the shard. The asker's question is out until the tables have been loaded once: lookup_wait,
 * then jdbc_loader_now() is such an image. Without loaders nothing is asked. */
struct edition_user *jdbc_loader_join(struct jdbc_loader *l, struct lookup_asker *asker);
const struct local_image *jdbc_loader_now(struct edition_user *user);

#endif
