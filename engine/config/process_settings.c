/* process_settings.c - values of the process settings: validation, defaults, reading. */
#define _GNU_SOURCE
#include "engine/config/process_settings.h"

#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/machine.h"
#include "engine/config/process_yaml.h"
#include "engine/config/units.h"
#include "net/nic.h"

#define SETTINGS_MAX 256u
#define MEMORY_BYTES_MIN (64u << 20) /* of spate.memory_bytes */

struct process_value {
    slice text; /* .p == NULL: not set */
    int64_t num;
    struct config_list list;
    bool given;
};

struct process_settings {
    struct heap *heap;
    uint32_t n;
    struct process_value *at; /* in the order of the table */
};

/* Names of older releases that mean the same. */
static const struct {
    const char *old, *now;
} aliases[] = {{"http.enabled", "api.enabled"},
               {"http.host", "api.http.host"},
               {"http.port", "api.http.port"},
               {"http.environment", "api.environment"}};

struct heap *process_settings_heap(const struct process_settings *s)
{
    return s->heap;
}

static int32_t table_find(slice name)
{
    for (int32_t i = 0; process_setting_table[i].name != NULL; i++)
        if (slice_equal(slice_from_cstr(process_setting_table[i].name), name)) return i;
    return -1;
}

static uint32_t table_n(void)
{
    uint32_t n = 0;
    while (process_setting_table[n].name != NULL) n++;
    return n;
}

/* ---- validation ------------------------------------------------------------------------ */

static bool bool_parse(slice text, int64_t *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (uint32_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_equal_nocase(text, slice_from_cstr(words[i]))) continue;
        *out = i % 2;
        return true;
    }
    return false;
}

/* "9600", "9600-9700" or Ruby's "9600..9700"; packed as first << 16 | last. */
static bool ports_parse(slice text, int64_t *out)
{
    int64_t first, last;
    int64_t dash = slice_find_byte(text, '-'), dots = slice_find(text, SLICE(".."));
    int64_t cut = dash >= 0 ? dash : dots;
    slice head = cut < 0 ? text : slice_part(text, 0, (uint32_t)cut);
    slice tail = cut < 0 ? text : slice_from(text, (uint32_t)cut + (dash >= 0 ? 1 : 2));
    if (!slice_to_i64(slice_trim(head), &first) || !slice_to_i64(slice_trim(tail), &last))
        return false;
    if (first < 0 || last > 65535 || first > last) return false;
    *out = first << 16 | last;
    return true;
}

static bool choice_valid(const char *const *choices, slice text)
{
    for (uint32_t i = 0; choices[i] != NULL; i++)
        if (slice_equal(slice_from_cstr(choices[i]), text)) return true;
    return false;
}

static bool text_valid(const struct process_setting *s, slice text, int64_t *num)
{
    switch (s->type) {
    case PROCESS_STRING:
    case PROCESS_PASSWORD:
    case PROCESS_LIST: return true;
    case PROCESS_INT:
    case PROCESS_MS: return slice_to_i64(text, num);
    case PROCESS_BOOL: return bool_parse(text, num);
    case PROCESS_BYTES: return bytes_parse_settings(text, num);
    case PROCESS_TIME: return duration_parse_settings(text, num);
    case PROCESS_AGE: return age_parse(text, num);
    case PROCESS_CHOICE: return choice_valid(s->choices, text);
    case PROCESS_PORT_RANGE: return ports_parse(text, num);
    }
    return false;
}

static const char *const type_expected[] = {
    [PROCESS_STRING] = "a string",
    [PROCESS_PASSWORD] = "a password",
    [PROCESS_INT] = "a whole number",
    [PROCESS_BOOL] = "true or false",
    [PROCESS_BYTES] = "a size such as 64mb or 1gb",
    [PROCESS_TIME] = "a time such as 3s, 500ms or 1m",
    [PROCESS_MS] = "a number of milliseconds",
    [PROCESS_CHOICE] = "one of the choices",
    [PROCESS_LIST] = "a list",
    [PROCESS_PORT_RANGE] = "a port or a range such as 9600-9700",
    [PROCESS_AGE] = "an age such as 30s, 5m, 2h or 7d",
};

static err refuse(const struct process_setting *s, slice text, struct pos pos, struct diag *diag)
{
    struct buf expected = {0};
    buf_add_cstr(&expected, type_expected[s->type]);
    for (uint32_t i = 0; s->choices != NULL && s->choices[i] != NULL; i++)
        buf_printf(&expected, "%s%s", i == 0 ? ": " : ", ", s->choices[i]);
    if (s->max == INT64_MAX)
        buf_printf(&expected, ", at least %lld", (long long)s->min);
    else if (s->max != 0)
        buf_printf(&expected, " between %lld and %lld", (long long)s->min, (long long)s->max);
    if (s->type == PROCESS_PASSWORD) text = SLICE("<password>");
    diag_error(diag, pos, buf_cstr(&expected), "Setting \"%s\" has an invalid value \"%.*s\"",
               s->name, SLICE_FMT(text));
    buf_fini(&expected);
    return ERR_CONFIG;
}

