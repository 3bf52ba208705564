/* edn_codec.c - forms to events and back. */
#include "engine/plan/edn_codec.h"

#include "engine/plan/codec_kit.h"
#include "engine/plan/filter_kit.h"
#include "parsers/scan/utf8_scan.h"
#include "parsers/text/edn.h"

const struct setting edn_codec_settings[] = {
    {.name = "target",
     SETTING_AT(struct edn_codec_cfg, target_name, STRING),
     .doc = "Field that receives the map; without it, it becomes the event."},
    {0},
};

err edn_codec_compile(void *config, struct compiler *c)
{
    struct edn_codec_cfg *cfg = config;
    return compile_field_option(c, &cfg->target, "target", cfg->target_name);
}

void edn_codec_text(void *state, const void *cfg_, slice text, struct decode *d)
{
    struct edn_codec_state *s = state;
    const struct edn_codec_cfg *cfg = cfg_;
    const struct fieldref *target = cfg->target_name.p == NULL ? NULL : &cfg->target;
    struct event *ev = NULL;
    struct value val;
    if (utf8_scan_valid(text) && edn_read(text, &d->batch->arena, &val) &&
        codec_value_event(d->batch, target, &val, &ev))
        return;
    uint64_t held;
    if (log_gate_open(&s->gate, &held))
        log_warn("codecs.edn",
                 "EDN parse failure: the text is in the message field of its event "
                 "(%llu more since the last report)",
                 (unsigned long long)held);
    codec_refuse(d, ev, text, SLICE_NONE);
}

void edn_codec_encode(struct batch *b, struct event *ev, struct buf *out)
{
    bool first = true;
    buf_add_byte(out, '{');
    if (ev->time.type != VALUE_NIL) {
        buf_add_cstr(out, "\"@timestamp\" ");
        edn_write(out, &ev->time, &b->arena);
        first = false;
    }
    for (uint32_t i = 0; i < ev->data.n; i++) {
        if (!first) buf_add_cstr(out, ", ");
        first = false;
        edn_write_string(out, slice_make(ev->data.at[i].key, ev->data.at[i].key_n));
        buf_add_byte(out, ' ');
        edn_write(out, &ev->data.at[i].val, &b->arena);
    }
    buf_add_byte(out, '}');
}
