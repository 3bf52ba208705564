/*
 * script.h - scripted faults of the fake Elasticsearch.
 *
 * A script is lines of text; '#' starts a comment. A rule for bulk requests begins with the
 * numbers it is for, counted from 1: "3", "2-5", "4+" (from the fourth on), "/3" (every third),
 * "*". The first rule of each group that fits a request acts:
 *
 *   WHEN status CODE [retry-after SECONDS] [empty|html]     the whole request is answered so
 *   WHEN close                    the connection ends after the request, without an answer
 *   WHEN cut BYTES                it ends after that many bytes of the answer
 *   WHEN reset                    it is reset instead of answered
 *   WHEN reset-early              it is reset when the head of the request is there
 *   WHEN delay MS                 the answer waits (may be combined with the others)
 *   WHEN items CODE [every N] [match TEXT] [times N]        these items get this status
 *   path METHOD PREFIX CODE [BODY]                          what another request is answered
 *
 * A cut or closed request whose documents were read counts as accepted for "cut" (the server did
 * the work, the client cannot know) and as refused for "close" and the resets.
 */
#ifndef TOOLS_SINK_SCRIPT_H
#define TOOLS_SINK_SCRIPT_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_STATUS,
    FAULT_CLOSE,
    FAULT_CUT,
    FAULT_RESET,
    FAULT_RESET_EARLY,
    FAULT_DELAY,
    FAULT_ITEMS,
    FAULT_PATH
};
enum fault_body { BODY_JSON, BODY_EMPTY, BODY_HTML };

struct fault {
    enum fault_kind kind;
    uint64_t from, to, every;
    uint32_t status;
    int32_t retry_after_sec; /* -1: no header */
    enum fault_body body;
    uint64_t n; /* bytes of cut, ms of delay */
    uint64_t item_every, times, fired, seen;
    char *text; /* of match, or a path's body */
    char method[8];
    char *prefix;
};

struct script {
    struct fault *faults;
    uint32_t n;
};

/* Replaces the script. On ERR_SYNTAX the old one stays and *line says where. */
err script_parse(struct script *sc, slice text, uint32_t *line) MUST_USE;
void script_fini(struct script *sc);

/* The first rule that ends or answers bulk request number nth, or NULL. */
const struct fault *script_answer(const struct script *sc, uint64_t nth);
uint64_t script_delay_ms(const struct script *sc, uint64_t nth);
bool script_has_items(const struct script *sc, uint64_t nth);
/* Status of one item of that request, 0 when no rule fires. */
uint32_t script_item(struct script *sc, uint64_t nth, slice document);
/* Rule for another path, or NULL. */
const struct fault *script_path(const struct script *sc, slice method, slice path);

#endif
