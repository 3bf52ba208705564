/*
 * date_locale.c - see date_locale.h.
 */
#include "parsers/text/date_locale.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"

struct locale {
    const char *tags, *months, *months_short, *days, *days_short, *halves, *eras;
};

static const struct locale locales[] = {
#define LOCALE(tags, months, months_short, days, days_short, halves, eras)                         \
    {tags, months, months_short, days, days_short, halves, eras},
#include "parsers/text/date_locale.def"
#undef LOCALE
};

#define TAG_BYTES_MAX 32u

/* True when `tag` is one of the blank-separated tags, case aside. */
static bool tags_have(const char *tags, slice tag)
{
    slice rest = slice_from_cstr(tags);
    while (rest.n > 0) {
        int64_t blank = slice_find_byte(rest, ' ');
        uint32_t n = blank < 0 ? rest.n : (uint32_t)blank;
        if (slice_equal_nocase(slice_part(rest, 0, n), tag)) return true;
        rest = slice_from(rest, n + 1);
    }
    return false;
}

static const struct locale *locale_by_tag(slice tag)
{
    for (uint32_t i = 0; i < ARRAY_LEN(locales); i++)
        if (tags_have(locales[i].tags, tag)) return &locales[i];
    return NULL;
}

/* "zh_Hant_TW.UTF-8": try language-REGION, then language; English is the first table. */
static const struct locale *locale_find(slice tag)
{
    char text[TAG_BYTES_MAX];
    if (tag.n == 0 || tag.n > TAG_BYTES_MAX) return &locales[0];
    uint32_t n = 0, language_n = 0, last = 0;
    while (n < tag.n && tag.p[n] != '.' && tag.p[n] != '@') {
        text[n] = tag.p[n] == '_' ? '-' : tag.p[n];
        if (text[n] == '-') {
            if (language_n == 0) language_n = n;
            last = n;
        }
        n++;
    }
    if (language_n == 0) language_n = n;
    const struct locale *found = locale_by_tag(slice_make(text, n));
    if (found == NULL && last > language_n) {
        memmove(text + language_n, text + last, n - last);
        found = locale_by_tag(slice_make(text, language_n + n - last));
    }
    if (found == NULL) found = locale_by_tag(slice_make(text, language_n));
    return found == NULL ? &locales[0] : found;
}

/* ---- letter case ----------------------------------------------------------- */

/* Whether cp is one of a pair of neighbours (upper, lower) of Latin Extended-A, or one of the
 * Romanian letters with a comma below. */
static bool latin_pair(uint32_t cp, bool *lower)
{
    *lower = (cp & 1) != 0;
    if (cp >= 0x218 && cp <= 0x21b) return true;
    if (cp < 0x100 || cp > 0x17e || cp == 0x130 || cp == 0x131 || cp == 0x138 || cp == 0x149 ||
        cp == 0x178)
        return false;
    bool odd_is_upper = (cp >= 0x139 && cp <= 0x148) || cp >= 0x179;
    *lower = (cp & 1) != odd_is_upper;
    return true;
}

static uint32_t upper_of(uint32_t cp, bool turkish)
{
    static const uint16_t greek[][2] = {{0x3ac, 0x386}, {0x3ad, 0x388}, {0x3ae, 0x389},
                                        {0x3af, 0x38a}, {0x3cc, 0x38c}, {0x3cd, 0x38e},
                                        {0x3ce, 0x38f}, {0x3c2, 0x3a3}};
    bool lower;
    if (cp == 'i' && turkish) return 0x130;
    if (cp == 0x131) return 'I';
    if (cp >= 'a' && cp <= 'z') return cp - 32;
    if (cp >= 0xe0 && cp <= 0xfe && cp != 0xf7) return cp - 32;
    if (latin_pair(cp, &lower)) return lower ? cp - 1 : cp;
    for (uint32_t i = 0; i < ARRAY_LEN(greek); i++)
        if (greek[i][0] == cp) return greek[i][1];
    if (cp >= 0x3b1 && cp <= 0x3c9) return cp - 32;
    if (cp >= 0x430 && cp <= 0x44f) return cp - 32;
    if (cp >= 0x450 && cp <= 0x45f) return cp - 80;
    return cp;
}

