/* protobuf.c - messages to values. */
#include "parsers/wire/protobuf.h"

#include <stdio.h>

#include "engine/base/number.h"
#include "parsers/scan/utf8_scan.h"
#include "parsers/text/utf8_scrub.h"
#include "parsers/wire/protobuf_wire.h"

struct reader {
    struct protobuf_read_options opt;
    struct arena *arena;
    uint32_t depth, left; /* left: values that may still be made */
};

/* What a message has of one field so far. */
struct slot {
    struct value val; /* of repeated fields a list, of maps a map */
    uint32_t cap;     /* of the list */
    uint32_t part_n;  /* of a message that is not repeated, and their bytes */
    slice bytes;
    bool seen;
};

struct message {
    const struct protobuf_message *type;
    struct slot *slot;  /* of each field */
    uint32_t *of_oneof; /* of each oneof the field that it has, + 1 */
    uint32_t expected;  /* place among by_number where the next field is looked for first */
};

static enum protobuf_status message_read(struct reader *r, const struct protobuf_message *type,
                                         slice in, struct value *out, struct value *info);

static bool take_values(struct reader *r, uint32_t n)
{
    if (n > r->left) return false;
    r->left -= n;
    return true;
}

/* ---- scalars ----------------------------------------------------------------------------------
 */

static struct value unsigned_value(struct reader *r, uint64_t num)
{
    char digits[24];
    if (num <= INT64_MAX) return value_int((int64_t)num);
    int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)num);
    slice text = arena_copy(r->arena, slice_make(digits, (size_t)n));
    return (struct value){.type = VALUE_BIGNUM, .n = text.n, .u.str = text.p};
}

static struct value enum_value(const struct reader *r, const struct protobuf_field *f, int32_t num)
{
    for (uint32_t i = 0; r->opt.names && i < f->symbols->n; i++)
        if (f->symbols->number[i] == num) return value_string(f->symbols->symbol[i]);
    return value_int(num);
}

static struct value real_value(uint64_t bits, bool half)
{
    float single;
    double real;
    if (half) {
        uint32_t low = (uint32_t)bits;
        memcpy(&single, &low, sizeof(single));
        return value_float((double)single);
    }
    memcpy(&real, &bits, sizeof(real));
    return value_float(real);
}

static struct value number_value(struct reader *r, const struct protobuf_field *f, uint64_t num)
{
    switch (f->type) {
    case PROTOBUF_DOUBLE: return real_value(num, false);
    case PROTOBUF_FLOAT: return real_value(num, true);
    case PROTOBUF_BOOL: return value_bool(num != 0);
    case PROTOBUF_INT32:
    case PROTOBUF_SFIXED32: return value_int((int32_t)num);
    case PROTOBUF_UINT32:
    case PROTOBUF_FIXED32: return value_int((uint32_t)num);
    case PROTOBUF_SINT32: return value_int((int32_t)((uint32_t)num >> 1 ^ -((uint32_t)num & 1)));
    case PROTOBUF_SINT64: return value_int((int64_t)(num >> 1 ^ -(num & 1)));
    case PROTOBUF_ENUM: return enum_value(r, f, (int32_t)num);
    case PROTOBUF_UINT64:
    case PROTOBUF_FIXED64: return unsigned_value(r, num);
    default: return value_int((int64_t)num);
    }
}

/* Strings of proto3 are UTF-8; what else is none is made so. */
static enum protobuf_status text_value(struct reader *r, const struct protobuf_message *type,
                                       const struct protobuf_field *f, slice bytes,
                                       struct value *out)
{
    bool strict = r->opt.names && type->proto3 && f->type == PROTOBUF_STRING;
    if (strict && !utf8_scan_valid(bytes)) return PROTOBUF_BAD;
    *out = value_string(strict ? bytes : utf8_scrub(bytes, r->arena));
    return PROTOBUF_OK;
}

