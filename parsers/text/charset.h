/*
 * charset.h - text of a declared encoding to UTF-8, the way Logstash's codecs do it.
 *
 * Declared UTF-8 and valid: the text itself, untouched. Declared UTF-8 but invalid: the whole text
 * in Ruby's inspect form, with \xNN for the bad bytes (reference: util/charset.rb). Any
 * other encoding: transcoded by iconv, with U+FFFD for what does not convert. Encodings are
 * named as Ruby names them, in any case. A charset is immutable after charset_new and shared;
 * a charset_decoder holds the iconv state and belongs to one thread.
 */
#ifndef PARSERS_TEXT_CHARSET_H
#define PARSERS_TEXT_CHARSET_H
#include <stdbool.h>

#include "engine/base/err.h"
#include "engine/base/pages.h"
#include "engine/base/slice.h"

struct charset {
    const char *ruby_name;  /* canonical */
    const char *iconv_name; /* NULL: UTF-8 */
    bool utf8;
    bool ascii; /* bytes below 128 mean what they mean in ASCII */
    uint8_t unit_bytes;
};

/* ERR_UNSUPPORTED for a name Ruby does not know or iconv cannot convert. */
err charset_find(slice name, const struct charset **out) MUST_USE;

struct charset_decoder {
    const struct charset *charset;
    void *iconv; /* iconv_t, unused for UTF-8 */
};
err charset_decoder_init(struct charset_decoder *d, const struct charset *charset) MUST_USE;
void charset_decoder_fini(struct charset_decoder *d);

/* The text as UTF-8: `in` itself or bytes in the arena. *changed (may be NULL) tells that bytes
 * were replaced or escaped, for the warning Logstash logs. */
slice charset_decode(struct charset_decoder *d, slice in, struct arena *arena, bool *changed);

#endif
