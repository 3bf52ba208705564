/* json_write.c - choice of the JSON encoder, and the checked one. */
#include "parsers/json/json_write.h"

#include "parsers/json/json_write_kernel.h"

/* SSE is what the whole program is compiled for, so there is no scalar variant. */
static const struct json_write_kernel *kernel = &json_write_sse42;

void json_write_init(enum cpu_level level)
{
    kernel = level >= CPU_AVX512 ? &json_write_avx512
             : level >= CPU_AVX2 ? &json_write_avx2
                                 : &json_write_sse42;
}

void json_write_event(struct buf *out, const struct event *ev, struct time_iso_cache *cache)
{
    kernel->event(out, ev, cache);
}

static bool fits(const struct json_layout *layout, const struct event *ev)
{
    return layout->member_n == ev->data.n && layout->member_n > 0 &&
           layout->last_key == ev->data.at[ev->data.n - 1].key;
}

void json_write_laid_out(struct buf *out, const struct event *ev, struct time_iso_cache *cache,
                         struct json_layouts *layouts)
{
    /* Keys of decoded documents come first, and are not the configuration's. */
    bool fixed = ev->data.n > 0 && (ev->data.at[0].val.key_flags & KEY_STATIC) != 0;
    if (fixed && ev->time.type == VALUE_TIME) {
        uint8_t *guess = &layouts->guess[ev->shape % JSON_LAYOUT_GUESSES];
        for (uint32_t i = 0; i < JSON_LAYOUTS; i++) {
            uint32_t at = (*guess + i) % JSON_LAYOUTS;
            struct json_layout *layout = &layouts->at[at];
            if (fits(layout, ev) && kernel->laid_out(out, ev, cache, layout)) {
                *guess = (uint8_t)at;
                layout->hits++;
                return;
            }
        }
        json_layout_learn(layouts, ev);
    }
    kernel->event(out, ev, cache);
}

void json_write_events(struct buf *out, const struct batch *b, const struct sel *sel, slice prefix,
                       slice suffix, struct time_iso_cache *cache)
{
    kernel->events(out, b, sel, prefix, suffix, cache);
}

void json_write_value(struct buf *out, const struct value *val, struct time_iso_cache *cache)
{
    kernel->value(out, val, cache);
}

void json_write_string(struct buf *out, slice text)
{
    kernel->string(out, text);
}

/* value_json() replaces what is no UTF-8; decoded text that is copied verbatim was checked. */
void json_write_event_scrubbed(struct buf *out, const struct event *ev,
                               struct time_iso_cache *cache)
{
    buf_add_byte(out, '{');
    if (ev->time.type == VALUE_TIME) {
        buf_add_cstr(out, "\"@timestamp\":");
        kernel->value(out, &ev->time, cache);
    }
    for (uint32_t i = 0; i < ev->data.n; i++) {
        const struct member *m = &ev->data.at[i];
        if (i > 0 || ev->time.type == VALUE_TIME) buf_add_byte(out, ',');
        buf_add_json(out, slice_make(m->key, m->key_n));
        buf_add_byte(out, ':');
        value_json(&m->val, out);
    }
    buf_add_byte(out, '}');
}
