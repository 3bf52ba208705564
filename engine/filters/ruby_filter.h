/*
 * ruby_filter.h - what the filters with Ruby code have in common: ruby and aggregate.
 *
 * A batch goes to the script process as a whole, the shard waits, and what came back is applied. If
 * the process does not answer, all events of the batch get the filter's failure tag and stay as
 * they were otherwise. Owner: one shard.
 */
#ifndef ENGINE_FILTERS_RUBY_FILTER_H
#define ENGINE_FILTERS_RUBY_FILTER_H
#include "engine/base/log.h"
#include "engine/filters/ruby_worker.h"

struct ruby_filter_cfg {
    slice definition; /* a JSON object for the driver */
    slice failure_tag;
    int64_t wait_ns; /* for one batch */
};

struct ruby_filter {
    struct ruby_worker *worker;
    uint32_t id;
    struct counter failed, refused;
    struct log_gate gate;
};

err ruby_filter_start(struct ruby_filter *f, const struct ruby_filter_cfg *cfg,
                      struct worker *worker) MUST_USE;
void ruby_filter_apply(struct ruby_filter *f, const struct ruby_filter_cfg *cfg, struct batch *b,
                       const struct sel *in, struct sel *hit);
/* The events that the filter makes by itself go to `out`. */
void ruby_filter_tick(struct ruby_filter *f, struct batch *out, bool last);
void ruby_filter_stop(struct ruby_filter *f);
void ruby_filter_stats(const struct ruby_filter *f, struct buf *out);

/* Begins a definition: {"kind":..,"id":..,"pipeline":.. without the end. */
void ruby_define(struct compiler *c, const char *kind, slice failure_tag, struct buf *out);
void ruby_define_text(struct buf *out, const char *name, slice text); /* null when not given */
void ruby_define_bool(struct buf *out, const char *name, bool yes);
/* Ends it, checks it and keeps it in the configuration's heap. */
err ruby_define_end(struct compiler *c, const char *option, struct buf *text,
                    slice *definition) MUST_USE;

#endif