static struct value default_value(struct reader *r, const struct protobuf_field *f)
{
    switch (f->type) {
    case PROTOBUF_STRING:
    case PROTOBUF_BYTES: return value_string(SLICE(""));
    case PROTOBUF_MESSAGE: return value_nil();
    default: return number_value(r, f, 0);
    }
}

/* ---- repeated fields --------------------------------------------------------------------------
 */

static enum protobuf_status list_add(struct reader *r, struct slot *slot, struct value val)
{
    if (!take_values(r, 1)) return PROTOBUF_LIMIT;
    if (!slot->seen) slot->val = value_list(NULL, 0);
    slot->seen = true;
    if (slot->val.n == slot->cap) {
        uint32_t cap = slot->cap == 0 ? 4 : slot->cap * 2;
        struct value *more = arena_alloc(r->arena, (size_t)cap * sizeof(*more), 16);
        if (slot->cap > 0) memcpy(more, slot->val.u.list, slot->cap * sizeof(*more));
        slot->val.u.list = more;
        slot->cap = cap;
    }
    slot->val.u.list[slot->val.n++] = val;
    return PROTOBUF_OK;
}

static enum protobuf_status packed_read(struct reader *r, const struct protobuf_field *f,
                                        slice bytes, struct slot *slot)
{
    struct protobuf_cursor c = {bytes, 0};
    enum protobuf_status status = PROTOBUF_OK;
    while (status == PROTOBUF_OK && c.at < bytes.n) {
        uint64_t num;
        status = protobuf_number(&c, protobuf_wire_of(f->type), &num);
        if (status == PROTOBUF_OK) status = list_add(r, slot, number_value(r, f, num));
    }
    return status;
}

/* The value of a part, of a field that it may be. */
static enum protobuf_status part_value(struct reader *r, const struct protobuf_message *type,
                                       const struct protobuf_field *f,
                                       const struct protobuf_part *part, struct value *out)
{
    if (f->type == PROTOBUF_MESSAGE) return message_read(r, f->message, part->bytes, out, NULL);
    if (part->wire == WIRE_BYTES) return text_value(r, type, f, part->bytes, out);
    *out = number_value(r, f, part->num);
    return PROTOBUF_OK;
}

static slice key_text(struct reader *r, const struct value *v)
{
    char digits[32];
    if (v->type == VALUE_BOOL) return v->u.yes ? SLICE("true") : SLICE("false");
    if (v->type != VALUE_INT) return value_slice(v);
    return arena_copy(r->arena, slice_make(digits, number_i64_text(v->u.num, digits)));
}

static enum protobuf_status entry_read(struct reader *r, const struct protobuf_message *entry,
                                       slice bytes, struct value *key, struct value *val)
{
    struct protobuf_cursor c = {bytes, 0};
    const struct protobuf_field *field[] = {&entry->field[entry->by_number[0]],
                                            &entry->field[entry->by_number[1]]};
    struct value *to[] = {key, val};
    *key = default_value(r, field[0]);
    *val = default_value(r, field[1]);
    while (c.at < bytes.n) {
        struct protobuf_part part;
        enum protobuf_status status = protobuf_part(&c, &part);
        if (status != PROTOBUF_OK) return status;
        uint32_t i = part.number - 1;
        if (i > 1 || part.wire != protobuf_wire_of(field[i]->type)) continue;
        status = part_value(r, entry, field[i], &part, to[i]);
        if (status != PROTOBUF_OK) return status;
    }
    return PROTOBUF_OK;
}

static enum protobuf_status map_add(struct reader *r, const struct protobuf_message *entry,
                                    slice bytes, struct slot *slot)
{
    struct value key, val;
    enum protobuf_status status = entry_read(r, entry, bytes, &key, &val);
    if (status != PROTOBUF_OK) return status;
    if (!slot->seen) slot->val = value_map(map_exact(r->arena, 4));
    slot->seen = true;
    struct map *map = slot->val.u.map;
    if (map->n == PROTOBUF_ENTRIES_MAX || !take_values(r, 1)) return PROTOBUF_LIMIT;
    map_put(map, r->arena, key_borrow(key_text(r, &key)), val);
    return PROTOBUF_OK;
}

