/* jdbc_loader.c - the loader's thread: when it loads, and how rows get into the tables. */
#include "engine/filters/jdbc_loader.h"

#include <poll.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/filters/odbc.h"

#define LOGGER "filters.jdbc_static"
/* Rows between two looks at whether the filter is to stop. */
#define ROWS_BETWEEN 256

struct jdbc_loader {
    struct loader_options opt;
    struct editions editions;
    struct lookup_service *service;
    SQLHENV env;
    struct ring stop; /* from the control thread; anything in it: stop */
    /* The thread's own. */
    struct lookup_question *waiting; /* for the first load */
    bool *filled;                    /* by query: it has succeeded once */
    bool begun, loaded;
    int64_t next_ns, retry_ns;
    struct counter loads, load_failures, rows, rows_too_many, loaded_at_s;
};

/* ---- one query ------------------------------------------------------------------------------ */

/* How a query ended. KEPT: nothing, or too much, was found, and the table stays as it is. */
enum ended { ENDED_FILLED, ENDED_KEPT, ENDED_FAILED };

struct load {
    struct jdbc_loader *l;
    const struct loader_query *query;
    struct local_build *build;
    SQLHSTMT stmt;
    struct odbc_column *column;
    struct buf *text; /* one per column */
    struct sql_cell *cell;
    SQLSMALLINT n;
    int64_t row_n;
    char error[LOCAL_ERROR_BYTES];
};

static bool row_read(struct load *load)
{
    for (SQLSMALLINT i = 0; i < load->n; i++) {
        if (odbc_cell(load->stmt, (SQLUSMALLINT)(i + 1), load->column[i].type, &load->text[i],
                      &load->cell[i]))
            continue;
        odbc_diagnose(SQL_HANDLE_STMT, load->stmt, load->error, sizeof(load->error));
        return false;
    }
    return local_row_add(load->build, load->cell, load->error);
}

static bool to_stop(const struct jdbc_loader *l)
{
    return ring_depth(&l->stop) > 0;
}

static enum ended rows_read(struct load *load)
{
    SQLRETURN r = SQL_NO_DATA;
    while (odbc_ok(r = SQLFetch(load->stmt))) {
        if (++load->row_n > load->query->rows_max) return ENDED_KEPT;
        if (!row_read(load)) return ENDED_FAILED;
        if (load->row_n % ROWS_BETWEEN != 0 || !to_stop(load->l)) continue;
        snprintf(load->error, sizeof(load->error), "the pipeline stops");
        return ENDED_FAILED;
    }
    if (r != SQL_NO_DATA) {
        odbc_diagnose(SQL_HANDLE_STMT, load->stmt, load->error, sizeof(load->error));
        return ENDED_FAILED;
    }
    return load->row_n > 0 ? ENDED_FILLED : ENDED_KEPT;
}

static enum ended table_fill(struct load *load)
{
    const struct local_table *table = load->query->table;
    load->column = odbc_columns(load->stmt, &load->n);
    if (load->column == NULL) {
        odbc_diagnose(SQL_HANDLE_STMT, load->stmt, load->error, sizeof(load->error));
        return ENDED_FAILED;
    }
    if ((uint32_t)load->n != table->n) {
        snprintf(load->error, sizeof(load->error), "%d columns for the %u of table %.*s",
                 (int)load->n, table->n, SLICE_FMT(table->name));
        return ENDED_FAILED;
    }
    load->text = calloc(table->n, sizeof(*load->text));
    load->cell = calloc(table->n, sizeof(*load->cell));
    ASSERT(load->text != NULL && load->cell != NULL);
    enum ended ended = ENDED_FAILED;
    if (local_rows_begin(load->build, table, load->error)) {
        ended = rows_read(load);
        if (ended != ENDED_FILLED)
            local_rows_cancel(load->build);
        else if (!local_rows_end(load->build, load->error))
            ended = ENDED_FAILED;
    }
    for (uint32_t i = 0; i < table->n; i++) buf_fini(&load->text[i]);
    free(load->text);
    free(load->cell);
    return ended;
}

