/* msgpack.c - one item at a time. */
#include "parsers/wire/msgpack.h"

#include <stdio.h>

#include "engine/event/time_format.h"
#include "parsers/text/utf8_scrub.h"

/* ---- reading ------------------------------------------------------------------ */

/* n bytes, big-endian, from `at`; the caller has checked that they are there. */
static uint64_t load(slice in, uint32_t at, uint32_t n)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < n; i++) value = value << 8 | (unsigned char)in.p[at + i];
    return value;
}

static int64_t take_bytes(slice in, uint32_t head, uint64_t n, struct msgpack_item *out)
{
    if (n > in.n - head) return MSGPACK_CUT;
    out->bytes = slice_part(in, head, (uint32_t)n);
    return (int64_t)(head + n);
}

/* Types with a length or number of `width` bytes behind the first one. */
static int64_t read_wide(slice in, uint32_t width, enum msgpack_type type, struct msgpack_item *out)
{
    if (in.n < 1 + width) return MSGPACK_CUT;
    uint64_t n = load(in, 1, width);
    out->type = type;
    out->n = (uint32_t)n;
    if (type == MSGPACK_STRING) return take_bytes(in, 1 + width, n, out);
    return 1 + width;
}

static int64_t read_ext(slice in, uint32_t width, uint64_t n, struct msgpack_item *out)
{
    if (in.n < 2 + width) return MSGPACK_CUT;
    if (width > 0) n = load(in, 1, width);
    out->type = MSGPACK_EXT;
    out->ext = (int8_t)in.p[1 + width];
    return take_bytes(in, 2 + width, n, out);
}

static int64_t read_float(slice in, uint32_t width, struct msgpack_item *out)
{
    if (in.n < 1 + width) return MSGPACK_CUT;
    uint64_t bits = load(in, 1, width);
    out->type = MSGPACK_FLOAT;
    if (width == 4) {
        uint32_t half = (uint32_t)bits;
        float real;
        memcpy(&real, &half, 4);
        out->real = (double)real;
    } else {
        memcpy(&out->real, &bits, 8);
    }
    return 1 + width;
}

static int64_t read_int(slice in, uint32_t width, bool is_signed, struct msgpack_item *out)
{
    if (in.n < 1 + width) return MSGPACK_CUT;
    uint64_t bits = load(in, 1, width);
    uint32_t shift = 64 - 8 * width;
    out->type = MSGPACK_INT;
    out->num = is_signed ? (int64_t)(bits << shift) >> shift : (int64_t)bits;
    out->beyond = !is_signed && out->num < 0;
    return 1 + width;
}

static int64_t read_small(slice in, unsigned char head, struct msgpack_item *out)
{
    if (head >= 0xa0 && head < 0xc0) {
        out->type = MSGPACK_STRING;
        return take_bytes(in, 1, head & 0x1f, out);
    }
    if (head >= 0x80 && head < 0xa0) {
        out->type = head < 0x90 ? MSGPACK_MAP : MSGPACK_LIST;
        out->n = head & 0x0f;
        return 1;
    }
    out->type = MSGPACK_INT;
    out->num = (int8_t)head;
    return 1;
}

int64_t msgpack_item_read(slice in, struct msgpack_item *out)
{
    *out = (struct msgpack_item){0};
    if (in.n == 0) return MSGPACK_CUT;
    unsigned char head = (unsigned char)in.p[0];
    if (head < 0xc0 || head >= 0xe0) return read_small(in, head, out);
    switch (head) {
    case 0xc0: return 1;
    case 0xc1: return MSGPACK_BAD;
    case 0xc2:
    case 0xc3:
        out->type = MSGPACK_BOOL;
        out->yes = head == 0xc3;
        return 1;
    case 0xc4:
    case 0xc5:
    case 0xc6: return read_wide(in, 1u << (head - 0xc4), MSGPACK_STRING, out);
    case 0xc7:
    case 0xc8:
    case 0xc9: return read_ext(in, 1u << (head - 0xc7), 0, out);
    case 0xca:
    case 0xcb: return read_float(in, head == 0xca ? 4 : 8, out);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf: return read_int(in, 1u << (head - 0xcc), false, out);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return read_int(in, 1u << (head - 0xd0), true, out);
    case 0xd9:
    case 0xda:
    case 0xdb: return read_wide(in, 1u << (head - 0xd9), MSGPACK_STRING, out);
    case 0xdc:
    case 0xdd: return read_wide(in, 2u << (head - 0xdc), MSGPACK_LIST, out);
    case 0xde:
    case 0xdf: return read_wide(in, 2u << (head - 0xde), MSGPACK_MAP, out);
    default: return read_ext(in, 0, UINT64_C(1) << (head - 0xd4), out);
    }
}