/* ---- fields -----------------------------------------------------------------------------------
 */

static bool field_find(struct message *m, uint32_t number, uint32_t *out)
{
    const struct protobuf_message *type = m->type;
    uint32_t low = 0, high = type->n;
    if (m->expected < type->n && type->field[type->by_number[m->expected]].number == number) {
        low = m->expected;
    } else {
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (type->field[type->by_number[middle]].number < number)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == type->n || type->field[type->by_number[low]].number != number) return false;
    }
    *out = type->by_number[low];
    m->expected = low + !type->field[*out].repeated;
    return true;
}

/* The field is what its oneof has now. */
static void oneof_take(struct message *m, uint32_t at)
{
    uint32_t oneof = m->type->field[at].oneof;
    if (oneof == 0) return;
    uint32_t *now = &m->of_oneof[oneof - 1];
    if (*now > 0 && *now != at + 1) m->slot[*now - 1] = (struct slot){0};
    *now = at + 1;
}

static enum protobuf_status submessage_add(struct reader *r, struct slot *slot, slice bytes)
{
    if (slot->part_n == PROTOBUF_PARTS_MAX) return PROTOBUF_LIMIT;
    slot->bytes = slot->part_n == 0 ? bytes : arena_join(r->arena, slot->bytes, bytes);
    slot->part_n++;
    slot->seen = true;
    return PROTOBUF_OK;
}

static enum protobuf_status part_take(struct reader *r, struct message *m,
                                      const struct protobuf_part *part)
{
    uint32_t at;
    struct value val;
    if (!field_find(m, part->number, &at)) return PROTOBUF_OK;
    const struct protobuf_field *f = &m->type->field[at];
    struct slot *slot = &m->slot[at];
    uint8_t wire = protobuf_wire_of(f->type);
    if (f->repeated && part->wire == WIRE_BYTES && wire != WIRE_BYTES)
        return packed_read(r, f, part->bytes, slot);
    if (part->wire != wire) return PROTOBUF_OK;
    if (f->repeated && f->type == PROTOBUF_MESSAGE && f->message->is_entry)
        return map_add(r, f->message, part->bytes, slot);
    if (!f->repeated) oneof_take(m, at);
    if (!f->repeated && f->type == PROTOBUF_MESSAGE) return submessage_add(r, slot, part->bytes);
    enum protobuf_status status = part_value(r, m->type, f, part, &val);
    if (status != PROTOBUF_OK) return status;
    if (f->repeated) return list_add(r, slot, val);
    slot->val = val;
    slot->seen = true;
    return PROTOBUF_OK;
}

