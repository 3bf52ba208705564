/* mmdb_data.c - see mmdb_data.h. */
#include "parsers/wire/mmdb_data.h"

#define DEPTH_MAX 64u

static uint8_t byte_at(slice data, uint32_t at)
{
    return (uint8_t)data.p[at];
}

/* n bytes, the highest first; they are there. */
static uint64_t big_endian(slice data, uint32_t at, uint32_t n)
{
    uint64_t num = 0;
    for (uint32_t i = 0; i < n; i++) num = num << 8 | byte_at(data, at + i);
    return num;
}

/* Where the pointer whose first byte is `control` leads; *at is behind that byte. */
static bool pointer_read(slice data, uint8_t control, uint32_t *at, uint32_t *to)
{
    static const uint32_t base[] = {0, 2048, 526336, 0};
    uint32_t n = (control >> 3 & 3) + 1u;
    if (data.n - *at < n) return false;
    uint64_t num = big_endian(data, *at, n);
    if (n < 4) num |= (uint64_t)(control & 7) << (8 * n);
    *at += n;
    *to = (uint32_t)num + base[n - 1];
    return *to < data.n;
}

/* The size that the control byte says, or the bytes behind it do. */
static bool size_read(slice data, uint8_t control, uint32_t *at, uint32_t *size)
{
    static const uint32_t base[] = {29, 285, 65821};
    *size = control & 31;
    if (*size < 29) return true;
    uint32_t n = *size - 28;
    if (data.n - *at < n) return false;
    *size = base[n - 1] + (uint32_t)big_endian(data, *at, n);
    *at += n;
    return true;
}

static bool has_members(uint8_t type)
{
    return type == MMDB_MAP || type == MMDB_ARRAY;
}

bool mmdb_item_read(slice data, uint32_t at, struct mmdb_item *out)
{
    out->pointed = false;
    for (;;) {
        if (at >= data.n) return false;
        uint8_t control = byte_at(data, at++);
        out->type = control >> 5;
        if (out->type == MMDB_POINTER) {
            uint32_t to;
            /* A pointer to a pointer is against the format. */
            if (out->pointed || !pointer_read(data, control, &at, &to)) return false;
            out->pointed = true;
            out->behind = at;
            at = to;
            continue;
        }
        if (out->type == 0) {
            if (at >= data.n || byte_at(data, at) > 8) return false;
            out->type = (uint8_t)(7 + byte_at(data, at++));
        }
        if (!size_read(data, control, &at, &out->size)) return false;
        break;
    }
    out->at = at;
    uint32_t bytes = has_members(out->type) || out->type == MMDB_BOOLEAN ? 0 : out->size;
    if (data.n - at < bytes) return false;
    if (!out->pointed) out->behind = at + bytes;
    return true;
}

static bool skip(slice data, uint32_t *at, uint32_t depth)
{
    struct mmdb_item item;
    if (depth == DEPTH_MAX || !mmdb_item_read(data, *at, &item)) return false;
    *at = item.behind;
    if (item.pointed || !has_members(item.type)) return true;
    uint64_t members = (uint64_t)item.size * (item.type == MMDB_MAP ? 2 : 1);
    for (; members > 0; members--)
        if (!skip(data, at, depth + 1)) return false;
    return true;
}

bool mmdb_item_skip(slice data, uint32_t *at)
{
    return skip(data, at, 0);
}

bool mmdb_item_member(slice data, const struct mmdb_item *map, slice name, struct mmdb_item *out)
{
    uint32_t at = map->at;
    if (map->type != MMDB_MAP) return false;
    for (uint32_t i = 0; i < map->size; i++) {
        struct mmdb_item key;
        if (!mmdb_item_read(data, at, &key) || key.type != MMDB_TEXT) return false;
        at = key.behind;
        if (slice_equal(mmdb_item_text(data, &key), name)) return mmdb_item_read(data, at, out);
        if (!mmdb_item_skip(data, &at)) return false;
    }
    return false;
}

bool mmdb_item_last(slice data, const struct mmdb_item *array, struct mmdb_item *out)
{
    uint32_t at = array->at;
    if (array->type != MMDB_ARRAY || array->size == 0) return false;
    for (uint32_t i = 1; i < array->size; i++)
        if (!mmdb_item_skip(data, &at)) return false;
    return mmdb_item_read(data, at, out);
}

uint64_t mmdb_item_uint(slice data, const struct mmdb_item *item)
{
    return big_endian(data, item->at, item->size < 8 ? item->size : 8);
}

double mmdb_item_real(slice data, const struct mmdb_item *item)
{
    double wide = 0;
    float narrow = 0;
    uint64_t bits = mmdb_item_uint(data, item);
    uint32_t low = (uint32_t)bits;
    if (item->type == MMDB_DOUBLE && item->size == 8) {
        memcpy(&wide, &bits, sizeof(wide));
        return wide;
    }
    if (item->type == MMDB_FLOAT && item->size == 4) memcpy(&narrow, &low, sizeof(narrow));
    return (double)narrow;
}