static enum ended statement_run(struct load *load, SQLHDBC dbc)
{
    enum ended ended = ENDED_FAILED;
    if (!odbc_ok(SQLAllocHandle(SQL_HANDLE_STMT, dbc, &load->stmt))) {
        odbc_diagnose(SQL_HANDLE_DBC, dbc, load->error, sizeof(load->error));
        return ENDED_FAILED;
    }
    SQLSetStmtAttr(load->stmt, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)(intptr_t)LOADER_QUERY_SEC_MAX,
                   0);
    SQLRETURN r = SQLExecDirect(load->stmt, (SQLCHAR *)(uintptr_t)load->query->sql, SQL_NTS);
    if (odbc_ok(r) || r == SQL_NO_DATA)
        ended = table_fill(load);
    else
        odbc_diagnose(SQL_HANDLE_STMT, load->stmt, load->error, sizeof(load->error));
    free(load->column);
    SQLFreeHandle(SQL_HANDLE_STMT, load->stmt);
    return ended;
}

static void note(struct load *load, enum ended ended, int64_t began_ns)
{
    struct jdbc_loader *l = load->l;
    slice id = load->query->id;
    if (ended == ENDED_FAILED) {
        counter_add(&l->load_failures, 1);
        log_error(LOGGER, "loader %.*s: %s", SLICE_FMT(id), load->error);
    } else if (load->row_n == 0) {
        log_warn(LOGGER, "loader %.*s: the query gave no rows, the table stays as it is",
                 SLICE_FMT(id));
    } else if (ended == ENDED_KEPT) {
        counter_add(&l->rows_too_many, 1);
        log_warn(LOGGER,
                 "loader %.*s: the query gave more rows than max_rows (%lld), the table "
                 "stays as it is",
                 SLICE_FMT(id), (long long)load->query->rows_max);
    } else {
        counter_add(&l->rows, (uint64_t)load->row_n);
        log_info(LOGGER, "loader %.*s: %lld rows in %.3f seconds", SLICE_FMT(id),
                 (long long)load->row_n, (double)(clock_mono_ns() - began_ns) / 1e9);
    }
}

static enum ended query_run(struct jdbc_loader *l, const struct loader_query *query,
                            struct local_build *build)
{
    struct load load = {.l = l, .query = query, .build = build};
    enum ended ended = ENDED_FAILED;
    int64_t began_ns = clock_mono_ns();
    SQLHDBC dbc = odbc_connect(l->env, query->connection, load.error, sizeof(load.error));
    if (dbc != NULL) {
        ended = statement_run(&load, dbc);
        odbc_disconnect(dbc);
    }
    note(&load, ended, began_ns);
    return ended;
}

/* ---- all queries ---------------------------------------------------------------------------- */

/* Tables that no query filled this time keep what they had. */
static bool keep_others(struct jdbc_loader *l, struct local_build *build, const bool *fresh,
                        char *error)
{
    const struct local_schema *schema = l->opt.schema;
    const struct local_image *older = (const struct local_image *)l->editions.newest;
    bool ok = true;
    for (uint32_t i = 0; ok && i < schema->n; i++)
        if (!fresh[i]) ok = local_rows_keep(build, &schema->table[i], older, error);
    return ok;
}

