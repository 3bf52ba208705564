/*
 * tz.c - see tz.h.
 */
#include "engine/base/tz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/civil.h"
#include "engine/base/hash.h"
#include "engine/base/tz_rule.h"

#define TZ_FOLDER "/usr/share/zoneinfo"
/* The largest file of tzdata is 4 KB; a table of 2^16 transitions is still plausible. */
#define TZ_FILE_BYTES_MAX (1u << 20)
/* About 600 names exist; slots are twice the bound so that probing ends. */
#define TZ_ZONES_MAX 2048u
#define TZ_SLOTS (TZ_ZONES_MAX * 2)
#define TZ_FIXED_MINUTES (23 * 60 + 59)
/* No two offsets differ by more: an instant this far from the ends of a range has a wall
 * clock reading that no other range can show. */
#define TZ_SPREAD_S (TZ_OFFSET_MAX_S - TZ_OFFSET_MIN_S + 1)
/* Sums of transitions and offsets must not overflow; tzdata starts at -2^59. */
#define TZ_INSTANT_MAX_S (INT64_C(1) << 60)

struct tz_type {
    int32_t offset_s;
    uint8_t dst, name_at;
};

struct tz {
    char name[TZ_NAME_MAX + 1];
    bool listed; /* a name of tzdata, which ZZZ may read from a text */
    bool fixed;
    uint32_t n, type_n, names_n;
    int64_t *at;      /* n instants at which ... */
    uint8_t *type_of; /* ... this type begins */
    struct tz_type *type;
    char *names;
    struct tz_rule rule;
};

/* Written by the control thread with a release store, read by everybody with an acquire
 * load: a slot goes from NULL to a finished zone once and never changes again. */
static const struct tz *registry[TZ_SLOTS];
static uint32_t registry_n;
static const struct tz *fixed_zones; /* [2 * TZ_FIXED_MINUTES + 1], published likewise */
static bool all_loaded;

static struct tz utc_zone = {
    .name = "UTC",
    .listed = true,
    .fixed = true,
    .rule = {.present = true, .std_name = "UTC"},
};

const struct tz *tz_utc(void)
{
    return &utc_zone;
}

/* ---- fixed offsets ----------------------------------------------------- */

static bool two_digits(const char *p, uint32_t max, int32_t *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return false;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return *out <= (int32_t)max;
}

/* +hh, +hhmm, +hh:mm, +hhmmss, +hh:mm:ss */
static bool offset_parse(slice s, int32_t *offset_s)
{
    if (s.n < 3 || (s.p[0] != '+' && s.p[0] != '-')) return false;
    int32_t part[3] = {0, 0, 0};
    uint32_t at = 3;
    if (!two_digits(s.p + 1, 23, &part[0])) return false;
    bool colons = s.n > 3 && s.p[3] == ':';
    for (uint32_t i = 1; i < 3 && at < s.n; i++) {
        if (colons && s.p[at++] != ':') return false;
        if (s.n - at < 2 || !two_digits(s.p + at, 59, &part[i])) return false;
        at += 2;
    }
    int32_t total = part[0] * 3600 + part[1] * 60 + part[2];
    *offset_s = s.p[0] == '-' ? -total : total;
    return at == s.n;
}

static bool fixed_name_parse(slice name, int32_t *offset_s)
{
    static const slice alias[] = {{"UTC", 3}, {"GMT", 3}, {"UT", 2}};
    if (name.n > 0 && (name.p[0] == '+' || name.p[0] == '-')) return offset_parse(name, offset_s);
    for (uint32_t i = 0; i < ARRAY_LEN(alias); i++) {
        if (!slice_starts(name, alias[i])) continue;
        slice rest = slice_from(name, alias[i].n);
        *offset_s = 0;
        if (rest.n == 0 || offset_parse(rest, offset_s)) return true;
    }
    *offset_s = 0;
    return slice_equal(name, SLICE("Z"));
}

