/* hash_order.c - see hash_order.h. */
#include "engine/config/hash_order.h"

#include <string.h>

#include "engine/base/utf8.h"

#define TABLE_FIRST 16u

static uint32_t java_hash(slice key)
{
    uint32_t hash = 0, step;
    for (uint32_t i = 0; i < key.n; i += step) {
        uint32_t cp = utf8_decode(key, i, &step);
        if (cp > 0xffff) {
            hash = hash * 31 + (0xd800 + ((cp - 0x10000) >> 10));
            cp = 0xdc00 + ((cp - 0x10000) & 0x3ff);
        }
        hash = hash * 31 + cp;
    }
    return hash ^ hash >> 16;
}

/* By bucket; within one as they came, because that is how its chain grows and splits. */
static void merge_sort(struct config_pair *at, struct config_pair *spare, uint32_t n, uint32_t mask)
{
    if (n < 2) return;
    uint32_t half = n / 2, a = 0, b = half;
    merge_sort(at, spare, half, mask);
    merge_sort(at + half, spare, n - half, mask);
    for (uint32_t i = 0; i < n; i++) {
        bool left = b == n || (a < half && (java_hash(at[a].key.text) & mask) <=
                                               (java_hash(at[b].key.text) & mask));
        spare[i] = left ? at[a++] : at[b++];
    }
    memcpy(at, spare, n * sizeof(*at));
}

struct config_hash hash_in_order(const struct config_pair *pairs, uint32_t n, struct heap *heap)
{
    if (n < 2) return (struct config_hash){pairs, n};
    uint32_t table = TABLE_FIRST;
    while (n > table / 4 * 3) table *= 2;
    struct config_pair *ordered = heap_alloc(heap, 2 * (size_t)n * sizeof(*ordered));
    memcpy(ordered, pairs, n * sizeof(*ordered));
    merge_sort(ordered, ordered + n, n, table - 1);
    return (struct config_hash){ordered, n};
}