/* Runs what is due; NULL: nothing has changed, or it failed. */
static struct local_image *image_make(struct jdbc_loader *l, bool *changed)
{
    char error[LOCAL_ERROR_BYTES];
    const struct local_schema *schema = l->opt.schema;
    struct local_image *image = NULL;
    bool *fresh = calloc((size_t)schema->n + 1, sizeof(*fresh));
    struct local_build *build = local_build_new(schema, error);
    ASSERT(fresh != NULL);
    bool ok = build != NULL;
    *changed = false;
    for (uint32_t i = 0; ok && i < l->opt.n && !to_stop(l); i++) {
        const struct loader_query *query = &l->opt.query[i];
        if (!l->loaded && l->filled[i]) continue;
        enum ended ended = query_run(l, query, build);
        if (ended == ENDED_FILLED) fresh[query->table - schema->table] = *changed = true;
        if (ended != ENDED_FAILED) l->filled[i] = true;
    }
    ok = ok && *changed && keep_others(l, build, fresh, error);
    if (ok) {
        image = local_build_finish(build, error);
        ok = image != NULL;
    } else {
        local_build_free(build);
    }
    if (!ok && *changed) {
        counter_add(&l->load_failures, 1);
        log_error(LOGGER, "the tables cannot be made: %s", error);
    }
    free(fresh);
    return image;
}

static bool all_filled(const struct jdbc_loader *l)
{
    bool all = true;
    for (uint32_t i = 0; i < l->opt.n; i++) all = all && l->filled[i];
    return all;
}

/* When to load again, now that this one is done. */
static void set_next(struct jdbc_loader *l)
{
    int64_t now_ns = clock_mono_ns(), real_ns = clock_real_ns(), next_s;
    l->next_ns = INT64_MAX;
    if (!l->loaded) {
        l->next_ns = now_ns + l->retry_ns;
        l->retry_ns = l->retry_ns * 2 > LOADER_RETRY_NS_MAX ? LOADER_RETRY_NS_MAX : l->retry_ns * 2;
    } else if (l->opt.scheduled &&
               cron_next(&l->opt.schedule, l->opt.zone, real_ns / NS_PER_SEC, &next_s)) {
        l->next_ns = now_ns + next_s * NS_PER_SEC - real_ns;
    }
}

static void answer_waiting(struct jdbc_loader *l)
{
    struct lookup_question *q;
    while ((q = l->waiting) != NULL) {
        l->waiting = q->next;
        lookup_answer(q);
    }
}

/* A loader that found nothing has been there, too: the first image then has no rows. */
static struct local_image *image_empty(const struct jdbc_loader *l, char *error)
{
    struct local_build *build = local_build_new(l->opt.schema, error);
    return build == NULL ? NULL : local_build_finish(build, error);
}