static void fixed_init(struct tz *zone, int32_t offset_s)
{
    int32_t size = offset_s < 0 ? -offset_s : offset_s;
    char *name = zone->name;
    int n = snprintf(name, sizeof(zone->name), "%c%02d:%02d", offset_s < 0 ? '-' : '+', size / 3600,
                     size / 60 % 60);
    if (size % 60 != 0) snprintf(name + n, sizeof(zone->name) - (size_t)n, ":%02d", size % 60);
    zone->fixed = true;
    zone->rule = (struct tz_rule){.present = true, .std_offset_s = offset_s};
    memcpy(zone->rule.std_name, name, TZ_ABBREVIATION_MAX);
}

static void fixed_publish(void)
{
    if (fixed_zones != NULL) return;
    struct tz *zones = calloc(2 * TZ_FIXED_MINUTES + 1, sizeof(*zones));
    if (zones == NULL) PANIC("out of memory");
    for (int32_t minutes = -TZ_FIXED_MINUTES; minutes <= TZ_FIXED_MINUTES; minutes++)
        fixed_init(&zones[minutes + TZ_FIXED_MINUTES], minutes * 60);
    __atomic_store_n(&fixed_zones, zones, __ATOMIC_RELEASE);
}

static const struct tz *fixed_find(int32_t offset_s)
{
    if (offset_s == 0) return &utc_zone;
    const struct tz *zones = __atomic_load_n(&fixed_zones, __ATOMIC_ACQUIRE);
    if (zones == NULL || offset_s % 60 != 0) return NULL;
    return &zones[offset_s / 60 + TZ_FIXED_MINUTES];
}

/* ---- TZif -------------------------------------------------------------- */

struct tzif_header {
    uint32_t utc_n, std_n, leap_n, time_n, type_n, name_n;
};

static uint32_t load_u32(const char *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return __builtin_bswap32(word);
}

static int64_t load_i64(const char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return (int64_t)__builtin_bswap64(word);
}

#define TZIF_HEADER_BYTES 44u

static bool tzif_header(slice s, struct tzif_header *h, char *version)
{
    if (s.n < TZIF_HEADER_BYTES || memcmp(s.p, "TZif", 4) != 0) return false;
    *version = s.p[4];
    uint32_t *count = &h->utc_n;
    for (uint32_t i = 0; i < 6; i++) {
        count[i] = load_u32(s.p + 20 + 4 * i);
        if (count[i] > TZ_FILE_BYTES_MAX) return false;
    }
    return h->type_n >= 1 && h->type_n <= 256 && h->name_n >= 1 && h->name_n <= 256;
}

static uint64_t tzif_block_bytes(const struct tzif_header *h, uint32_t time_bytes)
{
    return (uint64_t)h->time_n * (time_bytes + 1) + h->type_n * 6ull + h->name_n +
           (uint64_t)h->leap_n * (time_bytes + 4) + h->std_n + h->utc_n;
}

static bool tzif_types(struct tz *zone, const struct tzif_header *h, const char *types,
                       const char *names)
{
    zone->type = calloc(h->type_n, sizeof(*zone->type));
    zone->names = calloc(h->name_n + 1, 1);
    if (zone->type == NULL || zone->names == NULL) PANIC("out of memory");
    memcpy(zone->names, names, h->name_n);
    zone->type_n = h->type_n;
    zone->names_n = h->name_n;
    for (uint32_t i = 0; i < h->type_n; i++) {
        const char *p = types + 6 * i;
        struct tz_type *type = &zone->type[i];
        *type = (struct tz_type){(int32_t)load_u32(p), (uint8_t)p[4], (uint8_t)p[5]};
        if (type->offset_s < TZ_OFFSET_MIN_S || type->offset_s > TZ_OFFSET_MAX_S) return false;
        if (type->dst > 1 || type->name_at >= h->name_n) return false;
    }
    return true;
}

