/*
 * ruby_worker.h - the script process of a shard: a real Ruby that runs code of configurations.
 *
 * One process serves all filters with Ruby code of all pipelines of the shard. It is started by the
 * first of them and ends with the last. Requests and answers go through two memory files, a socket
 * says when; the shard waits for the answer, but never longer than the filter allows. Both sides
 * read and write the files by pread and pwrite, so that nothing the process does to a file can
 * fault the shard. A process that dies, answers nonsense or takes too long is killed; the next
 * request starts another, which begins with fresh filters. Owner: one shard, or the control thread
 * for a check. Not for use by several threads.
 */
#ifndef ENGINE_FILTERS_RUBY_WORKER_H
#define ENGINE_FILTERS_RUBY_WORKER_H
#include "engine/base/clock.h"
#include "engine/plan/compiler.h"
#include "parsers/wire/script_request.h"

/* Starting a process and its filters may take this long. */
#define RUBY_START_NS_MAX (60 * NS_PER_SEC)
/* A tick and the end of a filter. */
#define RUBY_TICK_NS_MAX (30 * NS_PER_SEC)
/* What an answer may have: the driver gives an event up that needs more. */
#define RUBY_REPLY_BYTES_MAX (64u * 1024 * 1024)

enum ruby_op { RUBY_ADD = 1, RUBY_RUN, RUBY_TICK, RUBY_REMOVE, RUBY_CHECK };

struct worker;
struct ruby_worker;

struct ruby_worker_counters {
    struct counter starts, crashes, timeouts;
};

/* The shard's worker, made if need be; `worker` is NULL outside of a shard (tests). */
struct ruby_worker *ruby_worker_hold(struct worker *worker);
void ruby_worker_release(struct ruby_worker *w);
/* Makes a filter from its definition, a JSON object. ERR_CONFIG: refused, ERR_MISSING: no Ruby;
 * the reason is in *why. */
err ruby_worker_add(struct ruby_worker *w, slice definition, uint32_t *id,
                    struct buf *why) MUST_USE;
void ruby_worker_remove(struct ruby_worker *w, uint32_t id);
/* Sends a request to filter `id` and waits for the answer, which lies in `arena`. ERR_CLOSED: the
 * process died, ERR_BUSY: it took too long, ERR_LIMIT: the answer is too long, ERR_FRAME:
 * it answered something else, ERR_CONFIG: it answered with an error, which was logged. Only after
 * the last is there still a process. */
err ruby_worker_call(struct ruby_worker *w, enum ruby_op op, uint32_t id, slice request,
                     int64_t wait_ns, struct arena *arena, slice *reply) MUST_USE;
/* Ends the process: its answer was nonsense. */
void ruby_worker_kill(struct ruby_worker *w);
/* The request that is built for it: names are numbered per process. */
struct script_request *ruby_worker_request(struct ruby_worker *w);
const struct ruby_worker_counters *ruby_worker_counters(const struct ruby_worker *w);

/* Checks a definition in a process of its own: syntax, and the tests of a script file. */
err ruby_check(slice definition, struct buf *why) MUST_USE;
/* ruby_check for compile(): reports at `option`, and says which package is missing. */
err ruby_compile_check(struct compiler *c, const char *option, slice definition) MUST_USE;

/* The driver, made from engine/filters/ruby by ruby_embed.sh. */
extern const char ruby_driver[];
extern const uint32_t ruby_driver_n;

#endif