static enum protobuf_status parts_read(struct reader *r, struct message *m, slice in)
{
    struct protobuf_cursor c = {in, 0};
    enum protobuf_status status = PROTOBUF_OK;
    while (status == PROTOBUF_OK && c.at < in.n) {
        struct protobuf_part part;
        status = protobuf_part(&c, &part);
        if (status == PROTOBUF_OK) status = part_take(r, m, &part);
    }
    return status;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

static void info_add(struct reader *r, struct value *info, struct key key, struct value val)
{
    map_put(info->u.map, r->arena, key, val);
}

static enum protobuf_status submessages_read(struct reader *r, struct message *m,
                                             struct value *info)
{
    for (uint32_t i = 0; i < m->type->n; i++) {
        const struct protobuf_field *f = &m->type->field[i];
        struct slot *slot = &m->slot[i];
        struct value below;
        if (slot->part_n == 0) continue;
        enum protobuf_status status =
            message_read(r, f->message, slot->bytes, &slot->val, info == NULL ? NULL : &below);
        if (status != PROTOBUF_OK) return status;
        if (info != NULL) info_add(r, info, f->key, below);
    }
    for (uint32_t i = 0; info != NULL && i < m->type->oneof_n; i++) {
        if (m->of_oneof[i] == 0) continue;
        slice chosen = m->type->field[m->of_oneof[i] - 1].key.name;
        info_add(r, info, key_borrow(m->type->oneof[i]), value_string(chosen));
    }
    return PROTOBUF_OK;
}

static struct value slot_value(struct reader *r, const struct protobuf_field *f,
                               const struct slot *slot)
{
    if (slot->seen) return slot->val;
    if (!f->repeated) return default_value(r, f);
    bool is_map = f->type == PROTOBUF_MESSAGE && f->message->is_entry;
    return is_map ? value_map(map_exact(r->arena, 0)) : value_list(NULL, 0);
}

/* All fields of proto3, else those that are there. */
static struct value fields_value(struct reader *r, const struct message *m)
{
    const struct protobuf_message *type = m->type;
    bool all = r->opt.names && type->proto3;
    struct map *map = map_exact(r->arena, type->n);
    for (uint32_t i = 0; i < type->n; i++)
        if (all || m->slot[i].seen)
            map_append(map, r->arena, type->field[i].key,
                       slot_value(r, &type->field[i], &m->slot[i]));
    return value_map(map);
}

/* google.protobuf.Struct and its kin are what they stand for. */
static struct value known_value(struct reader *r, const struct message *m)
{
    struct value val = value_nil();
    if (m->type->n == 0) return val;
    if (m->type->known != PROTOBUF_VALUE) return slot_value(r, &m->type->field[0], &m->slot[0]);
    for (uint32_t i = 0; i < m->type->n; i++)
        if (m->slot[i].seen && m->type->field[i].type != PROTOBUF_ENUM) val = m->slot[i].val;
    if (val.type == VALUE_FLOAT && val.u.real >= -9007199254740992.0 &&
        val.u.real <= 9007199254740992.0 && val.u.real == (double)(int64_t)val.u.real)
        val = value_int((int64_t)val.u.real);
    return val;
}

static enum protobuf_status message_read(struct reader *r, const struct protobuf_message *type,
                                         slice in, struct value *out, struct value *info)
{
    struct message m = {.type = type};
    if (r->depth == PROTOBUF_DEPTH_MAX || !take_values(r, type->n + 1)) return PROTOBUF_LIMIT;
    size_t bytes = type->n * sizeof(*m.slot), more = type->oneof_n * sizeof(*m.of_oneof);
    m.slot = memset(arena_alloc(r->arena, bytes + more + 1, 16), 0, bytes + more);
    m.of_oneof = (uint32_t *)(void *)(m.slot + type->n);
    if (info != NULL) *info = value_map(map_exact(r->arena, 0));
    r->depth++;
    enum protobuf_status status = parts_read(r, &m, in);
    if (status == PROTOBUF_OK) status = submessages_read(r, &m, info);
    r->depth--;
    if (status != PROTOBUF_OK) return status;
    *out = r->opt.names && type->known != PROTOBUF_PLAIN ? known_value(r, &m) : fields_value(r, &m);
    return PROTOBUF_OK;
}

enum protobuf_status protobuf_read(const struct protobuf_message *m, slice in,
                                   struct protobuf_read_options options, struct arena *arena,
                                   struct value *out, struct value *info)
{
    struct reader r = {.opt = options, .arena = arena, .left = PROTOBUF_VALUES_MAX};
    *info = value_nil();
    return message_read(&r, m, in, out, options.oneof_info ? info : NULL);
}

const char *protobuf_status_text(enum protobuf_status status)
{
    switch (status) {
    case PROTOBUF_CUT: return "the bytes end inside of a field";
    case PROTOBUF_BAD: return "a tag, number or text that cannot be";
    case PROTOBUF_LIMIT: return "nested too deep or too many values";
    default: return "fine";
    }
}
