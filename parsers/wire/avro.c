/* avro.c - datums, read and written along the schema. */
#include "parsers/wire/avro.h"

#include <math.h>

#include "engine/base/number.h"
#include "engine/event/time_format.h"
#include "parsers/text/utf8_scrub.h"

#define LONG_BYTES_MAX 10u /* 64 bits, 7 a byte */
#define EMPTY_DEPTH 4u

static const int64_t unit_ns[] = {
    [AVRO_PLAIN] = 1,
    [AVRO_DATE] = INT64_C(86400) * 1000000000,
    [AVRO_MILLIS] = 1000000,
    [AVRO_MICROS] = 1000,
};

/* ---- reading ------------------------------------------------------------------ */

struct reader {
    slice in;
    uint32_t at, depth, left; /* left: values that may still be made */
    struct arena *arena;
};

static int node_read(struct reader *r, const struct avro_node *node, struct value *out);

static uint32_t bytes_left(const struct reader *r)
{
    return r->in.n - r->at;
}

/* Base 128, the low end first; then zig-zag. */
static int long_read(struct reader *r, int64_t *out)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < LONG_BYTES_MAX; i++) {
        if (r->at == r->in.n) return AVRO_CUT;
        uint64_t byte = (unsigned char)r->in.p[r->at++];
        if (i == LONG_BYTES_MAX - 1 && byte > 1) return AVRO_BAD;
        bits |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out = (int64_t)(bits >> 1 ^ -(bits & 1));
            return 0;
        }
    }
    return AVRO_BAD;
}

static int bytes_read(struct reader *r, uint32_t n, slice *out)
{
    if (n > bytes_left(r)) return AVRO_CUT;
    *out = slice_part(r->in, r->at, n);
    r->at += n;
    return 0;
}

/* Text with its length in front. */
static int text_read(struct reader *r, slice *out)
{
    int64_t n;
    int status = long_read(r, &n);
    if (status < 0) return status;
    if (n < 0) return AVRO_BAD;
    if (n > bytes_left(r)) return AVRO_CUT;
    status = bytes_read(r, (uint32_t)n, out);
    *out = utf8_scrub(*out, r->arena);
    return status;
}

static int number_read(struct reader *r, const struct avro_node *node, struct value *out)
{
    int64_t num, ns;
    int status = long_read(r, &num);
    if (status < 0) return status;
    *out = value_int(num);
    if (node->logical != AVRO_PLAIN && !__builtin_mul_overflow(num, unit_ns[node->logical], &ns))
        *out = value_time(ns);
    return 0;
}

/* Little-endian, as this machine is. */
static int real_read(struct reader *r, uint32_t width, struct value *out)
{
    slice bytes;
    int status = bytes_read(r, width, &bytes);
    if (status < 0) return status;
    float half;
    double real;
    if (width == sizeof(half)) {
        memcpy(&half, bytes.p, sizeof(half));
        real = (double)half;
    } else {
        memcpy(&real, bytes.p, sizeof(real));
    }
    *out = value_float(real);
    return 0;
}

/* Whether every datum of this type has bytes: not so for null, and for records of nothing else. A
 * type that goes deeper than this is taken to have some. */
static bool takes_bytes(const struct avro_node *node, uint32_t depth)
{
    if (node->type == AVRO_NULL) return false;
    if (node->type == AVRO_FIXED) return node->n > 0;
    if (node->type != AVRO_RECORD || depth == 0) return true;
    for (uint32_t i = 0; i < node->n; i++)
        if (takes_bytes(node->u.field[i].type, depth - 1)) return true;
    return false;
}

/* How many entries follow; 0 after the last block. */
static int block_read(struct reader *r, const struct avro_node *node, uint32_t *n)
{
    int64_t count, size;
    int status = long_read(r, &count);
    if (status < 0) return status;
    if (count < 0) {
        status = long_read(r, &size);
        if (status < 0) return status;
        if (size < 0 || count == INT64_MIN) return AVRO_BAD;
        if (size > bytes_left(r)) return AVRO_CUT;
        count = -count;
    }
    bool bytes = node->type == AVRO_MAP || takes_bytes(node->u.item, EMPTY_DEPTH);
    if (bytes && count > bytes_left(r)) return AVRO_CUT;
    if (count > r->left) return AVRO_LIMIT;
    r->left -= (uint32_t)count;
    *n = (uint32_t)count;
    return 0;
}