static uint32_t lower_of(uint32_t cp, bool turkish)
{
    bool lower;
    if (cp == 'I' && turkish) return 0x131;
    if (cp == 0x130) return 'i';
    if (cp >= 'A' && cp <= 'Z') return cp + 32;
    if (cp >= 0xc0 && cp <= 0xde && cp != 0xd7) return cp + 32;
    if (latin_pair(cp, &lower)) return lower ? cp : cp + 1;
    if (cp >= 0x391 && cp <= 0x3a9) return cp + 32;
    if (cp >= 0x410 && cp <= 0x42f) return cp + 32;
    if (cp >= 0x400 && cp <= 0x40f) return cp + 80;
    return cp;
}

/* ---- sets ------------------------------------------------------------------ */

/* 12 names, long and short, three spellings each. */
#define WORDS_MAX 72u
#define WORDS_BYTES_MAX 8192u

enum spelling { AS_IS, LOWER, UPPER };

struct builder {
    struct date_word_set *set;
    uint32_t bytes_n;
    bool turkish;
};

static void word_add(struct builder *b, slice text, int32_t value, enum spelling spelling)
{
    char *begin = b->set->bytes + b->bytes_n;
    uint32_t n = 0, step;
    for (uint32_t i = 0; i < text.n; i += step) {
        uint32_t cp = utf8_decode(text, i, &step);
        if (spelling == LOWER) cp = lower_of(cp, b->turkish);
        if (spelling == UPPER) cp = upper_of(cp, b->turkish);
        ASSERT(b->bytes_n + n + 4 <= WORDS_BYTES_MAX);
        n += utf8_encode(cp, begin + n);
    }
    slice word = slice_make(begin, n);
    for (uint32_t i = 0; i < b->set->n; i++)
        if (slice_equal(b->set->at[i].text, word)) return;
    ASSERT(b->set->n < WORDS_MAX);
    b->set->at[b->set->n++] = (struct date_word){word, value};
    b->bytes_n += n;
}

/* "a|b|c" with values from `first` on. */
static void list_add(struct builder *b, const char *list, int32_t first)
{
    slice rest = slice_from_cstr(list);
    for (int32_t value = first; rest.n > 0; value++) {
        int64_t bar = slice_find_byte(rest, '|');
        uint32_t n = bar < 0 ? rest.n : (uint32_t)bar;
        for (int spelling = AS_IS; spelling <= UPPER; spelling++)
            word_add(b, slice_part(rest, 0, n), value, (enum spelling)spelling);
        rest = slice_from(rest, n + 1);
    }
}

static int longer_first(const void *a, const void *b)
{
    uint32_t n = ((const struct date_word *)a)->text.n, m = ((const struct date_word *)b)->text.n;
    return n < m ? 1 : n > m ? -1 : 0;
}

void date_word_set_init(struct date_word_set *set, slice locale, enum date_words kind)
{
    const struct locale *l = locale_find(locale);
    set->n = 0;
    set->at = calloc(WORDS_MAX, sizeof(*set->at));
    set->bytes = malloc(WORDS_BYTES_MAX);
    if (set->at == NULL || set->bytes == NULL) PANIC("out of memory");
    struct builder b = {set, 0, strncmp(l->tags, "tr", 2) == 0};
    switch (kind) {
    case DATE_WORDS_MONTH:
        list_add(&b, l->months, 1);
        list_add(&b, l->months_short, 1);
        break;
    case DATE_WORDS_WEEKDAY:
        list_add(&b, l->days, 1);
        list_add(&b, l->days_short, 1);
        break;
    case DATE_WORDS_HALFDAY: list_add(&b, l->halves, 0); break;
    case DATE_WORDS_ERA:
        list_add(&b, l->eras, 0);
        if (strncmp(l->tags, "en", 2) == 0) list_add(&b, "BCE|CE", 0);
        break;
    }
    qsort(set->at, set->n, sizeof(*set->at), longer_first);
}

void date_word_set_fini(struct date_word_set *set)
{
    free(set->at);
    free(set->bytes);
    *set = (struct date_word_set){0};
}

uint32_t date_word_match(const struct date_word_set *set, slice text, int32_t *value)
{
    if (text.n == 0) return 0;
    for (uint32_t i = 0; i < set->n; i++) {
        const struct date_word *word = &set->at[i];
        if (word->text.p[0] != text.p[0] || !slice_starts(text, word->text)) continue;
        *value = word->value;
        return word->text.n;
    }
    return 0;
}
