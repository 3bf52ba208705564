/*
 * condition.h - `if [field] op value` compiled to a small tree, tested on many events at once.
 *
 * Truth rules are Logstash's (EventCondition): no coercion in ==, string form in `in [..]`,
 * missing fields equal nothing, regexes search strings only. An order comparison of missing or
 * unlike operands is an error: the condition is false for that event, and it is counted.
 * Immutable; the scratch belongs to one shard.
 */
#ifndef ENGINE_PLAN_CONDITION_H
#define ENGINE_PLAN_CONDITION_H
#include "engine/plan/compiler.h"

struct condition;
struct condition_scratch; /* match data of the regexes, one per shard */

/* NULL after reporting to c->diag. */
struct condition *condition_compile(struct compiler *c, const struct cond *cond);
void condition_free(struct condition *cond);
struct condition_scratch *condition_scratch_new(void);
void condition_scratch_free(struct condition_scratch *scratch);

enum verdict { VERDICT_FALSE, VERDICT_TRUE, VERDICT_ERROR };
/* out[i] becomes the enum verdict of event at[i]. The operands of a join are tested one after the
 * other, the right one only on events that the left one leaves open. */
void condition_test(const struct condition *cond, struct condition_scratch *scratch,
                    struct batch *b, const uint32_t *at, uint32_t n, uint8_t *out);

#endif
