/*
 * mmdb_data.h - values in the data section of a MaxMind database.
 *
 * libmaxminddb walks a record from its start for every field that is asked for; these functions
 * find a member and keep the place. Every offset is checked: a broken file gives no value. Source:
 * "MaxMind DB File Format Specification", version 2.0. Pure: any thread.
 */
#ifndef PARSERS_WIRE_MMDB_DATA_H
#define PARSERS_WIRE_MMDB_DATA_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

enum mmdb_type {
    MMDB_POINTER = 1,
    MMDB_TEXT = 2,
    MMDB_DOUBLE = 3,
    MMDB_BYTES = 4,
    MMDB_UINT16 = 5,
    MMDB_UINT32 = 6,
    MMDB_MAP = 7,
    MMDB_INT32 = 8,
    MMDB_UINT64 = 9,
    MMDB_UINT128 = 10,
    MMDB_ARRAY = 11,
    MMDB_BOOLEAN = 14,
    MMDB_FLOAT = 15
};

struct mmdb_item {
    uint8_t type;    /* enum mmdb_type, never a pointer */
    uint32_t size;   /* bytes, pairs of a map, items of an array, or a boolean's value */
    uint32_t at;     /* where its bytes or its first member lie */
    uint32_t behind; /* of a scalar, or of the pointer that led to the item */
    bool pointed;
};

/* The value at `at`, where a pointer may lead to it. */
bool mmdb_item_read(slice data, uint32_t at, struct mmdb_item *out);
/* *at is a value's place and becomes the place behind it. */
bool mmdb_item_skip(slice data, uint32_t *at);
/* The member of that name of a map; the last one of an array. */
bool mmdb_item_member(slice data, const struct mmdb_item *map, slice name, struct mmdb_item *out);
bool mmdb_item_last(slice data, const struct mmdb_item *array, struct mmdb_item *out);

static inline slice mmdb_item_text(slice data, const struct mmdb_item *item)
{
    return slice_make(data.p + item->at, item->size);
}
/* An unsigned number of at most 64 bits. */
uint64_t mmdb_item_uint(slice data, const struct mmdb_item *item);
/* A double or a float. */
double mmdb_item_real(slice data, const struct mmdb_item *item);

#endif
