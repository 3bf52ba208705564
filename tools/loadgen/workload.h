/*
 * workload.h - what realistic log lines look like.
 *
 * Each function adds one line without framing to buf and says where the marker and the stamp lie.
 * Deterministic in the generator's state. Contents are invented; addresses are from the
 * documentation and private ranges.
 */
#ifndef TOOLS_LOADGEN_WORKLOAD_H
#define TOOLS_LOADGEN_WORKLOAD_H
#include "engine/base/buf.h"
#include "engine/base/prng.h"
#include "tools/loadgen/options.h"

struct workload_line {
    size_t number_at; /* index in the buf, SIZE_MAX: none */
    size_t stamp_at;
    size_t sent_at; /* of the digits of the time of sending */
};

/* What is put into every line besides its contents; bits. */
enum workload_marks { MARK_NUMBER = 1, MARK_SENT = 2 };

/* strftime format of the stamp, whose text has the same width at all times; NULL when none. */
const char *workload_stamp_format(enum workload_kind kind);

void workload_line(enum workload_kind kind, struct prng *random, uint32_t wanted, struct buf *out,
                   struct workload_line *marks);

#endif
