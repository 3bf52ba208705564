/* links.c - order and circles of pipelines that send to each other: a depth-first search. */
#include "engine/app/links.h"

#include "engine/base/assert.h"

/* ---- addresses ----------------------------------------------------------------------------- */

static bool listens(const struct plan *plan, slice address)
{
    for (uint32_t i = 0; i < plan->input_n; i++) {
        const struct plan_input *in = &plan->input[i];
        if (input_is_fed(in->ops) && slice_equal(in->ops->address(in->cfg), address)) return true;
    }
    return false;
}

static struct config_list targets(const struct plan *plan, uint32_t output)
{
    const struct plan_output *o = &plan->output[output];
    return o->ops->sends_to == NULL ? (struct config_list){0} : o->ops->sends_to(o->cfg);
}

bool links_send(const struct plan *from, const struct plan *to)
{
    for (uint32_t i = 0; i < from->output_n; i++) {
        struct config_list list = targets(from, i);
        for (uint32_t k = 0; k < list.n; k++)
            if (listens(to, list.at[k].text)) return true;
    }
    return false;
}

/* ---- the search ---------------------------------------------------------------------------- */

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

struct search {
    const struct plan *const *plan;
    uint32_t n;
    enum mark mark[LINKS_MAX];
    uint32_t path[LINKS_MAX], path_n;
    uint32_t done[LINKS_MAX], done_n; /* receivers before their senders */
    struct links_report *report;      /* of circles; may be NULL */
};

static void report_circle(struct search *s, uint32_t first)
{
    struct buf *out = &s->report->text;
    uint32_t at = 0;
    while (s->path[at] != first) at++;
    s->report->warnings++;
    buf_add_cstr(out, "pipelines send to each other in a circle: ");
    for (; at < s->path_n; at++) buf_printf(out, "%s -> ", s->plan[s->path[at]]->pipeline_id);
    buf_printf(out, "%s. Events that never leave it fill it up, and then nothing moves any more\n",
               s->plan[first]->pipeline_id);
}

static void visit(struct search *s, uint32_t i)
{
    s->mark[i] = MARK_OPEN;
    s->path[s->path_n++] = i;
    for (uint32_t to = s->n; to-- > 0;) {
        if (s->mark[to] == MARK_DONE || !links_send(s->plan[i], s->plan[to])) continue;
        if (s->mark[to] == MARK_NEW)
            visit(s, to);
        else if (s->report != NULL)
            report_circle(s, to);
    }
    s->path_n--;
    s->mark[i] = MARK_DONE;
    s->done[s->done_n++] = i;
}

void links_order(const struct plan *const *plan, uint32_t n, uint32_t *order)
{
    struct search s = {.plan = plan, .n = n};
    ASSERT(n <= LINKS_MAX);
    for (uint32_t i = n; i-- > 0;)
        if (s.mark[i] == MARK_NEW) visit(&s, i);
    for (uint32_t i = 0; i < n; i++) order[i] = s.done[n - 1 - i];
}

/* ---- what is odd ---------------------------------------------------------------------------- */

/* Whether an input in front of this one has the address, and whose it is. */
static const struct plan *earlier(const struct plan *const *plan, uint32_t at, uint32_t input,
                                  slice address)
{
    for (uint32_t i = 0; i < at; i++)
        if (listens(plan[i], address)) return plan[i];
    for (uint32_t i = 0; i < input; i++) {
        const struct plan_input *in = &plan[at]->input[i];
        if (input_is_fed(in->ops) && slice_equal(in->ops->address(in->cfg), address))
            return plan[at];
    }
    return NULL;
}

static void check_inputs(const struct plan *const *plan, uint32_t at, struct links_report *report)
{
    for (uint32_t i = 0; i < plan[at]->input_n; i++) {
        const struct plan_input *in = &plan[at]->input[i];
        if (!input_is_fed(in->ops)) continue;
        slice address = in->ops->address(in->cfg);
        const struct plan *other = earlier(plan, at, i, address);
        if (other == NULL) continue;
        report->errors++;
        buf_printf(&report->text,
                   "pipeline %s: the address \"%.*s\" already belongs to an input of pipeline %s: "
                   "addresses are unique across pipelines\n",
                   plan[at]->pipeline_id, SLICE_FMT(address), other->pipeline_id);
    }
}

static void check_outputs(const struct plan *const *plan, uint32_t n, uint32_t at,
                          struct links_report *report)
{
    for (uint32_t i = 0; i < plan[at]->output_n; i++) {
        struct config_list list = targets(plan[at], i);
        for (uint32_t k = 0; k < list.n; k++) {
            bool found = false;
            for (uint32_t to = 0; to < n && !found; to++)
                found = listens(plan[to], list.at[k].text);
            if (found) continue;
            report->warnings++;
            buf_printf(&report->text, "pipeline %s sends to \"%.*s\", where no pipeline listens\n",
                       plan[at]->pipeline_id, SLICE_FMT(list.at[k].text));
        }
    }
}

void links_check(const struct plan *const *plan, uint32_t n, struct links_report *report)
{
    struct search s = {.plan = plan, .n = n, .report = report};
    ASSERT(n <= LINKS_MAX);
    *report = (struct links_report){0};
    for (uint32_t i = 0; i < n; i++) {
        if (s.mark[i] == MARK_NEW) visit(&s, i);
        check_inputs(plan, i, report);
        check_outputs(plan, n, i, report);
    }
}

void links_report_fini(struct links_report *report)
{
    buf_fini(&report->text);
}