/* Room for `more` items behind the n that are there. */
static struct value *items_room(struct reader *r, struct value *items, uint32_t n, uint32_t *cap,
                                uint32_t more)
{
    if (more <= *cap - n) return items;
    *cap = more > *cap ? n + more : 2 * *cap;
    struct value *room = arena_alloc(r->arena, (size_t)*cap * sizeof(*room), 16);
    if (n > 0) memcpy(room, items, (size_t)n * sizeof(*room));
    return room;
}

static int array_read(struct reader *r, const struct avro_node *node, struct value *out)
{
    struct value *items = NULL;
    uint32_t n = 0, cap = 0, more;
    for (;;) {
        int status = block_read(r, node, &more);
        if (status < 0) return status;
        if (more == 0) break;
        items = items_room(r, items, n, &cap, more);
        for (; more > 0; more--) {
            status = node_read(r, node->u.item, &items[n]);
            if (status < 0) return status;
            n++;
        }
    }
    *out = value_list(items, n);
    return 0;
}

static int map_read(struct reader *r, const struct avro_node *node, struct value *out)
{
    struct map *map = map_new(r->arena);
    uint32_t more;
    for (;;) {
        int status = block_read(r, node, &more);
        if (status < 0) return status;
        if (more == 0) break;
        if (more > AVRO_ENTRIES_MAX - map->n) return AVRO_LIMIT;
        for (; more > 0; more--) {
            slice key;
            struct value val;
            status = text_read(r, &key);
            if (status == 0) status = node_read(r, node->u.item, &val);
            if (status < 0) return status;
            map_put(map, r->arena, key_borrow(key), val);
        }
    }
    *out = value_map(map);
    return 0;
}

static int record_read(struct reader *r, const struct avro_node *node, struct value *out)
{
    if (node->n > r->left) return AVRO_LIMIT;
    r->left -= node->n;
    struct map *map = map_new(r->arena);
    if (node->n > 0) map_reserve(map, r->arena, node->n);
    for (uint32_t i = 0; i < node->n; i++) {
        struct value val;
        int status = node_read(r, node->u.field[i].type, &val);
        if (status < 0) return status;
        map_append(map, r->arena, node->u.field[i].key, val);
    }
    *out = value_map(map);
    return 0;
}

/* The index of a branch or symbol. */
static int index_read(struct reader *r, uint32_t n, uint32_t *out)
{
    int64_t index;
    int status = long_read(r, &index);
    if (status < 0) return status;
    if (index < 0 || index >= n) return AVRO_BAD;
    *out = (uint32_t)index;
    return 0;
}

static int boolean_read(struct reader *r, struct value *out)
{
    slice byte;
    int status = bytes_read(r, 1, &byte);
    if (status < 0) return status;
    *out = value_bool(byte.p[0] == 1);
    return 0;
}

static int string_read(struct reader *r, const struct avro_node *node, struct value *out)
{
    slice text;
    int status = node->type == AVRO_FIXED ? bytes_read(r, node->n, &text) : text_read(r, &text);
    if (status < 0) return status;
    *out = value_string(utf8_scrub(text, r->arena));
    return 0;
}

static int enum_read(struct reader *r, const struct avro_node *node, struct value *out)
{
    uint32_t index;
    int status = index_read(r, node->n, &index);
    if (status == 0) *out = value_clean(node->u.symbol[index]);
    return status;
}

static int nested_read(struct reader *r, const struct avro_node *node, struct value *out)
{
    uint32_t index = 0;
    int status = node->type == AVRO_UNION ? index_read(r, node->n, &index) : 0;
    if (status < 0) return status;
    if (r->depth == AVRO_DEPTH_MAX) return AVRO_LIMIT;
    r->depth++;
    switch ((enum avro_type)node->type) {
    case AVRO_RECORD: status = record_read(r, node, out); break;
    case AVRO_ARRAY: status = array_read(r, node, out); break;
    case AVRO_MAP: status = map_read(r, node, out); break;
    default: status = node_read(r, node->u.branch[index], out);
    }
    r->depth--;
    return status;
}