static bool tzif_times(struct tz *zone, const struct tzif_header *h, const char *times,
                       const char *types, uint32_t time_bytes)
{
    zone->n = h->time_n;
    zone->at = calloc(h->time_n + 1ull, sizeof(*zone->at));
    zone->type_of = calloc(h->time_n + 1ull, 1);
    if (zone->at == NULL || zone->type_of == NULL) PANIC("out of memory");
    for (uint32_t i = 0; i < h->time_n; i++) {
        const char *p = times + (uint64_t)i * time_bytes;
        zone->at[i] = time_bytes == 8 ? load_i64(p) : (int32_t)load_u32(p);
        zone->type_of[i] = (uint8_t)types[i];
        if (zone->type_of[i] >= h->type_n) return false;
        if (i > 0 && zone->at[i] <= zone->at[i - 1]) return false;
        if (zone->at[i] < -TZ_INSTANT_MAX_S || zone->at[i] > TZ_INSTANT_MAX_S) return false;
    }
    return true;
}

static bool tzif_block(struct tz *zone, const struct tzif_header *h, const char *p,
                       uint32_t time_bytes)
{
    const char *type_of = p + (uint64_t)h->time_n * time_bytes;
    const char *types = type_of + h->time_n;
    return tzif_types(zone, h, types, types + 6ull * h->type_n) &&
           tzif_times(zone, h, p, type_of, time_bytes);
}

/* "\n<rule>\n"; an empty rule says that nothing is known after the last transition. */
static bool tzif_footer(struct tz *zone, slice s)
{
    if (s.n < 2 || s.p[0] != '\n') return false;
    s = slice_from(s, 1);
    int64_t end = slice_find_byte(s, '\n');
    if (end < 0) return false;
    if (end == 0) return true;
    return tz_rule_parse(slice_part(s, 0, (uint32_t)end), &zone->rule);
}

static bool tzif_parse(struct tz *zone, slice s)
{
    struct tzif_header h;
    char version;
    if (s.n > TZ_FILE_BYTES_MAX || !tzif_header(s, &h, &version)) return false;
    uint64_t skip = TZIF_HEADER_BYTES + tzif_block_bytes(&h, 4);
    if (skip > s.n) return false;
    if (version == 0) return tzif_block(zone, &h, s.p + TZIF_HEADER_BYTES, 4);

    s = slice_from(s, (uint32_t)skip);
    if (!tzif_header(s, &h, &version)) return false;
    uint64_t used = TZIF_HEADER_BYTES + tzif_block_bytes(&h, 8);
    if (used > s.n || !tzif_block(zone, &h, s.p + TZIF_HEADER_BYTES, 8)) return false;
    return tzif_footer(zone, slice_from(s, (uint32_t)used));
}

static bool zone_is_fixed(const struct tz *zone)
{
    if (zone->n == 0) {
        if (zone->rule.present) return !zone->rule.has_dst;
        return true;
    }
    int32_t offset_s = zone->type[0].offset_s;
    for (uint32_t i = 0; i < zone->n; i++)
        if (zone->type[zone->type_of[i]].offset_s != offset_s) return false;
    return !zone->rule.present || (!zone->rule.has_dst && zone->rule.std_offset_s == offset_s);
}

static void zone_name(struct tz *zone, slice name)
{
    slice_cstr(name, zone->name, sizeof(zone->name));
}

struct tz *tz_parse(slice name, slice bytes)
{
    struct tz *zone = calloc(1, sizeof(*zone));
    if (zone == NULL) PANIC("out of memory");
    zone_name(zone, name);
    if (!tzif_parse(zone, bytes)) {
        tz_free(zone);
        return NULL;
    }
    zone->fixed = zone_is_fixed(zone);
    return zone;
}

void tz_free(struct tz *zone)
{
    if (zone == NULL) return;
    free(zone->at);
    free(zone->type_of);
    free(zone->type);
    free(zone->names);
    free(zone);
}

/* ---- registry ---------------------------------------------------------- */

static uint32_t registry_slot(slice name)
{
    return (uint32_t)hash_bytes(name.p, name.n, 0) % TZ_SLOTS;
}

static bool zone_called(const struct tz *zone, slice name)
{
    return strlen(zone->name) == name.n && memcmp(zone->name, name.p, name.n) == 0;
}

