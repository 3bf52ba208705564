/* jdbc_static_options.c - the options of jdbc_static, which are lists of hashes, mostly. */
#include <stdio.h>

#include "engine/filters/jdbc_static.h"
#include "engine/filters/odbc_url.h"

#define ROWS_MAX_DEFAULT 1000000

struct options {
    struct static_cfg *cfg;
    struct compiler *c;
    bool failed;
};

/* ---- hashes --------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 4, 5)))
refuse(struct options *o, struct pos pos, const char *expected, const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    diag_error(o->c->diag, pos, expected, "%s", buf_cstr(&text));
    buf_fini(&text);
    o->failed = true;
}

static struct config_hash hash_of(const struct config_value *v)
{
    return (struct config_hash){v->u.pairs, v->n};
}

/* Whether an item of a list is a hash; names that are not known get a warning. */
static bool is_hash(struct options *o, const struct config_value *v, const char *what,
                    const char *const *names)
{
    uint32_t n = 0;
    if (v->type != CONFIG_HASH) {
        refuse(o, v->pos, "a hash", "%s is no hash", what);
        return false;
    }
    while (names[n] != NULL) n++;
    for (uint32_t i = 0; i < v->n; i++) {
        slice key = v->u.pairs[i].key.text;
        bool known = false;
        for (uint32_t k = 0; k < n; k++)
            known = known || slice_equal(key, slice_from_cstr(names[k]));
        if (known) continue;
        diag_warn(o->c->diag, v->u.pairs[i].key.pos, NULL, "`%.*s` means nothing in %s",
                  SLICE_FMT(key), what);
        diag_suggest(o->c->diag, key, names, n);
    }
    return true;
}

/* The text under `name`; SLICE_NONE when there is none. */
static slice text_of(struct options *o, const struct config_value *hash, const char *name,
                     bool required)
{
    const struct config_value *v = config_hash_get(hash_of(hash), slice_from_cstr(name));
    if (v == NULL && required) refuse(o, hash->pos, NULL, "`%s` is missing", name);
    if (v == NULL) return SLICE_NONE;
    if (config_is_scalar(v)) return v->text;
    refuse(o, v->pos, "a string", "`%s` is no string", name);
    return SLICE_NONE;
}

static struct config_list list_of(struct options *o, const struct config_value *hash,
                                  const char *name, const char *expected)
{
    const struct config_value *v = config_hash_get(hash_of(hash), slice_from_cstr(name));
    if (v == NULL) return (struct config_list){0};
    if (v->type == CONFIG_LIST) return (struct config_list){v->u.list, v->n};
    refuse(o, v->pos, expected, "`%s` is no list", name);
    return (struct config_list){0};
}

static struct pos pos_of(const struct config_value *hash, const char *name)
{
    const struct config_value *v = config_hash_get(hash_of(hash), slice_from_cstr(name));
    return v != NULL ? v->pos : hash->pos;
}

static bool yes_of(struct options *o, const struct config_value *hash, const char *name)
{
    slice text = text_of(o, hash, name, false);
    if (text.p == NULL || slice_equal(text, SLICE("false"))) return false;
    if (!slice_equal(text, SLICE("true")))
        refuse(o, pos_of(hash, name), "true or false", "`%s` is neither true nor false", name);
    return true;
}

/* ---- local_db_objects ----------------------------------------------------------------------- */

static const char *const table_names[] = {"name", "columns", "index_columns", "preserve_existing",
                                          NULL};

static slice lower(struct compiler *c, slice text)
{
    slice out = heap_dup(c->heap, text);
    char *p = (char *)(uintptr_t)out.p;
    for (uint32_t i = 0; i < out.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + 32);
    return out;
}

static bool column_find(const struct local_table *table, slice name, uint32_t *out)
{
    for (*out = 0; *out < table->n; (*out)++)
        if (slice_equal_nocase(table->column[*out].name, name)) return true;
    return false;
}