/* 0, or a status. */
static int node_read(struct reader *r, const struct avro_node *node, struct value *out)
{
    switch ((enum avro_type)node->type) {
    case AVRO_NULL: *out = value_nil(); return 0;
    case AVRO_BOOLEAN: return boolean_read(r, out);
    case AVRO_INT:
    case AVRO_LONG: return number_read(r, node, out);
    case AVRO_FLOAT: return real_read(r, sizeof(float), out);
    case AVRO_DOUBLE: return real_read(r, sizeof(double), out);
    case AVRO_BYTES:
    case AVRO_STRING:
    case AVRO_FIXED: return string_read(r, node, out);
    case AVRO_ENUM: return enum_read(r, node, out);
    default: return nested_read(r, node, out);
    }
}

int64_t avro_read(const struct avro_schema *schema, slice in, struct arena *arena,
                  struct value *out)
{
    struct reader r = {.in = in, .left = AVRO_VALUES_MAX, .arena = arena};
    int status = node_read(&r, schema->root, out);
    return status < 0 ? status : (int64_t)r.at;
}

const char *avro_status_text(int64_t status)
{
    switch (status) {
    case AVRO_CUT: return "the bytes end inside of the datum";
    case AVRO_BAD: return "a length or index that cannot be";
    case AVRO_LIMIT: return "nested too deep or too many values";
    default: return "fine";
    }
}

/* ---- writing ------------------------------------------------------------------ */

struct writer {
    struct buf *out;
    struct arena *arena;
    uint32_t depth, left; /* left: values that may still be tried */
    slice misfit;
};

static bool node_write(struct writer *w, const struct avro_node *node, struct value *v);

static void long_write(struct writer *w, int64_t num)
{
    uint64_t bits = (uint64_t)num << 1 ^ (uint64_t)(num >> 63);
    for (; bits >= 0x80; bits >>= 7) buf_add_byte(w->out, (char)(bits | 0x80));
    buf_add_byte(w->out, (char)bits);
}

static bool text_write(struct writer *w, slice text)
{
    long_write(w, text.n);
    buf_add_slice(w->out, text);
    return true;
}

/* Numbers are taken for dates and timestamps, too, as what they count. */
static bool number_write(struct writer *w, const struct avro_node *node, const struct value *v)
{
    bool logical = node->logical != AVRO_PLAIN;
    int64_t num = v->u.num;
    if (v->type == VALUE_TIME && logical) {
        int64_t unit = unit_ns[node->logical];
        num = v->u.time_ns / unit - (v->u.time_ns % unit < 0);
    } else if (v->type == VALUE_FLOAT && logical) {
        if (!(fabs(v->u.real) < 0x1p63)) return false;
        num = (int64_t)v->u.real;
    } else if (v->type != VALUE_INT) {
        return false;
    }
    if (node->type == AVRO_INT && (num < INT32_MIN || num > INT32_MAX)) return false;
    long_write(w, num);
    return true;
}

static bool real_write(struct writer *w, const struct avro_node *node, const struct value *v)
{
    double real;
    if (v->type == VALUE_INT)
        real = (double)v->u.num;
    else if (v->type == VALUE_FLOAT)
        real = v->u.real;
    else if (v->type != VALUE_BIGNUM || !number_f64_parse(value_slice(v), &real))
        return false;
    float half = (float)real;
    if (node->type == AVRO_FLOAT)
        buf_add(w->out, &half, sizeof(half));
    else
        buf_add(w->out, &real, sizeof(real));
    return true;
}

static bool string_write(struct writer *w, const struct avro_node *node, const struct value *v)
{
    if (v->type == VALUE_TIME && node->type == AVRO_STRING) {
        char text[TIME_ISO_BYTES_MAX];
        struct time_iso_cache cache = {0};
        return text_write(w, slice_make(text, time_iso_write(v->u.time_ns, &cache, text)));
    }
    if (v->type != VALUE_STRING) return false;
    if (node->type != AVRO_FIXED) return text_write(w, value_slice(v));
    if (v->n != node->n) return false;
    buf_add_slice(w->out, value_slice(v));
    return true;
}