static const struct tz *registry_find(slice name)
{
    if (name.n == 0 || name.n > TZ_NAME_MAX) return NULL;
    for (uint32_t i = registry_slot(name);; i = (i + 1) % TZ_SLOTS) {
        const struct tz *zone = __atomic_load_n(&registry[i], __ATOMIC_ACQUIRE);
        if (zone == NULL || zone_called(zone, name)) return zone;
    }
}

static const struct tz *registry_add(struct tz *zone)
{
    if (registry_n == TZ_ZONES_MAX) {
        tz_free(zone);
        return NULL;
    }
    uint32_t i = registry_slot(slice_from_cstr(zone->name));
    while (registry[i] != NULL) i = (i + 1) % TZ_SLOTS;
    registry_n++;
    __atomic_store_n(&registry[i], zone, __ATOMIC_RELEASE);
    return zone;
}

static const char *zone_folder(void)
{
    const char *folder = getenv("TZDIR");
    return folder != NULL && folder[0] == '/' ? folder : TZ_FOLDER;
}

/* Letters, digits and _+-./ with no empty part and no part that starts with a dot. */
static bool zone_name_ok(slice name)
{
    if (name.n == 0 || name.n > TZ_NAME_MAX) return false;
    bool begin = true;
    for (uint32_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '_' || c == '+' || c == '-';
        if (!plain && (begin || (c != '/' && c != '.'))) return false;
        begin = c == '/';
    }
    return !begin;
}

/* Reads a regular file of bounded size; NULL when there is none. */
static char *zone_file_read(const char *path, uint32_t *n)
{
    struct stat st;
    char *bytes = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= (off_t)TZ_FILE_BYTES_MAX) {
        bytes = malloc((size_t)st.st_size + 1);
        if (bytes == NULL) PANIC("out of memory");
        ssize_t got = read(fd, bytes, (size_t)st.st_size);
        if (got != st.st_size) {
            free(bytes);
            bytes = NULL;
        }
        *n = (uint32_t)got;
    }
    close(fd);
    return bytes;
}

static struct tz *zone_from_file(slice name, const char *path)
{
    uint32_t n = 0;
    char *bytes = zone_file_read(path, &n);
    if (bytes == NULL) return NULL;
    struct tz *zone = tz_parse(name, slice_make(bytes, n));
    free(bytes);
    return zone;
}

static const struct tz *fixed_load(int32_t offset_s)
{
    if (offset_s == 0) return &utc_zone;
    fixed_publish();
    const struct tz *known = fixed_find(offset_s);
    if (known != NULL) return known;
    struct tz *zone = calloc(1, sizeof(*zone));
    if (zone == NULL) PANIC("out of memory");
    fixed_init(zone, offset_s);
    known = registry_find(slice_from_cstr(zone->name));
    if (known == NULL) return registry_add(zone);
    tz_free(zone);
    return known;
}

const struct tz *tz_load(slice name)
{
    int32_t offset_s;
    const struct tz *known = registry_find(name);
    if (known != NULL) return known;
    if (fixed_name_parse(name, &offset_s)) return fixed_load(offset_s);
    if (!zone_name_ok(name)) return NULL;
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%.*s", zone_folder(), SLICE_FMT(name));
    if (n < 0 || (size_t)n >= sizeof(path)) return NULL;
    struct tz *zone = zone_from_file(name, path);
    if (zone == NULL) return NULL;
    zone->listed = true;
    return registry_add(zone);
}

static bool entry_is_zone(const char *name)
{
    static const char *const skip[] = {"posix", "right", "posixrules", "localtime", "Factory"};
    if (!((name[0] >= 'A' && name[0] <= 'Z') || (name[0] >= 'a' && name[0] <= 'z'))) return false;
    for (uint32_t i = 0; i < ARRAY_LEN(skip); i++)
        if (strcmp(name, skip[i]) == 0) return false;
    return true;
}