static void read_column(struct options *o, struct local_table *table, const struct config_value *v)
{
    char error[LOCAL_ERROR_BYTES];
    uint32_t at;
    struct local_column *column = &table->column[table->n];
    bool pair = v->type == CONFIG_LIST && v->n == 2 && config_is_scalar(&v->u.list[0]) &&
                config_is_scalar(&v->u.list[1]) && v->u.list[0].text.n > 0;
    if (!pair) {
        refuse(o, v->pos, "[\"name\", \"type\"]", "a column is a list of a name and a type");
        return;
    }
    column->name = lower(o->c, v->u.list[0].text);
    if (column_find(table, column->name, &at)) {
        refuse(o, v->pos, NULL, "there are two columns `%.*s`", SLICE_FMT(column->name));
        return;
    }
    if (!local_type_read(v->u.list[1].text, column, error)) {
        refuse(o, v->u.list[1].pos,
               "smallint, integer, bigint, real, double, decimal, boolean, date, time, timestamp, "
               "char, varchar, clob",
               "%s", error);
        return;
    }
    table->n++;
}

static void read_index(struct options *o, struct local_table *table, const struct config_value *v)
{
    struct config_list list = list_of(o, v, "index_columns", "a list of columns");
    table->index = heap_alloc(o->c->heap, ((size_t)list.n + 1) * sizeof(*table->index));
    for (uint32_t i = 0; i < list.n; i++) {
        const struct config_value *name = &list.at[i];
        if (config_is_scalar(name) &&
            column_find(table, name->text, &table->index[table->index_n])) {
            table->index_n++;
            continue;
        }
        refuse(o, name->pos, "a column of this table", "the table has no such column");
    }
}

static void read_table(struct options *o, const struct config_value *v)
{
    struct local_schema *schema = &o->cfg->schema;
    if (!is_hash(o, v, "local_db_objects", table_names)) return;
    slice name = text_of(o, v, "name", true);
    bool preserve = yes_of(o, v, "preserve_existing");
    struct config_list columns = list_of(o, v, "columns", "a list of columns");
    bool twice = local_table_find(schema, name) != NULL;
    if (twice && preserve) return; /* the first one is */
    if (name.n == 0 || twice || slice_starts(name, SLICE("sqlite_"))) {
        refuse(o, pos_of(v, "name"), "a name of its own", "no table can be called `%.*s` here",
               SLICE_FMT(name));
        return;
    }
    if (columns.n == 0 || columns.n > LOCAL_COLUMNS_MAX) {
        refuse(o, pos_of(v, "columns"), NULL, "table `%.*s` needs between 1 and %u columns",
               SLICE_FMT(name), LOCAL_COLUMNS_MAX);
        return;
    }
    struct local_table *table = &schema->table[schema->n++];
    *table = (struct local_table){.name = name};
    table->column = heap_alloc(o->c->heap, columns.n * sizeof(*table->column));
    for (uint32_t i = 0; i < columns.n; i++) read_column(o, table, &columns.at[i]);
    read_index(o, table, v);
}

/* ---- loaders -------------------------------------------------------------------------------- */

static const char *const loader_names[] = {"id",
                                           "local_table",
                                           "query",
                                           "max_rows",
                                           "jdbc_user",
                                           "jdbc_connection_string",
                                           "jdbc_driver_class",
                                           "jdbc_driver_library",
                                           "jdbc_password",
                                           NULL};

/* The loader's own, else the filter's. */
static slice own_or(struct options *o, const struct config_value *v, const char *name, slice of_all)
{
    slice own = text_of(o, v, name, false);
    return own.p != NULL ? own : of_all;
}