/* What is known but has no effect here, judged by whether it differs from the default. */
static err check_flags(const struct process_setting *s, slice text, struct pos pos,
                       struct diag *diag)
{
    slice normal = slice_from_cstr(s->default_text);
    bool same = slice_equal(text, normal);
    if (same) return ERR_OK;
    if (s->flags & PROCESS_UNSUPPORTED) {
        diag_error(diag, pos, NULL, "spate does not support the setting \"%s\". %s", s->name,
                   s->doc);
        return ERR_CONFIG;
    }
    if (s->flags & PROCESS_IGNORED)
        diag_warn(diag, pos, NULL, "the setting \"%s\" has no effect in spate. %s", s->name,
                  s->doc);
    return ERR_OK;
}

static void lint_unit(const struct process_setting *s, slice text, struct pos pos,
                      struct diag *diag)
{
    int64_t num;
    if (s->type == PROCESS_TIME && slice_to_i64(text, &num) && num > 0)
        diag_warn(diag, pos, "a unit, e.g. 60s",
                  "\"%s: %.*s\" has no unit and so is %.*s nanoseconds, as in Logstash", s->name,
                  SLICE_FMT(text), SLICE_FMT(text));
}

/* ---- setting --------------------------------------------------------------------------- */

static struct config_list split_list(struct heap *heap, slice text, struct pos pos)
{
    text = slice_trim(text);
    if (slice_starts(text, SLICE("[")) && slice_ends(text, SLICE("]")) && text.n >= 2)
        text = slice_part(text, 1, text.n - 2);
    uint32_t n = 1;
    for (uint32_t i = 0; i < text.n; i++) n += text.p[i] == ',';
    struct config_value *items = heap_alloc(heap, n * sizeof(*items));
    uint32_t used = 0;
    while (text.n > 0) {
        int64_t comma = slice_find_byte(text, ',');
        slice item = slice_trim(comma < 0 ? text : slice_part(text, 0, (uint32_t)comma));
        if (item.n > 0) {
            items[used] = (struct config_value){.type = CONFIG_STRING, .pos = pos};
            items[used++].text = heap_dup(heap, item);
        }
        if (comma < 0) break;
        text = slice_from(text, (uint32_t)comma + 1);
    }
    return (struct config_list){items, used};
}

static err value_set(struct process_settings *s, uint32_t index, slice text, struct pos pos,
                     struct diag *diag)
{
    const struct process_setting *setting = &process_setting_table[index];
    struct process_value val = {.given = true};
    bool bounded = setting->min != 0 || setting->max != 0;
    if (!text_valid(setting, text, &val.num)) return refuse(setting, text, pos, diag);
    if (bounded && (val.num < setting->min || val.num > setting->max))
        return refuse(setting, text, pos, diag);
    if (check_flags(setting, text, pos, diag) != ERR_OK) return ERR_CONFIG;
    lint_unit(setting, text, pos, diag);
    val.text = heap_dup(s->heap, text);
    if (setting->type == PROCESS_LIST) val.list = split_list(s->heap, text, pos);
    s->at[index] = val;
    return ERR_OK;
}

/* Elastic's monitoring and central management: harmless while switched off, as in the settings
 * file of the official container image. */
static err set_xpack(slice name, slice text, struct pos pos, struct diag *diag)
{
    if (slice_ends(name, SLICE(".enabled")) && slice_equal(text, SLICE("true"))) {
        diag_error(diag, pos, NULL, "spate does not support \"%.*s\"", SLICE_FMT(name));
        return ERR_CONFIG;
    }
    diag_warn(diag, pos, NULL, "the setting \"%.*s\" has no effect in spate", SLICE_FMT(name));
    return ERR_OK;
}

static err report_unknown(slice name, struct pos pos, struct diag *diag)
{
    const char *names[SETTINGS_MAX];
    uint32_t n = 0;
    for (; n < SETTINGS_MAX && process_setting_table[n].name != NULL; n++)
        names[n] = process_setting_table[n].name;
    diag_error(diag, pos, NULL,
               "Setting \"%.*s\" doesn't exist. Please check if you haven't made "
               "a typo.",
               SLICE_FMT(name));
    diag_suggest(diag, name, names, n);
    return ERR_CONFIG;
}

