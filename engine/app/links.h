/*
 * links.h - which pipeline sends events to which.
 *
 * Outputs name addresses (output_ops.sends_to), inputs have one (input_ops.address). Whoever sends
 * has to stop before those it sends to, and to start after them. Control thread.
 */
#ifndef ENGINE_APP_LINKS_H
#define ENGINE_APP_LINKS_H
#include "engine/plan/plan.h"

/* All pipelines, and the retired ones. */
#define LINKS_MAX 272u

/* Whether an input of the plan gets its events from other pipelines. */
static inline bool input_is_fed(const struct input_ops *ops)
{
    return ops->address != NULL;
}

/* Whether an output of the one sends to an input of the other. */
bool links_send(const struct plan *from, const struct plan *to);
/* order[0..n): the plans' indices, senders before those they send to; the order of `plan` where
 * that says nothing. In a circle somebody has to be first. */
void links_order(const struct plan *const *plan, uint32_t n, uint32_t *order);

struct links_report {
    struct buf text; /* a line for each */
    uint32_t errors, warnings;
};
/* Two inputs with one address are an error; a circle, and an address that is sent to and that no
 * input has, are warnings. */
void links_check(const struct plan *const *plan, uint32_t n, struct links_report *report);
void links_report_fini(struct links_report *report);

#endif
