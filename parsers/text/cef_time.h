/*
 * cef_time.h - the times of CEF extensions.
 *
 * Milliseconds since 1970, or "MMM dd[ yyyy] HH:mm:ss[.fraction][ zone]" with 3, 6 or 9 digits
 * of fraction. Without a zone the text is read in `zone`; without a year it is the one
 * that makes the time recent: not more than two days ahead. Pure; the words are built by the
 * control thread and read by any. Facts: logstash-codec-cef, timestamp normalizer.
 */
#ifndef PARSERS_TEXT_CEF_TIME_H
#define PARSERS_TEXT_CEF_TIME_H
#include "engine/base/tz.h"
#include "parsers/text/date_locale.h"

/* `months` of kind DATE_WORDS_MONTH. Zones the text names must have been loaded. */
bool cef_time_parse(slice text, const struct date_word_set *months, const struct tz *zone,
                    int64_t now_ns, int64_t *out_ns);

#endif