err process_settings_set(struct process_settings *s, slice name, slice text, struct pos pos,
                         struct diag *diag)
{
    for (uint32_t i = 0; i < ARRAY_LEN(aliases); i++) {
        if (!slice_equal(name, slice_from_cstr(aliases[i].old))) continue;
        diag_warn(diag, pos, NULL, "\"%s\" is the old name of \"%s\"", aliases[i].old,
                  aliases[i].now);
        name = slice_from_cstr(aliases[i].now);
    }
    if (slice_starts(name, SLICE("dpdk.")) && nic_backend_dpdk() == NULL) {
        diag_error(diag, pos, "a build with -DSPATE_DPDK=ON (tools/dev build dpdk)",
                   "the setting \"%.*s\" is for poll-mode ports, which this build of spate does "
                   "not have",
                   SLICE_FMT(name));
        return ERR_CONFIG;
    }
    int32_t index = table_find(name);
    if (index >= 0) return value_set(s, (uint32_t)index, text, pos, diag);
    if (slice_starts(name, SLICE("xpack."))) return set_xpack(name, text, pos, diag);
    return report_unknown(name, pos, diag);
}

err process_settings_set_list(struct process_settings *s, slice name, struct config_list list,
                              struct pos pos, struct diag *diag)
{
    int32_t index = table_find(name);
    struct buf joined = {0};
    for (uint32_t i = 0; i < list.n; i++)
        buf_printf(&joined, "%s%.*s", i > 0 ? "," : "", SLICE_FMT(list.at[i].text));
    err e = ERR_OK;
    if (index >= 0 && process_setting_table[index].type != PROCESS_LIST)
        e = refuse(&process_setting_table[index], buf_slice(&joined), pos, diag);
    else
        e = process_settings_set(s, name, buf_slice(&joined), pos, diag);
    if (e == ERR_OK && index >= 0) s->at[index].list = list;
    buf_fini(&joined);
    return e;
}

/* ---- life ------------------------------------------------------------------------------ */

static void set_computed(struct process_settings *s, const char *name, slice text)
{
    struct diag diag = DIAG_INIT;
    int32_t index = table_find(slice_from_cstr(name));
    ASSERT(index >= 0);
    err e = value_set(s, (uint32_t)index, text, POS_NONE, &diag);
    ASSERT(e == ERR_OK);
    s->at[index].given = false;
    diag_fini(&diag);
}

/* Defaults that depend on where this runs: a worker for each CPU that affinity and control groups
 * leave, and never more than half of the memory. */
static void set_for_machine(struct process_settings *s)
{
    struct machine m;
    char text[32];
    machine_read(&m, "");
    snprintf(text, sizeof(text), "%u", m.cpus_usable);
    set_computed(s, "pipeline.workers", slice_from_cstr(text));
    uint64_t half = m.memory_bytes / 2;
    if (half == 0 || half >= (uint64_t)process_settings_int(s, "spate.memory_bytes")) return;
    if (half < MEMORY_BYTES_MIN) half = MEMORY_BYTES_MIN;
    snprintf(text, sizeof(text), "%llu", (unsigned long long)half);
    set_computed(s, "spate.memory_bytes", slice_from_cstr(text));
}

static struct process_settings *settings_alloc(struct heap *heap)
{
    struct process_settings *s = heap_alloc(heap, sizeof(*s));
    s->heap = heap;
    s->n = table_n();
    s->at = heap_alloc(heap, s->n * sizeof(*s->at));
    return s;
}

struct process_settings *process_settings_new(struct heap *heap)
{
    struct process_settings *s = settings_alloc(heap);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct process_setting *setting = &process_setting_table[i];
        if (setting->default_text != NULL)
            set_computed(s, setting->name, slice_from_cstr(setting->default_text));
    }
    char text[256];
    set_for_machine(s);
    if (gethostname(text, sizeof(text)) != 0) text[0] = '\0';
    text[sizeof(text) - 1] = '\0';
    set_computed(s, "node.name", slice_from_cstr(text[0] == '\0' ? "localhost" : text));
    return s;
}

struct process_settings *process_settings_copy(const struct process_settings *from,
                                               struct heap *heap)
{
    struct process_settings *s = settings_alloc(heap);
    memcpy(s->at, from->at, s->n * sizeof(*s->at));
    return s;
}

static void follow_path(struct process_settings *s, const char *name, const char *folder)
{
    if (process_settings_text(s, name).p != NULL) return;
    slice data = process_settings_text(s, "path.data");
    slice path = heap_printf(s->heap, "%.*s/%s", SLICE_FMT(data), folder);
    set_computed(s, name, path);
}