static const char *read_connection(struct options *o, const struct config_value *v)
{
    struct buf out = {0};
    const char *name = "jdbc_connection_string", *text = NULL;
    slice url = own_or(o, v, name, o->cfg->connection);
    slice user = own_or(o, v, "jdbc_user", o->cfg->user);
    slice password = own_or(o, v, "jdbc_password", o->cfg->password);
    bool own = config_hash_get(hash_of(v), slice_from_cstr(name)) != NULL;
    if (odbc_url_add(url, user, password, &out)) {
        text = heap_dup(o->c->heap, buf_slice(&out)).p;
    } else {
        struct pos pos = own ? pos_of(v, name) : settings_pos(o->c->plugin, name);
        refuse(o, pos, ODBC_URL_EXPECTED, ODBC_URL_ERROR);
    }
    buf_fini(&out);
    return text;
}

static void read_loader(struct options *o, const struct config_value *v)
{
    struct loader_options *all = &o->cfg->loaders;
    struct loader_query *query = &all->query[all->n++];
    *query = (struct loader_query){.rows_max = ROWS_MAX_DEFAULT};
    if (!is_hash(o, v, "loaders", loader_names)) return;
    slice table = text_of(o, v, "local_table", true);
    slice rows = text_of(o, v, "max_rows", false);
    query->sql = text_of(o, v, "query", true).p;
    query->id = own_or(o, v, "id", table);
    query->table = local_table_find(&o->cfg->schema, table);
    if (table.p != NULL && query->table == NULL)
        refuse(o, pos_of(v, "local_table"), "the name of a table",
               "local_db_objects has no table `%.*s`", SLICE_FMT(table));
    if (rows.p != NULL && (!slice_to_i64(rows, &query->rows_max) || query->rows_max < 0))
        refuse(o, pos_of(v, "max_rows"), "a number of rows", "`max_rows` is no number of rows");
    static const char *const java[] = {"jdbc_driver_class", "jdbc_driver_library"};
    for (uint32_t i = 0; i < 2; i++)
        if (text_of(o, v, java[i], false).p != NULL)
            diag_warn(o->c->diag, pos_of(v, java[i]), NULL,
                      "`%s` has no effect: drivers are those of unixODBC (odbcinst.ini)", java[i]);
    query->connection = read_connection(o, v);
}

/* ---- local_lookups -------------------------------------------------------------------------- */

static const char *const lookup_names[] = {
    "id",     "query",        "parameters",     "prepared_parameters",
    "target", "default_hash", "tag_on_failure", "tag_on_default_use",
    NULL};

static void read_param(struct options *o, struct static_lookup *look, slice name,
                       const struct config_value *v)
{
    struct static_param *p = &look->param[look->param_n++];
    p->name = name;
    if (v->type != CONFIG_STRING) {
        refuse(o, v->pos, "a field, or a text with %{field}", "a parameter is a string");
        return;
    }
    int64_t at = slice_find(v->text, SLICE("%{"));
    p->is_text = at >= 0 && slice_find_byte(slice_from(v->text, (uint32_t)at + 3), '}') >= 0;
    err e = p->is_text ? compile_template(o->c, &p->text, v->text, v->pos)
                       : compile_fieldref(o->c, &p->field, v->text, v->pos);
    if (e != ERR_OK) o->failed = true;
}

static void read_params(struct options *o, struct static_lookup *look, const struct config_value *v)
{
    const struct config_value *named = config_hash_get(hash_of(v), SLICE("parameters"));
    const struct config_value *listed = config_hash_get(hash_of(v), SLICE("prepared_parameters"));
    const struct config_value *given = named != NULL ? named : listed;
    if (given == NULL) return;
    if (named != NULL && listed != NULL) {
        refuse(o, listed->pos, NULL,
               "`parameters` and `prepared_parameters` cannot be in the same lookup");
        return;
    }
    if (given->type != (named != NULL ? CONFIG_HASH : CONFIG_LIST)) {
        refuse(o, given->pos, named != NULL ? "a hash" : "a list", "the parameters are no %s",
               named != NULL ? "hash" : "list");
        return;
    }
    if (given->n > STATIC_PARAMS_MAX) {
        refuse(o, given->pos, NULL, "more than %u parameters", STATIC_PARAMS_MAX);
        return;
    }
    look->param = heap_alloc(o->c->heap, ((size_t)given->n + 1) * sizeof(*look->param));
    for (uint32_t i = 0; i < given->n; i++)
        if (named != NULL)
            read_param(o, look, given->u.pairs[i].key.text, &given->u.pairs[i].val);
        else
            read_param(o, look, SLICE_NONE, &given->u.list[i]);
}