/* Zone names are at most three deep: America/Argentina/Ushuaia. */
static void folder_load(const char *prefix, uint32_t depth)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s", zone_folder(), prefix);
    if (n < 0 || (size_t)n >= sizeof(path)) return;
    DIR *dir = opendir(path);
    if (dir == NULL) return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[512];
        if (depth == 0 && !entry_is_zone(entry->d_name)) continue;
        n = snprintf(name, sizeof(name), "%s%s", prefix, entry->d_name);
        if (n < 0 || n > (int)TZ_NAME_MAX || entry->d_name[0] == '.') continue;
        if (tz_load(slice_from_cstr(name)) != NULL || depth == 2) continue;
        name[n++] = '/';
        name[n] = 0;
        folder_load(name, depth + 1);
    }
    closedir(dir);
}

uint32_t tz_load_all(void)
{
    if (!all_loaded) {
        fixed_publish();
        folder_load("", 0);
        all_loaded = true;
    }
    return registry_n;
}

const struct tz *tz_find(slice name)
{
    int32_t offset_s;
    const struct tz *zone = registry_find(name);
    if (zone != NULL) return zone;
    return fixed_name_parse(name, &offset_s) ? fixed_find(offset_s) : NULL;
}

const struct tz *tz_find_prefix(slice text, uint32_t *n)
{
    uint32_t most = 0;
    while (most < text.n && most < TZ_NAME_MAX) {
        char c = text.p[most];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '_' || c == '+' || c == '-' || c == '/';
        if (!plain) break;
        most++;
    }
    for (*n = most; *n > 0; (*n)--) {
        const struct tz *zone = registry_find(slice_part(text, 0, *n));
        if (zone != NULL && zone->listed) return zone;
        bool is_utc = *n == 3 && (memcmp(text.p, "UTC", 3) == 0 || memcmp(text.p, "GMT", 3) == 0);
        if (is_utc) return &utc_zone; /* names that are not read from files */
    }
    return NULL;
}

/* ---- the host's zone ----------------------------------------------------- */

static const struct tz *host_rule(slice text)
{
    const struct tz *known = registry_find(text);
    if (known != NULL) return known;
    struct tz_rule rule;
    if (text.n > TZ_NAME_MAX || !tz_rule_parse(text, &rule)) return NULL;
    struct tz *zone = calloc(1, sizeof(*zone));
    if (zone == NULL) PANIC("out of memory");
    zone_name(zone, text);
    zone->rule = rule;
    zone->fixed = !rule.has_dst;
    return registry_add(zone);
}

/* A path under a zoneinfo folder names the zone; another file is read as it is. */
static const struct tz *host_file(const char *path)
{
    char real[4096];
    if (realpath(path, real) == NULL) return NULL;
    const char *mark = strstr(real, "/zoneinfo/");
    if (mark != NULL) {
        const struct tz *zone = tz_load(slice_from_cstr(mark + strlen("/zoneinfo/")));
        if (zone != NULL) return zone;
    }
    const struct tz *known = registry_find(SLICE("localtime"));
    if (known != NULL) return known;
    struct tz *zone = zone_from_file(SLICE("localtime"), real);
    return zone == NULL ? NULL : registry_add(zone);
}

const struct tz *tz_host(void)
{
    const char *text = getenv("TZ");
    const struct tz *zone = NULL;
    if (text != NULL) {
        if (text[0] == ':') text++;
        if (text[0] == 0) return &utc_zone;
        if (text[0] == '/') zone = host_file(text);
        if (zone == NULL) zone = tz_load(slice_from_cstr(text));
        if (zone == NULL) zone = host_rule(slice_from_cstr(text));
    }
    if (zone == NULL) zone = host_file("/etc/localtime");
    return zone == NULL ? &utc_zone : zone;
}

/* ---- questions ----------------------------------------------------------- */

const char *tz_name(const struct tz *zone)
{
    return zone->name;
}

static struct tz_range range_of_type(const struct tz *zone, uint32_t type, int64_t from_s,
                                     int64_t until_s)
{
    const struct tz_type *t = &zone->type[type];
    return (struct tz_range){from_s, until_s, t->offset_s, t->dst != 0, zone->names + t->name_at};
}