err process_settings_finish(struct process_settings *s, struct diag *diag)
{
    uint32_t errors = diag->errors;
    follow_path(s, "path.queue", "queue");
    follow_path(s, "path.dead_letter_queue", "dead_letter_queue");
    if (process_settings_text(s, "spate.shards").p == NULL) {
        int64_t shards = process_settings_int(s, "pipeline.workers");
        char text[24];
        snprintf(text, sizeof(text), "%lld", (long long)(shards > 1024 ? 1024 : shards));
        set_computed(s, "spate.shards", slice_from_cstr(text));
    }
    if (process_settings_int(s, "queue.page_capacity") > process_settings_int(s, "queue.max_bytes"))
        diag_error(diag, POS_NONE, NULL,
                   "queue.page_capacity must not be larger than "
                   "queue.max_bytes");
    bool basic = slice_equal(process_settings_text(s, "api.auth.type"), SLICE("basic"));
    bool user = process_settings_text(s, "api.auth.basic.username").p != NULL;
    bool password = process_settings_text(s, "api.auth.basic.password").p != NULL;
    if (basic && !(user && password))
        diag_error(diag, POS_NONE, NULL,
                   "api.auth.type: basic needs api.auth.basic.username and "
                   "api.auth.basic.password");
    return diag->errors == errors ? ERR_OK : ERR_CONFIG;
}

/* ---- reading --------------------------------------------------------------------------- */

static const struct process_value *value_get(const struct process_settings *s, const char *name)
{
    int32_t index = table_find(slice_from_cstr(name));
    ASSERT(index >= 0);
    return &s->at[index];
}

static enum process_type type_get(const char *name)
{
    return process_setting_table[table_find(slice_from_cstr(name))].type;
}

bool process_settings_bool(const struct process_settings *s, const char *name)
{
    const struct process_value *val = value_get(s, name);
    ASSERT(type_get(name) == PROCESS_BOOL);
    return val->num != 0;
}

int64_t process_settings_int(const struct process_settings *s, const char *name)
{
    const struct process_value *val = value_get(s, name);
    enum process_type type = type_get(name);
    ASSERT(type == PROCESS_INT || type == PROCESS_BYTES || type == PROCESS_TIME ||
           type == PROCESS_MS || type == PROCESS_AGE);
    return val->num;
}

slice process_settings_text(const struct process_settings *s, const char *name)
{
    return value_get(s, name)->text;
}

struct config_list process_settings_list(const struct process_settings *s, const char *name)
{
    const struct process_value *val = value_get(s, name);
    ASSERT(type_get(name) == PROCESS_LIST);
    return val->list;
}

void process_settings_ports(const struct process_settings *s, const char *name, uint16_t *first,
                            uint16_t *last)
{
    const struct process_value *val = value_get(s, name);
    ASSERT(type_get(name) == PROCESS_PORT_RANGE);
    *first = (uint16_t)(val->num >> 16);
    *last = (uint16_t)(val->num & 0xFFFF);
}

bool process_settings_given(const struct process_settings *s, const char *name)
{
    return value_get(s, name)->given;
}

/* ---- showing --------------------------------------------------------------------------- */

void process_settings_json(const struct process_settings *s, struct buf *out)
{
    buf_add_cstr(out, "{");
    for (uint32_t i = 0; i < s->n; i++) {
        const struct process_setting *setting = &process_setting_table[i];
        const struct process_value *val = &s->at[i];
        if (i > 0) buf_add_byte(out, ',');
        buf_add_json(out, slice_from_cstr(setting->name));
        buf_add_byte(out, ':');
        if (val->text.p == NULL)
            buf_add_cstr(out, "null");
        else if (setting->type == PROCESS_PASSWORD)
            buf_add_cstr(out, "\"<password>\"");
        else if (setting->type == PROCESS_BOOL)
            buf_add_cstr(out, val->num ? "true" : "false");
        else if (setting->type == PROCESS_INT || setting->type == PROCESS_MS)
            buf_printf(out, "%lld", (long long)val->num);
        else
            buf_add_json(out, val->text);
    }
    buf_add_cstr(out, "}");
}

void process_settings_markdown(struct buf *out)
{
    buf_add_cstr(out, "| setting | type | default | |\n|---|---|---|---|\n");
    for (const struct process_setting *s = process_setting_table; s->name != NULL; s++) {
        buf_printf(out, "| `%s` | %s", s->name, type_expected[s->type]);
        for (uint32_t i = 0; s->choices != NULL && s->choices[i] != NULL; i++)
            buf_printf(out, "%s%s", i == 0 ? ": " : ", ", s->choices[i]);
        if (s->default_text != NULL)
            buf_printf(out, " | `%s` | ", s->default_text);
        else
            buf_add_cstr(out, " | | ");
        if (s->flags & PROCESS_UNSUPPORTED) buf_add_cstr(out, "Not supported. ");
        if (s->flags & PROCESS_IGNORED) buf_add_cstr(out, "No effect. ");
        buf_printf(out, "%s%s |\n", s->doc, s->flags & PROCESS_PIPELINE ? " (per pipeline)" : "");
    }
}