int64_t msgpack_skip(slice in)
{
    uint64_t left = 1;
    uint32_t at = 0;
    for (; left > 0; left--) {
        struct msgpack_item item;
        int64_t used = msgpack_item_read(slice_from(in, at), &item);
        if (used < 0) return used;
        at += (uint32_t)used;
        if (item.type == MSGPACK_LIST) left += item.n;
        if (item.type == MSGPACK_MAP) left += 2 * (uint64_t)item.n;
    }
    return at;
}

struct reader {
    slice in;
    uint32_t at, depth, left; /* left: values that may still be made */
    struct arena *arena;
};

static int64_t value_read(struct reader *r, struct value *out);

static int64_t list_read(struct reader *r, uint32_t n, struct value *out)
{
    if (n > r->in.n - r->at) return MSGPACK_CUT; /* each item is a byte at the least */
    if (n > r->left) return MSGPACK_LIMIT;
    struct value *items = arena_alloc(r->arena, ((size_t)n + 1) * sizeof(*items), 16);
    for (uint32_t i = 0; i < n; i++) {
        int64_t status = value_read(r, &items[i]);
        if (status < 0) return status;
    }
    *out = value_list(items, n);
    return 0;
}

static int64_t map_read(struct reader *r, uint32_t n, struct value *out)
{
    if (n > (r->in.n - r->at) / 2) return MSGPACK_CUT;
    if (n > r->left) return MSGPACK_LIMIT;
    struct map *map = map_new(r->arena);
    if (n > 0) map_reserve(map, r->arena, n);
    for (uint32_t i = 0; i < n; i++) {
        struct value key, val;
        int64_t status = value_read(r, &key);
        if (status == 0) status = value_read(r, &val);
        if (status < 0) return status;
        struct buf text = {0};
        slice name = arena_copy(r->arena, value_to_slice(&key, r->arena, &text));
        buf_fini(&text);
        bool nested = key.type == VALUE_LIST || key.type == VALUE_MAP;
        if (nested && name.n > MSGPACK_KEY_BYTES_MAX) return MSGPACK_LIMIT;
        map_put(map, r->arena, key_borrow(name), val);
    }
    *out = value_map(map);
    return 0;
}

static struct value int_value(const struct msgpack_item *item, struct arena *arena)
{
    if (!item->beyond) return value_int(item->num);
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)item->num);
    struct value val = value_string(arena_copy(arena, slice_make(text, (size_t)n)));
    val.type = VALUE_BIGNUM;
    return val;
}

/* 0, or a status. */
static int64_t value_read(struct reader *r, struct value *out)
{
    struct msgpack_item item;
    int64_t used = msgpack_item_read(slice_from(r->in, r->at), &item);
    if (used < 0) return used;
    if (r->left == 0 || r->depth == MSGPACK_DEPTH_MAX) return MSGPACK_LIMIT;
    r->at += (uint32_t)used;
    r->left--;
    int64_t status = 0;
    switch (item.type) {
    case MSGPACK_NIL: *out = value_nil(); break;
    case MSGPACK_BOOL: *out = value_bool(item.yes); break;
    case MSGPACK_INT: *out = int_value(&item, r->arena); break;
    case MSGPACK_FLOAT: *out = value_float(item.real); break;
    case MSGPACK_STRING: *out = value_string(utf8_scrub(item.bytes, r->arena)); break;
    case MSGPACK_EXT: return MSGPACK_BAD;
    case MSGPACK_LIST:
    case MSGPACK_MAP:
        r->depth++;
        status = item.type == MSGPACK_LIST ? list_read(r, item.n, out) : map_read(r, item.n, out);
        r->depth--;
    }
    return status;
}

int64_t msgpack_decode(slice in, struct arena *arena, struct value *out)
{
    struct reader r = {.in = in, .left = MSGPACK_VALUES_MAX, .arena = arena};
    int64_t status = value_read(&r, out);
    return status < 0 ? status : r.at;
}

const char *msgpack_status_text(int64_t status)
{
    switch (status) {
    case MSGPACK_CUT: return "the bytes end inside of a value";
    case MSGPACK_BAD: return "a byte or extension type that is not known";
    case MSGPACK_LIMIT: return "nested too deep, too many values, or a key that is too large";
    default: return "fine";
    }
}

/* ---- writing ------------------------------------------------------------------ */

static void write_head(struct buf *out, unsigned head, uint64_t num, uint32_t width)
{
    buf_add_byte(out, (char)head);
    for (uint32_t i = width; i > 0; i--) buf_add_byte(out, (char)(num >> (8 * (i - 1))));
}

