/*
 * date_locale.h - the words that dates are written with, in many languages.
 *
 * A set holds every spelling that Joda-Time accepts for a field: the long and the short name,
 * each as it is, in lower and in upper case. Built by the control thread, read by any thread.
 */
#ifndef PARSERS_TEXT_DATE_LOCALE_H
#define PARSERS_TEXT_DATE_LOCALE_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

enum date_words { DATE_WORDS_MONTH, DATE_WORDS_WEEKDAY, DATE_WORDS_HALFDAY, DATE_WORDS_ERA };
#define DATE_WORDS_KINDS 4u

struct date_word {
    slice text;
    int32_t value; /* month 1..12, day 1..7 from Monday, AM 0, PM 1, BC 0, AD 1 */
};

/* Longest first, so that the first that fits is the longest that fits. */
struct date_word_set {
    struct date_word *at;
    uint32_t n;
    char *bytes;
};

/* The best table for a BCP 47 tag: region, language, else English. */
void date_word_set_init(struct date_word_set *set, slice locale, enum date_words kind);
void date_word_set_fini(struct date_word_set *set);

/* Bytes of the word that `text` starts with, 0 when none; its value in *value. */
uint32_t date_word_match(const struct date_word_set *set, slice text, int32_t *value);

#endif
