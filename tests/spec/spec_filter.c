/* spec_filter.c - runs the cases of filters: events through a plan's stepper. */
#include "tests/spec/spec.h"

#include "engine/base/clock.h"

bool events_read(struct runner *r, const struct spec *spec)
{
    struct batch *b = &r->batch;
    struct reader at = {spec->in.body, spec->in.line};
    slice line;
    while (line_next(&at, &line)) {
        struct event *ev = NULL;
        struct value doc;
        if (spec->lines) {
            ev = batch_add(b);
            map_append(&ev->data, &b->arena, key_make(&b->arena, SLICE("message")),
                       value_string(arena_copy(&b->arena, line)));
            event_add_version(b, ev);
            continue;
        }
        if (slice_trim(line).n == 0) continue;
        if (!doc_parse(r, line, &b->arena, &doc)) {
            fail_at(r, spec, at.line - 1, "the input is no JSON object");
            return false;
        }
        ev = batch_add(b);
        event_adopt(b, ev, *doc.u.map);
    }
    return true;
}

void filter_try(struct runner *r, const struct spec *spec, struct plan *plan)
{
    struct plan_state *state = plan_state_new(plan, NULL, NULL);
    struct plan_run run;
    if (state == NULL) {
        fail_at(r, spec, spec->line, "a filter does not start");
        return;
    }
    docs_clear(r);
    r->batch.now_ns = clock_real_ns();
    if (events_read(r, spec)) {
        plan_run_init(&run, state, &r->batch);
        if (plan_step(&run) != STEP_DONE) {
            fail_at(r, spec, spec->line, "a filter waits for the world outside");
        } else {
            bool ok = true;
            for (uint32_t i = 0; i < run.sel.n && ok; i++)
                ok = docs_add(r, spec, &r->batch.event[run.sel.at[i]]);
            if (ok) docs_compare(r, spec);
        }
    }
    batch_reset(&r->batch);
    plan_state_free(state);
}
