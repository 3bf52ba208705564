/* text_event.c - message and [event][original]. */
#include "engine/plan/text_event.h"

#include "engine/base/log.h"
#include "parsers/scan/utf8_scan.h"

err text_event_compile(struct text_event_cfg *cfg, slice charset, bool keep_original,
                       struct compiler *c)
{
    cfg->keep_original = keep_original;
    struct key message = compile_key(c, SLICE("message"));
    cfg->event = compile_key(c, SLICE("event"));
    cfg->original = compile_key(c, SLICE("original"));
    cfg->message = member_laid_out(&message, VALUE_STRING, 0);
    cfg->version = event_version_member();
    cfg->event_field = member_laid_out(&cfg->event, VALUE_MAP, 0);
    cfg->original_field = member_laid_out(&cfg->original, VALUE_STRING, 0);
    if (charset_find(charset, &cfg->charset) == ERR_OK) return ERR_OK;
    compile_error(c, "charset", "the name of a character encoding, such as UTF-8 or ISO-8859-1",
                  "unknown charset `%.*s`", SLICE_FMT(charset));
    return ERR_CONFIG;
}

err text_event_start(struct text_event_state *state, const struct text_event_cfg *cfg)
{
    return charset_decoder_init(&state->decoder, cfg->charset);
}

void text_event_stop(struct text_event_state *state)
{
    charset_decoder_fini(&state->decoder);
}

slice text_event_convert(struct text_event_state *state, const struct text_event_cfg *cfg,
                         slice text, struct arena *arena)
{
    if (cfg->charset->utf8 && utf8_scan_valid(text)) return text;
    bool changed = false;
    slice out = charset_decode(&state->decoder, text, arena, &changed);
    uint64_t held;
    if (changed && log_gate_open(&state->gate, &held))
        log_warn("codecs",
                 "received an event that has a different character encoding than %s "
                 "(%llu more since the last report)",
                 cfg->charset->ruby_name, (unsigned long long)held);
    return out;
}

void text_event_original(const struct text_event_cfg *cfg, struct batch *b, struct event *ev,
                         slice text)
{
    struct member *m = map_find(&ev->data, cfg->event.name, cfg->event.hash);
    struct map *map;
    if (m != NULL && m->val.type != VALUE_NIL) {
        if (m->val.type != VALUE_MAP) return;
        value_resolve(&m->val, &b->arena);
        map = m->val.u.map;
        if (map_find(map, cfg->original.name, cfg->original.hash) != NULL) return;
    } else {
        map = map_exact(&b->arena, 2);
        map_put(&ev->data, &b->arena, cfg->event, value_map(map));
    }
    map_append(map, &b->arena, cfg->original, value_string(text));
}

struct event *text_event_add(const struct text_event_cfg *cfg, struct batch *b, slice text)
{
    struct event *ev = batch_add(b);
    if (ev == NULL) return NULL;
    map_reserve(&ev->data, &b->arena, batch_fields_room(b, MAP_CAP_FIRST));
    struct member *at = member_text(ev->data.at, &cfg->message, text, 0);
    *at++ = cfg->version;
    if (cfg->keep_original) at = text_event_put_original(cfg, b, at, text);
    map_close(&ev->data, at);
    return ev;
}