/* Which of the given parameters each of the query's is. */
static void match_params(struct options *o, struct static_lookup *look, const struct local_query *q,
                         struct pos pos)
{
    uint32_t marks = 0;
    look->param_of = heap_alloc(o->c->heap, ((size_t)q->param_n + 1) * sizeof(*look->param_of));
    for (uint32_t i = 0; i < q->param_n; i++) {
        uint32_t k = 0;
        bool mark = q->param[i].n == 0;
        if (mark)
            k = marks++;
        else
            while (k < look->param_n && !slice_equal(look->param[k].name, q->param[i])) k++;
        look->param_of[i] = k;
        if (!mark && k == look->param_n)
            refuse(o, pos, NULL, "`parameters` has no `%.*s`", SLICE_FMT(q->param[i]));
    }
    bool listed = look->param_n > 0 && look->param[0].name.p == NULL;
    if (marks != (listed ? look->param_n : 0))
        refuse(o, pos, "a value in `prepared_parameters` for each ?",
               "the query has %u question marks, and `prepared_parameters` %u values", marks,
               listed ? look->param_n : 0);
}

static void read_query(struct options *o, uint32_t at, const struct config_value *v,
                       const struct local_image *empty, bool params_failed)
{
    struct static_lookup *look = &o->cfg->lookup[at];
    struct local_query *q = &o->cfg->query[at];
    char error[LOCAL_ERROR_BYTES];
    slice sql = text_of(o, v, "query", true);
    if (sql.p == NULL) return;
    if (!local_query_read(q, sql, empty, o->c->heap, error)) {
        refuse(o, pos_of(v, "query"), "a SELECT that SQLite understands", "%s", error);
        return;
    }
    if (!params_failed) match_params(o, look, q, pos_of(v, "query"));
    look->key = heap_alloc(o->c->heap, ((size_t)q->column_n + 1) * sizeof(*look->key));
    for (uint32_t i = 0; i < q->column_n; i++) look->key[i] = compile_key(o->c, q->column[i].name);
}

static struct config_list read_tags(struct options *o, const struct config_value *v,
                                    const char *name, struct config_list of_all)
{
    const struct config_value *own = config_hash_get(hash_of(v), slice_from_cstr(name));
    if (own == NULL) return of_all;
    if (config_is_scalar(own)) return (struct config_list){own, 1};
    struct config_list list = list_of(o, v, name, "a list of tags");
    for (uint32_t i = 0; i < list.n; i++)
        if (!config_is_scalar(&list.at[i])) refuse(o, list.at[i].pos, "a tag", "a tag is a string");
    return list;
}

static void read_default(struct options *o, struct static_lookup *look,
                         const struct config_value *v)
{
    const struct config_value *row = config_hash_get(hash_of(v), SLICE("default_hash"));
    if (row == NULL) return;
    if (row->type != CONFIG_HASH) {
        refuse(o, row->pos, "a hash", "`default_hash` is no hash");
        return;
    }
    struct value *item = arena_alloc(o->c->arena, sizeof(*item), 16);
    *item = compile_value(o->c, row);
    look->default_rows = value_list(item, 1);
    look->has_default = row->n > 0;
}

