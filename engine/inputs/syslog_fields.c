/* syslog_fields.c - the small parts of syslog events. */
#include "engine/inputs/syslog_fields.h"

#include <stdio.h>

/* In the order of the input's formats: two digits, a padded day, one digit, ISO 8601. */
enum { DATE_TWO, DATE_PADDED, DATE_ONE, DATE_ISO };

static __attribute__((noinline)) bool time_other(struct date_state date[SYSLOG_DATE_FORMATS],
                                                 const struct syslog_event_cfg *cfg, slice text,
                                                 uint32_t tried, int64_t now_ns, int64_t *out_ns)
{
    for (uint32_t i = 0; i < SYSLOG_DATE_FORMATS; i++)
        if (i != tried && date_parse(cfg->date[i], &date[i], text, cfg->zone, now_ns, out_ns))
            return true;
    return false;
}

bool syslog_time(struct date_state date[SYSLOG_DATE_FORMATS], const struct syslog_event_cfg *cfg,
                 slice text, bool iso8601, int64_t now_ns, int64_t *out_ns)
{
    uint32_t first = DATE_TWO;
    if (iso8601)
        first = DATE_ISO;
    else if (text.n > 5 && text.p[4] == ' ')
        first = DATE_PADDED;
    else if (text.n > 5 && text.p[5] == ' ')
        first = DATE_ONE;
    if (date_parse(cfg->date[first], &date[first], text, cfg->zone, now_ns, out_ns)) return true;
    return time_other(date, cfg, text, first, now_ns, out_ns);
}

struct value syslog_pid(slice text)
{
    int64_t num;
    if (int_text_is_json(text)) return value_int_text(text);
    return slice_to_i64(text, &num) ? value_int(num) : value_string(text);
}

struct value syslog_version_text(uint32_t version, struct arena *arena)
{
    if (version == 1) return value_clean(SLICE("1"));
    char text[12];
    int n = snprintf(text, sizeof(text), "%u", version);
    return value_clean(arena_copy(arena, slice_make(text, (size_t)n)));
}

static void put_again(struct value *there, struct value val, struct arena *arena)
{
    uint32_t n = there->type == VALUE_LIST ? there->n : 1;
    struct value *items = arena_alloc(arena, (n + 1) * sizeof(*items), 16);
    if (there->type == VALUE_LIST)
        memcpy(items, there->u.list, n * sizeof(*items));
    else
        items[0] = *there;
    items[n] = val;
    uint16_t flags = there->key_flags;
    *there = value_list(items, n + 1);
    there->key_flags = flags;
}

/* Most have one element or two, of few parameters. */
#define SD_ELEMENTS 2u
#define SD_PARAMETERS 4u

struct value syslog_structured_data(slice structured_data, struct arena *arena)
{
    struct map *all = map_exact(arena, SD_ELEMENTS), *map = NULL;
    struct syslog_sd at = syslog_sd_start(structured_data);
    const char *open = NULL;
    while (syslog_sd_next(&at)) {
        if (open != at.element.p) {
            open = at.element.p;
            struct key id = key_borrow(at.element);
            struct member *m = map_find(all, id.name, id.hash);
            map = m != NULL ? m->val.u.map : map_exact(arena, SD_PARAMETERS);
            if (m == NULL) map_append(all, arena, id, value_map(map));
        }
        if (at.name.p == NULL) continue;
        slice text = at.value;
        if (at.escaped) {
            char *out = arena_alloc(arena, text.n + 1, 1);
            text = slice_make(out, syslog_sd_unescape(at.value, out));
        }
        struct key name = key_borrow(at.name);
        struct member *m = map_find(map, name.name, name.hash);
        if (m != NULL)
            put_again(&m->val, value_string(text), arena);
        else
            map_append(map, arena, name, value_string(text));
    }
    return value_map(all);
}