void msgpack_write_int(struct buf *out, int64_t num)
{
    uint64_t bits = (uint64_t)num;
    if (num >= -32 && num < 128)
        write_head(out, bits & 0xff, 0, 0);
    else if (num >= 0 && num <= UINT8_MAX)
        write_head(out, 0xcc, bits, 1);
    else if (num >= 0 && num <= UINT16_MAX)
        write_head(out, 0xcd, bits, 2);
    else if (num >= 0 && num <= UINT32_MAX)
        write_head(out, 0xce, bits, 4);
    else if (num >= 0)
        write_head(out, 0xcf, bits, 8);
    else if (num >= INT8_MIN)
        write_head(out, 0xd0, bits, 1);
    else if (num >= INT16_MIN)
        write_head(out, 0xd1, bits, 2);
    else if (num >= INT32_MIN)
        write_head(out, 0xd2, bits, 4);
    else
        write_head(out, 0xd3, bits, 8);
}

void msgpack_write_string(struct buf *out, slice text)
{
    if (text.n < 32)
        write_head(out, 0xa0 | text.n, 0, 0);
    else if (text.n <= UINT8_MAX)
        write_head(out, 0xd9, text.n, 1);
    else if (text.n <= UINT16_MAX)
        write_head(out, 0xda, text.n, 2);
    else
        write_head(out, 0xdb, text.n, 4);
    buf_add_slice(out, text);
}

void msgpack_write_list(struct buf *out, uint32_t n)
{
    if (n < 16)
        write_head(out, 0x90 | n, 0, 0);
    else if (n <= UINT16_MAX)
        write_head(out, 0xdc, n, 2);
    else
        write_head(out, 0xdd, n, 4);
}

void msgpack_write_map(struct buf *out, uint32_t n)
{
    if (n < 16)
        write_head(out, 0x80 | n, 0, 0);
    else if (n <= UINT16_MAX)
        write_head(out, 0xde, n, 2);
    else
        write_head(out, 0xdf, n, 4);
}

/* An unsigned number of 64 bits is one here, too; larger ones are text. */
static void write_bignum(struct buf *out, slice text)
{
    uint64_t num = 0;
    bool fits = text.n > 0 && text.n <= 20;
    for (uint32_t i = 0; i < text.n && fits; i++)
        fits = text.p[i] >= '0' && text.p[i] <= '9' && !__builtin_mul_overflow(num, 10, &num) &&
               !__builtin_add_overflow(num, (uint64_t)(text.p[i] - '0'), &num);
    if (fits)
        write_head(out, 0xcf, num, 8);
    else
        msgpack_write_string(out, text);
}

void msgpack_write(struct buf *out, struct value *v, struct arena *arena)
{
    value_resolve(v, arena);
    char text[TIME_ISO_BYTES_MAX];
    struct time_iso_cache cache = {0};
    uint64_t bits;
    switch ((enum value_type)v->type) {
    case VALUE_NIL: write_head(out, 0xc0, 0, 0); break;
    case VALUE_BOOL: write_head(out, v->u.yes ? 0xc3 : 0xc2, 0, 0); break;
    case VALUE_INT: msgpack_write_int(out, v->u.num); break;
    case VALUE_FLOAT:
        memcpy(&bits, &v->u.real, 8);
        write_head(out, 0xcb, bits, 8);
        break;
    case VALUE_BIGNUM: write_bignum(out, value_slice(v)); break;
    case VALUE_TIME:
        msgpack_write_string(out, slice_make(text, time_iso_write(v->u.time_ns, &cache, text)));
        break;
    case VALUE_STRING: msgpack_write_string(out, value_slice(v)); break;
    case VALUE_LIST:
        msgpack_write_list(out, v->n);
        for (uint32_t i = 0; i < v->n; i++) msgpack_write(out, &v->u.list[i], arena);
        break;
    case VALUE_MAP:
        msgpack_write_map(out, v->u.map->n);
        for (uint32_t i = 0; i < v->u.map->n; i++) {
            struct member *m = &v->u.map->at[i];
            msgpack_write_string(out, slice_make(m->key, m->key_n));
            msgpack_write(out, &m->val, arena);
        }
    }
}

void msgpack_write_event(struct buf *out, struct event *ev, struct arena *arena)
{
    bool timed = ev->time.type == VALUE_TIME;
    msgpack_write_map(out, ev->data.n + timed);
    if (timed) {
        msgpack_write_string(out, SLICE("@timestamp"));
        msgpack_write(out, &ev->time, arena);
    }
    for (uint32_t i = 0; i < ev->data.n; i++) {
        msgpack_write_string(out, slice_make(ev->data.at[i].key, ev->data.at[i].key_n));
        msgpack_write(out, &ev->data.at[i].val, arena);
    }
}