static void read_lookup(struct options *o, uint32_t at, const struct config_value *v,
                        const struct local_image *empty)
{
    struct static_lookup *look = &o->cfg->lookup[at];
    if (!is_hash(o, v, "local_lookups", lookup_names)) return;
    look->id = text_of(o, v, "id", false);
    if (look->id.p == NULL) look->id = heap_printf(o->c->heap, "lookup-%u", at + 1);
    look->target_name = text_of(o, v, "target", false);
    look->id_is_target = look->target_name.p == NULL;
    if (look->id_is_target) look->target_name = look->id;
    look->failure_tags = read_tags(o, v, "tag_on_failure", o->cfg->failure_tags);
    look->default_tags = read_tags(o, v, "tag_on_default_use", o->cfg->default_tags);
    if (compile_fieldref(o->c, &look->target, look->target_name, pos_of(v, "target")) != ERR_OK)
        o->failed = true;
    read_default(o, look, v);
    uint32_t errors = o->c->diag->errors;
    read_params(o, look, v);
    read_query(o, at, v, empty, o->c->diag->errors > errors);
    for (uint32_t i = 0; i < at; i++) {
        const struct static_lookup *other = &o->cfg->lookup[i];
        if (slice_equal(other->id, look->id))
            refuse(o, pos_of(v, "id"), NULL, "two lookups have the id `%.*s`", SLICE_FMT(look->id));
        else if (!look->id_is_target && !other->id_is_target &&
                 slice_equal(other->target_name, look->target_name))
            refuse(o, pos_of(v, "target"), NULL, "two lookups have the target `%.*s`",
                   SLICE_FMT(look->target_name));
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void read_schedule(struct options *o)
{
    struct loader_options *l = &o->cfg->loaders;
    slice text = o->cfg->schedule_text;
    struct pos pos = settings_pos(o->c->plugin, "loader_schedule");
    uint32_t at;
    int64_t next;
    if (text.p == NULL) return;
    l->scheduled = true;
    if (!cron_parse(text, &l->schedule, &at)) {
        slice rest = slice_from(text, at);
        refuse(o, pos, "a cron line such as \"*/30 * * * *\"",
               "this is no cron line from `%.*s` on", SLICE_FMT(rest));
        return;
    }
    l->zone = l->schedule.zone.n > 0 ? tz_load(l->schedule.zone) : tz_host();
    if (l->zone == NULL)
        refuse(o, pos, "a time zone such as Europe/Paris", "`%.*s` is no time zone",
               SLICE_FMT(l->schedule.zone));
    else if (!cron_next(&l->schedule, l->zone, 0, &next))
        refuse(o, pos, NULL, "no day is such a day");
}

static void read_tables_and_loaders(struct options *o)
{
    struct static_cfg *cfg = o->cfg;
    struct heap *heap = o->c->heap;
    cfg->schema.pages_max = LOCAL_BYTES_MAX / 4096;
    cfg->schema.table =
        heap_alloc(heap, ((size_t)cfg->table_list.n + 1) * sizeof(struct local_table));
    for (uint32_t i = 0; i < cfg->table_list.n; i++) read_table(o, &cfg->table_list.at[i]);
    cfg->loaders.schema = &cfg->schema;
    cfg->loaders.query =
        heap_alloc(heap, ((size_t)cfg->loader_list.n + 1) * sizeof(struct loader_query));
    for (uint32_t i = 0; i < cfg->loader_list.n; i++) read_loader(o, &cfg->loader_list.at[i]);
}

static void read_lookups(struct options *o)
{
    struct static_cfg *cfg = o->cfg;
    uint32_t n = cfg->lookup_list.n;
    if (n > LOCAL_QUERIES_MAX) {
        refuse(o, settings_pos(o->c->plugin, "local_lookups"), NULL, "more than %u lookups",
               LOCAL_QUERIES_MAX);
        return;
    }
    cfg->lookup = heap_alloc(o->c->heap, ((size_t)n + 1) * sizeof(*cfg->lookup));
    cfg->query = heap_alloc(o->c->heap, ((size_t)n + 1) * sizeof(*cfg->query));
    cfg->lookup_n = n;
    for (uint32_t i = 0; i < n; i++)
        read_lookup(o, i, &cfg->lookup_list.at[i], jdbc_loader_first(cfg->loader));
}

err jdbc_static_compile(void *config, struct compiler *c)
{
    char error[LOCAL_ERROR_BYTES];
    struct static_cfg *cfg = config;
    struct options o = {.cfg = cfg, .c = c};
    cfg->zone = tz_host();
    read_schedule(&o);
    read_tables_and_loaders(&o);
    if (!o.failed) {
        cfg->loader = jdbc_loader_new(&cfg->loaders, error);
        if (cfg->loader == NULL) {
            compile_error(c, NULL, NULL, "%s", error);
            return ERR_CONFIG;
        }
        read_lookups(&o);
    }
    return o.failed ? ERR_CONFIG : ERR_OK;
}

void jdbc_static_release(void *config)
{
    struct static_cfg *cfg = config;
    jdbc_loader_free(cfg->loader);
    for (uint32_t i = 0; i < cfg->lookup_n; i++)
        for (uint32_t k = 0; k < cfg->lookup[i].param_n; k++)
            template_fini(&cfg->lookup[i].param[k].text);
}

#define STATIC_AT(member, kind) SETTING_AT(struct static_cfg, member, kind)

/* clang-format off */
const struct setting jdbc_static_settings[] = {
    {.name = "jdbc_connection_string", STATIC_AT(connection, STRING), .flags = SETTING_REQUIRED,
     .doc = ODBC_URL_DOC},
    {.name = "jdbc_user", STATIC_AT(user, STRING), .doc = "User name (UID)."},
    {.name = "jdbc_password", STATIC_AT(password, PASSWORD), .doc = "Password (PWD)."},
    {.name = "jdbc_driver_class", STATIC_AT(driver_class, STRING), .flags = SETTING_OLD,
     .instead = "Drivers are those of unixODBC (odbcinst.ini).", .doc = "A class of Java."},
    {.name = "jdbc_driver_library", STATIC_AT(driver_library, STRING), .flags = SETTING_OLD,
     .instead = "Drivers are those of unixODBC (odbcinst.ini).", .doc = "A library of Java."},
    {.name = "loaders", STATIC_AT(loader_list, ANY_LIST), .default_text = "[]",
     .doc = "Hashes: `local_table`, `query` (its columns in the order of the table's), `max_rows` "
            "(1000000; with more, or none, the table stays as it is), `id`, and `jdbc_...` options "
            "in place of the filter's."},
    {.name = "local_db_objects", STATIC_AT(table_list, ANY_LIST), .default_text = "[]",
     .doc = "Tables, as hashes: `name`, `columns` ([[\"name\", \"type\"], ...], types of Apache "
            "Derby but the binary ones), `index_columns`, `preserve_existing`."},
    {.name = "local_lookups", STATIC_AT(lookup_list, ANY_LIST),
     .flags = SETTING_REQUIRED | SETTING_FIELD,
     .doc = "Look-ups, as hashes: `query` (SQL of SQLite, with :name or ?), `parameters` ({ name "
            "=> field }, or a text with %{field}) or `prepared_parameters` (a list in the order "
            "of the question marks), `target` (otherwise the id), `id` (lookup-1 ...), "
            "`default_hash`, `tag_on_failure`, `tag_on_default_use`."},
    {.name = "loader_schedule", STATIC_AT(schedule_text, STRING),
     .doc = "When to load again: a cron line of five fields, six with seconds, and a time zone if "
            "it is not the host's. Never, if it is not given."},
    {.name = "tag_on_failure", STATIC_AT(failure_tags, LIST),
     .default_text = "[\"_jdbcstaticfailure\"]",
     .doc = "Tags when a query failed, or a field that it needs is missing."},
    {.name = "tag_on_default_use", STATIC_AT(default_tags, LIST),
     .default_text = "[\"_jdbcstaticdefaultsused\"]", .doc = "Tags when there are no rows, and a "
     "default_hash."},
    {.name = "staging_directory", STATIC_AT(staging, STRING), .flags = SETTING_OLD,
     .instead = "Rows go from the database into memory.", .doc = "A folder for files of rows."},
    {0}};
/* clang-format on */