static bool enum_write(struct writer *w, const struct avro_node *node, const struct value *v)
{
    if (v->type != VALUE_STRING) return false;
    for (uint32_t i = 0; i < node->n; i++) {
        if (!slice_equal(node->u.symbol[i], value_slice(v))) continue;
        long_write(w, i);
        return true;
    }
    return false;
}

static bool array_write(struct writer *w, const struct avro_node *node, struct value *v)
{
    if (v->type != VALUE_LIST) return false;
    if (v->n > 0) long_write(w, v->n);
    for (uint32_t i = 0; i < v->n; i++)
        if (!node_write(w, node->u.item, &v->u.list[i])) return false;
    long_write(w, 0);
    return true;
}

static bool map_write(struct writer *w, const struct avro_node *node, struct value *v)
{
    if (v->type != VALUE_MAP) return false;
    struct map *map = v->u.map;
    if (map->n > 0) long_write(w, map->n);
    for (uint32_t i = 0; i < map->n; i++) {
        text_write(w, slice_make(map->at[i].key, map->at[i].key_n));
        if (!node_write(w, node->u.item, &map->at[i].val)) return false;
    }
    long_write(w, 0);
    return true;
}

static bool record_write(struct writer *w, const struct avro_node *node, struct value *v)
{
    if (v->type != VALUE_MAP) return false;
    for (uint32_t i = 0; i < node->n; i++) {
        const struct avro_field *field = &node->u.field[i];
        struct member *m = map_find(v->u.map, field->key.name, field->key.hash);
        struct value absent = value_nil();
        if (node_write(w, field->type, m != NULL ? &m->val : &absent)) continue;
        if (w->misfit.n == 0) w->misfit = field->key.name;
        return false;
    }
    return true;
}

static bool union_write(struct writer *w, const struct avro_node *node, struct value *v)
{
    size_t from = w->out->n;
    slice misfit = w->misfit;
    for (uint32_t i = 0; i < node->n; i++) {
        long_write(w, i);
        if (node_write(w, node->u.branch[i], v)) {
            w->misfit = misfit;
            return true;
        }
        w->out->n = from;
    }
    return false;
}

static bool nested_write(struct writer *w, const struct avro_node *node, struct value *v)
{
    bool ok;
    if (w->depth == AVRO_DEPTH_MAX) return false;
    w->depth++;
    switch ((enum avro_type)node->type) {
    case AVRO_RECORD: ok = record_write(w, node, v); break;
    case AVRO_ARRAY: ok = array_write(w, node, v); break;
    case AVRO_MAP: ok = map_write(w, node, v); break;
    default: ok = union_write(w, node, v);
    }
    w->depth--;
    return ok;
}

/* The number of tries is bounded: unions in unions could be tried in very many ways. */
static bool node_write(struct writer *w, const struct avro_node *node, struct value *v)
{
    if (w->left == 0) return false;
    w->left--;
    value_resolve(v, w->arena);
    switch ((enum avro_type)node->type) {
    case AVRO_NULL: return v->type == VALUE_NIL;
    case AVRO_BOOLEAN:
        if (v->type == VALUE_BOOL) buf_add_byte(w->out, v->u.yes ? 1 : 0);
        return v->type == VALUE_BOOL;
    case AVRO_INT:
    case AVRO_LONG: return number_write(w, node, v);
    case AVRO_FLOAT:
    case AVRO_DOUBLE: return real_write(w, node, v);
    case AVRO_BYTES:
    case AVRO_STRING:
    case AVRO_FIXED: return string_write(w, node, v);
    case AVRO_ENUM: return enum_write(w, node, v);
    default: return nested_write(w, node, v);
    }
}

bool avro_write(const struct avro_schema *schema, struct value *v, struct arena *arena,
                struct buf *out, slice *misfit)
{
    size_t from = out->n;
    struct writer w = {.out = out, .arena = arena, .left = AVRO_VALUES_MAX};
    bool ok = node_write(&w, schema->root, v);
    if (!ok) out->n = from;
    *misfit = w.misfit;
    return ok;
}
