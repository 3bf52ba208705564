/* json_event.c - the reserved fields of a decoded map. */
#include "parsers/json/json_event.h"

#include <immintrin.h>

#include "parsers/text/date_parse.h"

/* Key text laid out for the encoder, as the members of every event should be. */
#define CORE_NAME(text) ((slice){&("\"" text "\":" PAD_64)[1], sizeof(text) - 1})
#define PAD_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define PAD_64 PAD_16 PAD_16 PAD_16 PAD_16

static const struct tz *host_zone;

void event_adopt_zone(const struct tz *zone)
{
    host_zone = zone;
}

static struct key core_key(slice name)
{
    return (struct key){name, hash_key(name.p, name.n), KEY_WIRE | KEY_QUOTED};
}

enum reserved { HAS_METADATA = 1, HAS_TIMESTAMP = 2, HAS_TAGS = 4, HAS_VERSION = 8 };

/* The hashes of the four, which the compiler knows. */
static inline __m128i reserved_hashes(void)
{
    return _mm_setr_epi32((int)hash_key("@metadata", 9), (int)hash_key("@timestamp", 10),
                          (int)hash_key("tags", 4), (int)hash_key("@version", 8));
}

/* Which of the four reserved names may be among the keys, by hash alone: one vector compare a
 * member. SSE is in the baseline of the build. */
static int reserved_names(const struct map *data)
{
    const __m128i names = reserved_hashes();
    __m128i found = _mm_setzero_si128();
    for (uint32_t i = 0; i < data->n; i++)
        found = _mm_or_si128(found, _mm_cmpeq_epi32(names, _mm_set1_epi32((int)data->at[i].hash)));
    return _mm_movemask_ps(_mm_castsi128_ps(found));
}

/* Takes the member out of the map; false when it is not there. */
static bool take(struct map *data, slice name, uint32_t hash, struct value *out)
{
    struct member *m = map_find(data, name, hash);
    if (m == NULL) return false;
    *out = m->val;
    map_remove_at(data, (uint32_t)(m - data->at));
    return true;
}

/* False when the value is no time. */
static bool set_time(struct batch *b, struct event *ev, struct value *given)
{
    struct tz_hint hint = {0};
    int64_t ns;
    value_resolve(given, &b->arena);
    if (given->type == VALUE_NIL) return true;
    if (given->type == VALUE_TIME) {
        ev->time = value_time(given->u.time_ns);
        return true;
    }
    const struct tz *zone = host_zone != NULL ? host_zone : tz_utc();
    if (given->type != VALUE_STRING || !iso8601_lenient_parse(value_slice(given), zone, &hint, &ns))
        return false;
    ev->time = value_time(ns);
    return true;
}

static bool tags_are_legal(const struct value *tags)
{
    if (tags->type == VALUE_NIL || tags->type == VALUE_STRING) return true;
    if (tags->type != VALUE_LIST) return false;
    for (uint32_t i = 0; i < tags->n; i++)
        if (tags->u.list[i].type != VALUE_STRING) return false;
    return true;
}

static void check_tags(struct batch *b, struct event *ev)
{
    slice name = SLICE("tags");
    struct member *m = map_find(&ev->data, name, hash_key(name.p, name.n));
    if (m == NULL || tags_are_legal(&m->val)) return;
    struct value *item = arena_alloc(&b->arena, sizeof(*item), 16);
    if (!take(&ev->data, name, m->hash, item)) return;
    map_put(&ev->data, &b->arena, core_key(CORE_NAME("_tags")), value_list(item, 1));
    event_tag(b, ev, SLICE("_tagsparsefailure"), true);
}

static void adopt_reserved(struct batch *b, struct event *ev, int names)
{
    const __m128i hashes = reserved_hashes();
    uint32_t metadata = (uint32_t)_mm_extract_epi32(hashes, 0);
    uint32_t timestamp = (uint32_t)_mm_extract_epi32(hashes, 1);
    struct value given;
    bool timed = true;
    if ((names & HAS_METADATA) && take(&ev->data, SLICE("@metadata"), metadata, &given))
        if (given.type == VALUE_MAP) ev->meta = *given.u.map;
    if ((names & HAS_TIMESTAMP) && take(&ev->data, SLICE("@timestamp"), timestamp, &given))
        timed = set_time(b, ev, &given);
    if (names & HAS_TAGS) check_tags(b, ev);
    if (timed) return;
    event_tag(b, ev, SLICE("_timestampparsefailure"), true);
    map_put(&ev->data, &b->arena, core_key(CORE_NAME("_@timestamp")), given);
}

void event_adopt(struct batch *b, struct event *ev, struct map data)
{
    ev->data = data;
    int names = reserved_names(&data);
    if (names & (HAS_METADATA | HAS_TIMESTAMP | HAS_TAGS)) adopt_reserved(b, ev, names);
    slice version = SLICE("@version");
    if ((names & HAS_VERSION) && map_find(&ev->data, version, hash_key(version.p, version.n)))
        return;
    event_add_version(b, ev);
}