static void load(struct jdbc_loader *l)
{
    char error[LOCAL_ERROR_BYTES];
    bool changed;
    struct local_image *image = image_make(l, &changed);
    bool first = !l->loaded && all_filled(l) && (image != NULL || !changed);
    if (first && image == NULL) image = image_empty(l, error);
    if (first && image != NULL) l->loaded = true;
    if (!l->loaded && changed && image == NULL) memset(l->filled, 0, l->opt.n * sizeof(*l->filled));
    if (image != NULL) {
        image->loaded = l->loaded;
        editions_publish(&l->editions, &image->edition);
    }
    if (image != NULL || (l->loaded && !changed)) counter_add(&l->loads, 1);
    if (image != NULL) counter_set(&l->loaded_at_s, (uint64_t)(clock_real_ns() / NS_PER_SEC));
    if (l->loaded) answer_waiting(l);
    set_next(l);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void take(void *ctx, struct lookup_question *q)
{
    struct jdbc_loader *l = ctx;
    l->begun = true;
    /* Who asks has joined before, and is to find the image when it is answered. */
    editions_serve(&l->editions);
    q->next = l->waiting;
    l->waiting = q;
    if (l->loaded) answer_waiting(l);
}

static void wait_or_load(void *ctx, int bell_fd, int64_t timeout_ns)
{
    struct jdbc_loader *l = ctx;
    editions_serve(&l->editions);
    int64_t now_ns = clock_mono_ns();
    if (l->begun && now_ns >= l->next_ns && !to_stop(l)) {
        load(l);
        return;
    }
    if (l->begun && l->next_ns > now_ns && l->next_ns - now_ns < timeout_ns)
        timeout_ns = l->next_ns - now_ns;
    struct pollfd fd = {.fd = bell_fd, .events = POLLIN};
    poll(&fd, 1, (int)(timeout_ns / NS_PER_MS) + 1);
}

static const struct lookup_service_ops ops = {
    .name = "spate-loader", .take = take, .wait = wait_or_load};

/* On the thread, which ends then. */
static void give_up(void *arg)
{
    answer_waiting(arg);
}

/* ---- control thread ------------------------------------------------------------------------- */

static void edition_free(struct edition *edition)
{
    local_image_free((struct local_image *)edition);
}

static bool service_start(struct jdbc_loader *l, char *error)
{
    l->env = odbc_env_new();
    if (l->env == NULL) {
        snprintf(error, LOCAL_ERROR_BYTES, "ODBC does not start");
        return false;
    }
    l->service = lookup_service_new(&ops, l, UINT32_MAX);
    if (l->service == NULL) snprintf(error, LOCAL_ERROR_BYTES, "a thread cannot be started");
    return l->service != NULL;
}

struct jdbc_loader *jdbc_loader_new(const struct loader_options *options, char *error)
{
    struct jdbc_loader *l = calloc(1, sizeof(*l));
    ASSERT(l != NULL);
    l->opt = *options;
    l->retry_ns = LOADER_RETRY_NS;
    struct local_image *first = image_empty(l, error);
    if (first == NULL) {
        free(l);
        return NULL;
    }
    first->loaded = options->n == 0;
    l->filled = calloc((size_t)options->n + 1, sizeof(*l->filled));
    ASSERT(l->filled != NULL);
    ring_init(&l->stop, 1);
    editions_init(&l->editions, &first->edition, options->n > 0, edition_free);
    if (options->n == 0 || service_start(l, error)) return l;
    jdbc_loader_free(l);
    return NULL;
}

void jdbc_loader_free(struct jdbc_loader *l)
{
    if (l == NULL) return;
    if (l->service != NULL) {
        bool sent = ring_push(&l->stop, l);
        ASSERT(sent);
        lookup_service_call(l->service, give_up, l);
        lookup_service_free(l->service);
    }
    if (l->env != NULL) SQLFreeHandle(SQL_HANDLE_ENV, l->env);
    editions_fini(&l->editions);
    ring_fini(&l->stop);
    free(l->filled);
    free(l);
}

const struct local_image *jdbc_loader_first(const struct jdbc_loader *l)
{
    return (const struct local_image *)l->editions.first;
}

void jdbc_loader_stats(const struct jdbc_loader *l, struct buf *out)
{
    buf_printf(out,
               ",\"loads\":%llu,\"load_failures\":%llu,\"rows_loaded\":%llu,"
               "\"loads_with_too_many_rows\":%llu,\"last_load_epoch\":%llu",
               (unsigned long long)counter_read(&l->loads),
               (unsigned long long)counter_read(&l->load_failures),
               (unsigned long long)counter_read(&l->rows),
               (unsigned long long)counter_read(&l->rows_too_many),
               (unsigned long long)counter_read(&l->loaded_at_s));
}

/* ---- shards --------------------------------------------------------------------------------- */

static void discard(struct lookup_question *q)
{
    free(q);
}

struct edition_user *jdbc_loader_join(struct jdbc_loader *l, struct lookup_asker *asker)
{
    struct edition_user *user = edition_join(&l->editions);
    if (l->service == NULL) return user;
    struct lookup_question *q = calloc(1, sizeof(*q));
    ASSERT(q != NULL);
    q->discard = discard;
    lookup_ask(asker, l->service, q);
    return user;
}

const struct local_image *jdbc_loader_now(struct edition_user *user)
{
    return (const struct local_image *)edition_now(user);
}
