/* ruby_filter.c - batches to the script process and back. */
#include "engine/filters/ruby_filter.h"

#include "engine/base/log.h"
#include "parsers/wire/script_reply.h"

static void log_lines(struct script_reply *r)
{
    struct script_lines lines;
    uint32_t level;
    slice text;
    if (script_reply_lines(r, &lines) != ERR_OK) return;
    while (script_reply_line(r, &lines, &level, &text) == ERR_OK) {
        if (level > LOG_FATAL) level = LOG_FATAL;
        if (log_on((enum log_level)level))
            log_line((enum log_level)level, "filters.ruby", "%.*s", SLICE_FMT(text));
    }
}

static void tag_failed(struct ruby_filter *f, const struct ruby_filter_cfg *cfg, struct batch *b,
                       const struct sel *in, uint32_t from)
{
    for (uint32_t i = from; i < in->n; i++)
        event_tag(b, &b->event[in->at[i]], cfg->failure_tag, true);
    counter_add(&f->failed, in->n - from);
}

static void note(struct ruby_filter *f, const struct script_reply *r)
{
    uint64_t held;
    if (r->failed_n > 0) counter_add(&f->failed, r->failed_n);
    if (r->refused_n == 0) return;
    counter_add(&f->refused, r->refused_n);
    if (log_gate_open(&f->gate, &held))
        log_warn("filters.ruby",
                 "a batch is full at %u events: new events are lost (%llu more since the last "
                 "report)",
                 BATCH_EVENTS_MAX, (unsigned long long)held);
}

/* Number of events whose outcome was applied; fewer than in->n when the answer is nonsense. */
static uint32_t outcomes(struct script_reply *r, struct batch *b, const struct sel *in,
                         struct sel *hit)
{
    for (uint32_t i = 0; i < in->n; i++) {
        uint32_t flags;
        if (script_reply_event(r, b, in->at[i], &flags) != ERR_OK) return i;
        if (flags & SCRIPT_MATCHED) sel_push(b, hit, in->at[i]);
    }
    return in->n;
}

static bool request_make(struct ruby_filter *f, struct batch *b, const struct sel *in, slice *out)
{
    struct script_request *request = ruby_worker_request(f->worker);
    if (request == NULL) return false;
    script_request_begin(request, &b->arena);
    for (uint32_t i = 0; i < in->n; i++)
        if (script_request_add(request, &b->event[in->at[i]]) != ERR_OK) {
            /* Names may be counted as sent that are not: both sides begin anew. */
            script_request_forget(request);
            return false;
        }
    *out = script_request_end(request);
    return true;
}

void ruby_filter_apply(struct ruby_filter *f, const struct ruby_filter_cfg *cfg, struct batch *b,
                       const struct sel *in, struct sel *hit)
{
    slice request;
    struct script_reply reply = {0};
    uint32_t done = 0;
    if (request_make(f, b, in, &request) &&
        ruby_worker_call(f->worker, RUBY_RUN, f->id, request, cfg->wait_ns, &b->arena, &reply.in) ==
            ERR_OK) {
        done = outcomes(&reply, b, in, hit);
        if (done == in->n)
            log_lines(&reply);
        else
            ruby_worker_kill(f->worker);
    }
    note(f, &reply);
    if (done < in->n) tag_failed(f, cfg, b, in, done);
}

void ruby_filter_tick(struct ruby_filter *f, struct batch *out, bool last)
{
    struct script_reply reply = {0};
    if (ruby_worker_request(f->worker) == NULL) return;
    slice request = last ? SLICE("\1") : SLICE("\0");
    if (ruby_worker_call(f->worker, RUBY_TICK, f->id, request, RUBY_TICK_NS_MAX, &out->arena,
                         &reply.in) != ERR_OK)
        return;
    if (script_reply_made(&reply, out) == ERR_OK)
        log_lines(&reply);
    else
        ruby_worker_kill(f->worker);
    note(f, &reply);
}

err ruby_filter_start(struct ruby_filter *f, const struct ruby_filter_cfg *cfg,
                      struct worker *worker)
{
    struct buf why = {0};
    f->worker = ruby_worker_hold(worker);
    err e = ruby_worker_add(f->worker, cfg->definition, &f->id, &why);
    if (e != ERR_OK) {
        log_error("filters.ruby", "the filter does not start: %s", buf_cstr(&why));
        ruby_worker_release(f->worker);
        f->worker = NULL;
    }
    buf_fini(&why);
    return e;
}

void ruby_filter_stop(struct ruby_filter *f)
{
    if (f->worker == NULL) return;
    ruby_worker_remove(f->worker, f->id);
    ruby_worker_release(f->worker);
    f->worker = NULL;
}

void ruby_filter_stats(const struct ruby_filter *f, struct buf *out)
{
    const struct ruby_worker_counters *w =
        f->worker == NULL ? NULL : ruby_worker_counters(f->worker);
    buf_printf(out, ",\"failures\":%llu,\"refused\":%llu,\"crashes\":%llu,\"timeouts\":%llu",
               (unsigned long long)counter_read(&f->failed),
               (unsigned long long)counter_read(&f->refused),
               (unsigned long long)(w == NULL ? 0 : counter_read(&w->crashes)),
               (unsigned long long)(w == NULL ? 0 : counter_read(&w->timeouts)));
}

/* ---- definitions ------------------------------------------------------------------------- */

void ruby_define(struct compiler *c, const char *kind, slice failure_tag, struct buf *out)
{
    buf_printf(out, "{\"kind\":\"%s\",\"log_level\":%d", kind, (int)log_get_level());
    ruby_define_text(out, "id", c->id);
    ruby_define_text(out, "pipeline", slice_from_cstr(c->pipeline_id));
    ruby_define_text(out, "tag_on_exception", failure_tag);
}

void ruby_define_text(struct buf *out, const char *name, slice text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text.p == NULL)
        buf_add_cstr(out, "null");
    else
        buf_add_json(out, text);
}

void ruby_define_bool(struct buf *out, const char *name, bool yes)
{
    buf_printf(out, ",\"%s\":%s", name, yes ? "true" : "false");
}

err ruby_define_end(struct compiler *c, const char *option, struct buf *text, slice *definition)
{
    buf_add_byte(text, '}');
    *definition = heap_dup(c->heap, buf_slice(text));
    buf_fini(text);
    return ruby_compile_check(c, option, *definition);
}
