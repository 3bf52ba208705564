/*
 * hash_order.h - the order in which Logstash goes through the entries of a hash option.
 *
 * There a hash of the configuration becomes a java.util.HashMap, so it is not the order in which
 * the entries are written but that of their keys' hash codes (String.hashCode over UTF-16, spread
 * and masked as HashMap does, in a table that doubles from 16 when three quarters full). Where an
 * entry depends on another, or the first failure ends the rest, the order shows.
 */
#ifndef ENGINE_CONFIG_HASH_ORDER_H
#define ENGINE_CONFIG_HASH_ORDER_H
#include "engine/config/heap.h"
#include "engine/config/value.h"

/* The same pairs in that order, in memory of `heap`. */
struct config_hash hash_in_order(const struct config_pair *pairs, uint32_t n, struct heap *heap);

#endif
