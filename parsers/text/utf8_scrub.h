/*
 * utf8_scrub.h - bytes that may be no UTF-8 as text: what is wrong becomes U+FFFD.
 *
 * For events that show what could not be decoded. Valid text is returned as it is, everything
 * else is a copy in the arena. Pure: any thread.
 */
#ifndef PARSERS_TEXT_UTF8_SCRUB_H
#define PARSERS_TEXT_UTF8_SCRUB_H
#include "engine/base/pages.h"

slice utf8_scrub(slice text, struct arena *arena);

#endif