static struct tz_range zone_range(const struct tz *zone, int64_t utc_s)
{
    if (zone->n == 0) {
        if (zone->rule.present) return tz_rule_range(&zone->rule, utc_s);
        return range_of_type(zone, 0, INT64_MIN, INT64_MAX);
    }
    if (utc_s < zone->at[0]) return range_of_type(zone, 0, INT64_MIN, zone->at[0]);
    int64_t last = zone->at[zone->n - 1];
    if (utc_s >= last) {
        if (!zone->rule.present)
            return range_of_type(zone, zone->type_of[zone->n - 1], last, INT64_MAX);
        struct tz_range range = tz_rule_range(&zone->rule, utc_s);
        if (range.from_s < last) range.from_s = last;
        return range;
    }
    uint32_t low = 0, high = zone->n - 1; /* at[low] <= utc_s < at[high] */
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (zone->at[middle] <= utc_s)
            low = middle;
        else
            high = middle;
    }
    return range_of_type(zone, zone->type_of[low], zone->at[low], zone->at[high]);
}

bool tz_is_fixed(const struct tz *zone, int32_t *offset_s)
{
    if (zone->fixed) *offset_s = zone_range(zone, 0).offset_s;
    return zone->fixed;
}

static bool hint_covers(const struct tz_hint *hint, const struct tz *zone, int64_t utc_s)
{
    return hint->zone == zone && utc_s >= hint->from_s && utc_s < hint->until_s;
}

static void hint_set(struct tz_hint *hint, const struct tz *zone, const struct tz_range *range)
{
    *hint = (struct tz_hint){zone, range->from_s, range->until_s, range->offset_s};
}

int32_t tz_offset(const struct tz *zone, int64_t utc_s, struct tz_hint *hint)
{
    if (hint != NULL && hint_covers(hint, zone, utc_s)) return hint->offset_s;
    struct tz_range range = zone_range(zone, utc_s);
    if (hint != NULL) hint_set(hint, zone, &range);
    return range.offset_s;
}

const char *tz_abbreviation(const struct tz *zone, int64_t utc_s)
{
    return zone_range(zone, utc_s).abbreviation;
}

bool tz_is_dst(const struct tz *zone, int64_t utc_s)
{
    return zone_range(zone, utc_s).dst;
}

/* Walks the ranges that could show this reading, oldest first. */
static struct tz_local local_search(const struct tz *zone, int64_t local_s, struct tz_hint *hint)
{
    struct tz_local local = {TZ_LOCAL_GAP, 0, 0};
    uint32_t found = 0;
    struct tz_range range = zone_range(zone, local_s - TZ_OFFSET_MAX_S - 1);
    for (;;) {
        int64_t utc_s = local_s - range.offset_s;
        if (utc_s >= range.from_s && utc_s < range.until_s) {
            if (found++ == 0) {
                local.offset_s = range.offset_s;
                if (hint != NULL) hint_set(hint, zone, &range);
            }
            local.offset_after_s = range.offset_s;
        } else if (found == 0 && utc_s >= range.until_s) {
            local.offset_s = range.offset_s;
        } else if (found == 0 && utc_s < range.from_s) {
            local.offset_after_s = range.offset_s;
            return local;
        }
        if (range.until_s > local_s - TZ_OFFSET_MIN_S) break;
        range = zone_range(zone, range.until_s);
    }
    if (found > 0) local.kind = found == 1 ? TZ_LOCAL_UNIQUE : TZ_LOCAL_OVERLAP;
    return local;
}

struct tz_local tz_local(const struct tz *zone, int64_t local_s, struct tz_hint *hint)
{
    ASSERT(local_s > INT64_MIN / 4 && local_s < INT64_MAX / 4);
    if (hint != NULL && hint->zone == zone) {
        int64_t utc_s = local_s - hint->offset_s;
        bool after = hint->from_s == INT64_MIN || utc_s >= hint->from_s + TZ_SPREAD_S;
        bool before = hint->until_s == INT64_MAX || utc_s < hint->until_s - TZ_SPREAD_S;
        if (after && before)
            return (struct tz_local){TZ_LOCAL_UNIQUE, hint->offset_s, hint->offset_s};
    }
    return local_search(zone, local_s, hint);
}
