#include "parsers/text/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "parsers/text/ruby_inspect.h"

/* Ruby's names. A binary string has no characters above 127, as ASCII has none. For Shift_JIS the
 * Windows table is taken: it keeps backslash and tilde where Ruby has them. */
static const struct charset_row {
    const char *name;
    struct charset charset;
} charsets[] = {
    {"UTF-8", {"UTF-8", NULL, true, true, 1}},
    {"CP65001", {"UTF-8", NULL, true, true, 1}},
    {"ASCII-8BIT", {"ASCII-8BIT", "ASCII", false, true, 1}},
    {"BINARY", {"ASCII-8BIT", "ASCII", false, true, 1}},
    {"US-ASCII", {"US-ASCII", "ASCII", false, true, 1}},
    {"ASCII", {"US-ASCII", "ASCII", false, true, 1}},
    {"ANSI_X3.4-1968", {"US-ASCII", "ASCII", false, true, 1}},
    {"646", {"US-ASCII", "ASCII", false, true, 1}},
    {"UTF-16BE", {"UTF-16BE", "UTF-16BE", false, false, 2}},
    {"UCS-2BE", {"UTF-16BE", "UTF-16BE", false, false, 2}},
    {"UTF-16LE", {"UTF-16LE", "UTF-16LE", false, false, 2}},
    {"UTF-16", {"UTF-16", "UTF-16", false, false, 2}},
    {"UTF-32BE", {"UTF-32BE", "UTF-32BE", false, false, 4}},
    {"UCS-4BE", {"UTF-32BE", "UTF-32BE", false, false, 4}},
    {"UTF-32LE", {"UTF-32LE", "UTF-32LE", false, false, 4}},
    {"UCS-4LE", {"UTF-32LE", "UTF-32LE", false, false, 4}},
    {"UTF-32", {"UTF-32", "UTF-32", false, false, 4}},
    {"UTF-7", {"UTF-7", "UTF-7", false, false, 1}},
    {"CP65000", {"UTF-7", "UTF-7", false, false, 1}},
    {"ISO-8859-1", {"ISO-8859-1", "ISO-8859-1", false, true, 1}},
    {"ISO8859-1", {"ISO-8859-1", "ISO-8859-1", false, true, 1}},
    {"ISO-8859-2", {"ISO-8859-2", "ISO-8859-2", false, true, 1}},
    {"ISO8859-2", {"ISO-8859-2", "ISO-8859-2", false, true, 1}},
    {"ISO-8859-3", {"ISO-8859-3", "ISO-8859-3", false, true, 1}},
    {"ISO8859-3", {"ISO-8859-3", "ISO-8859-3", false, true, 1}},
    {"ISO-8859-4", {"ISO-8859-4", "ISO-8859-4", false, true, 1}},
    {"ISO8859-4", {"ISO-8859-4", "ISO-8859-4", false, true, 1}},
    {"ISO-8859-5", {"ISO-8859-5", "ISO-8859-5", false, true, 1}},
    {"ISO8859-5", {"ISO-8859-5", "ISO-8859-5", false, true, 1}},
    {"ISO-8859-6", {"ISO-8859-6", "ISO-8859-6", false, true, 1}},
    {"ISO8859-6", {"ISO-8859-6", "ISO-8859-6", false, true, 1}},
    {"ISO-8859-7", {"ISO-8859-7", "ISO-8859-7", false, true, 1}},
    {"ISO8859-7", {"ISO-8859-7", "ISO-8859-7", false, true, 1}},
    {"ISO-8859-8", {"ISO-8859-8", "ISO-8859-8", false, true, 1}},
    {"ISO8859-8", {"ISO-8859-8", "ISO-8859-8", false, true, 1}},
    {"ISO-8859-9", {"ISO-8859-9", "ISO-8859-9", false, true, 1}},
    {"ISO8859-9", {"ISO-8859-9", "ISO-8859-9", false, true, 1}},
    {"ISO-8859-10", {"ISO-8859-10", "ISO-8859-10", false, true, 1}},
    {"ISO8859-10", {"ISO-8859-10", "ISO-8859-10", false, true, 1}},
    {"ISO-8859-11", {"ISO-8859-11", "ISO-8859-11", false, true, 1}},
    {"ISO8859-11", {"ISO-8859-11", "ISO-8859-11", false, true, 1}},
    {"ISO-8859-13", {"ISO-8859-13", "ISO-8859-13", false, true, 1}},
    {"ISO8859-13", {"ISO-8859-13", "ISO-8859-13", false, true, 1}},
    {"ISO-8859-14", {"ISO-8859-14", "ISO-8859-14", false, true, 1}},
    {"ISO8859-14", {"ISO-8859-14", "ISO-8859-14", false, true, 1}},
    {"ISO-8859-15", {"ISO-8859-15", "ISO-8859-15", false, true, 1}},
    {"ISO8859-15", {"ISO-8859-15", "ISO-8859-15", false, true, 1}},
    {"ISO-8859-16", {"ISO-8859-16", "ISO-8859-16", false, true, 1}},
    {"ISO8859-16", {"ISO-8859-16", "ISO-8859-16", false, true, 1}},
    {"Windows-1250", {"Windows-1250", "CP1250", false, true, 1}},
    {"CP1250", {"Windows-1250", "CP1250", false, true, 1}},
    {"Windows-1251", {"Windows-1251", "CP1251", false, true, 1}},
    {"CP1251", {"Windows-1251", "CP1251", false, true, 1}},
    {"Windows-1252", {"Windows-1252", "CP1252", false, true, 1}},
    {"CP1252", {"Windows-1252", "CP1252", false, true, 1}},
    {"Windows-1253", {"Windows-1253", "CP1253", false, true, 1}},
    {"CP1253", {"Windows-1253", "CP1253", false, true, 1}},
    {"Windows-1254", {"Windows-1254", "CP1254", false, true, 1}},
    {"CP1254", {"Windows-1254", "CP1254", false, true, 1}},
    {"Windows-1255", {"Windows-1255", "CP1255", false, true, 1}},
    {"CP1255", {"Windows-1255", "CP1255", false, true, 1}},
    {"Windows-1256", {"Windows-1256", "CP1256", false, true, 1}},
    {"CP1256", {"Windows-1256", "CP1256", false, true, 1}},
    {"Windows-1257", {"Windows-1257", "CP1257", false, true, 1}},
    {"CP1257", {"Windows-1257", "CP1257", false, true, 1}},
    {"Windows-1258", {"Windows-1258", "CP1258", false, true, 1}},
    {"CP1258", {"Windows-1258", "CP1258", false, true, 1}},
    {"Windows-874", {"Windows-874", "CP874", false, true, 1}},
    {"CP874", {"Windows-874", "CP874", false, true, 1}},
    {"TIS-620", {"TIS-620", "TIS-620", false, true, 1}},
    {"KOI8-R", {"KOI8-R", "KOI8-R", false, true, 1}},
    {"CP878", {"KOI8-R", "KOI8-R", false, true, 1}},
    {"KOI8-U", {"KOI8-U", "KOI8-U", false, true, 1}},
    {"Shift_JIS", {"Shift_JIS", "CP932", false, true, 1}},
    {"Windows-31J", {"Windows-31J", "CP932", false, true, 1}},
    {"CP932", {"Windows-31J", "CP932", false, true, 1}},
    {"csWindows31J", {"Windows-31J", "CP932", false, true, 1}},
    {"SJIS", {"Windows-31J", "CP932", false, true, 1}},
    {"PCK", {"Windows-31J", "CP932", false, true, 1}},
    {"EUC-JP", {"EUC-JP", "EUC-JP", false, true, 1}},
    {"eucJP", {"EUC-JP", "EUC-JP", false, true, 1}},
    {"eucJP-ms", {"eucJP-ms", "EUC-JP-MS", false, true, 1}},
    {"euc-jp-ms", {"eucJP-ms", "EUC-JP-MS", false, true, 1}},
    {"CP51932", {"CP51932", "EUC-JP-MS", false, true, 1}},
    {"ISO-2022-JP", {"ISO-2022-JP", "ISO-2022-JP", false, false, 1}},
    {"ISO2022-JP", {"ISO-2022-JP", "ISO-2022-JP", false, false, 1}},
    {"EUC-KR", {"EUC-KR", "EUC-KR", false, true, 1}},
    {"eucKR", {"EUC-KR", "EUC-KR", false, true, 1}},
    {"CP949", {"CP949", "CP949", false, true, 1}},
    {"EUC-TW", {"EUC-TW", "EUC-TW", false, true, 1}},
    {"eucTW", {"EUC-TW", "EUC-TW", false, true, 1}},
    {"GB2312", {"GB2312", "EUC-CN", false, true, 1}},
    {"EUC-CN", {"GB2312", "EUC-CN", false, true, 1}},
    {"eucCN", {"GB2312", "EUC-CN", false, true, 1}},
    {"GBK", {"GBK", "GBK", false, true, 1}},
    {"CP936", {"GBK", "GBK", false, true, 1}},
    {"GB18030", {"GB18030", "GB18030", false, true, 1}},
    {"Big5", {"Big5", "BIG5", false, true, 1}},
    {"CP950", {"Big5", "BIG5", false, true, 1}},
    {"Big5-HKSCS", {"Big5-HKSCS", "BIG5-HKSCS", false, true, 1}},
    {"CP951", {"Big5-HKSCS", "BIG5-HKSCS", false, true, 1}},
    {"Big5-HKSCS:2008", {"Big5-HKSCS", "BIG5-HKSCS", false, true, 1}},
    {"IBM437", {"IBM437", "IBM437", false, true, 1}},
    {"CP437", {"IBM437", "IBM437", false, true, 1}},
    {"IBM852", {"IBM852", "IBM852", false, true, 1}},
    {"CP852", {"IBM852", "IBM852", false, true, 1}},
    {"IBM855", {"IBM855", "IBM855", false, true, 1}},
    {"CP855", {"IBM855", "IBM855", false, true, 1}},
    {"IBM857", {"IBM857", "IBM857", false, true, 1}},
    {"CP857", {"IBM857", "IBM857", false, true, 1}},
    {"IBM860", {"IBM860", "IBM860", false, true, 1}},
    {"CP860", {"IBM860", "IBM860", false, true, 1}},
    {"IBM861", {"IBM861", "IBM861", false, true, 1}},
    {"CP861", {"IBM861", "IBM861", false, true, 1}},
    {"IBM862", {"IBM862", "IBM862", false, true, 1}},
    {"CP862", {"IBM862", "IBM862", false, true, 1}},
    {"IBM863", {"IBM863", "IBM863", false, true, 1}},
    {"CP863", {"IBM863", "IBM863", false, true, 1}},
    {"IBM864", {"IBM864", "IBM864", false, true, 1}},
    {"CP864", {"IBM864", "IBM864", false, true, 1}},
    {"IBM865", {"IBM865", "IBM865", false, true, 1}},
    {"CP865", {"IBM865", "IBM865", false, true, 1}},
    {"IBM866", {"IBM866", "IBM866", false, true, 1}},
    {"CP866", {"IBM866", "IBM866", false, true, 1}},
    {"IBM869", {"IBM869", "IBM869", false, true, 1}},
    {"CP869", {"IBM869", "IBM869", false, true, 1}},
    {"CP850", {"CP850", "IBM850", false, true, 1}},
    {"IBM850", {"CP850", "IBM850", false, true, 1}},
    {"CP858", {"CP858", "CP858", false, true, 1}},
    {"IBM775", {"IBM775", "CP775", false, true, 1}},
    {"CP775", {"IBM775", "CP775", false, true, 1}},
    {"IBM737", {"IBM737", "CP737", false, true, 1}},
    {"CP737", {"IBM737", "CP737", false, true, 1}},
    {"IBM037", {"IBM037", "IBM037", false, false, 1}},
    {"ebcdic-cp-us", {"IBM037", "IBM037", false, false, 1}},
    {"macRoman", {"macRoman", "MACINTOSH", false, true, 1}},
    {"macCyrillic", {"macCyrillic", "MAC-CYRILLIC", false, true, 1}},
    {"macCentEuro", {"macCentEuro", "MAC-CENTRALEUROPE", false, true, 1}},
};

static bool charset_known(const struct charset *charset)
{
    if (charset->utf8) return true;
    iconv_t cd = iconv_open("UTF-8", charset->iconv_name);
    if (cd == (iconv_t)-1) return false;
    iconv_close(cd);
    return true;
}

err charset_find(slice name, const struct charset **out)
{
    for (size_t i = 0; i < ARRAY_LEN(charsets); i++) {
        if (!slice_equal_nocase(name, slice_from_cstr(charsets[i].name))) continue;
        if (!charset_known(&charsets[i].charset)) return ERR_UNSUPPORTED;
        *out = &charsets[i].charset;
        return ERR_OK;
    }
    return ERR_UNSUPPORTED;
}

err charset_decoder_init(struct charset_decoder *d, const struct charset *charset)
{
    *d = (struct charset_decoder){.charset = charset};
    if (charset->utf8) return ERR_OK;
    iconv_t cd = iconv_open("UTF-8", charset->iconv_name);
    if (cd == (iconv_t)-1) return ERR_SYSTEM;
    d->iconv = cd;
    return ERR_OK;
}

void charset_decoder_fini(struct charset_decoder *d)
{
    if (d->iconv != NULL) iconv_close(d->iconv);
    d->iconv = NULL;
}

static bool all_ascii(slice s)
{
    uint32_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, 8);
        if ((word & 0x8080808080808080ull) != 0) return false;
    }
    for (; i < s.n; i++)
        if (s.p[i] < 0) return false;
    return true;
}

/* Bytes to step over where the input is no character; a single surrogate takes its unit. */
static size_t bad_bytes(const struct charset *charset, size_t left)
{
    return left < charset->unit_bytes ? left : charset->unit_bytes;
}

/* Room for three bytes per byte is always enough: no encoding has denser characters. */
static slice transcode(struct charset_decoder *d, slice in, struct arena *arena, bool *changed)
{
    size_t cap = (size_t)in.n * 3 + 16;
    char *start = arena_alloc(arena, cap, 1);
    char *from = (char *)(uintptr_t)in.p;
    size_t left = in.n;
    char *to = start;
    size_t room = cap;
    iconv(d->iconv, NULL, NULL, NULL, NULL);
    while (left > 0) {
        size_t r = iconv(d->iconv, &from, &left, &to, &room);
        if (r != (size_t)-1) break;
        if (errno == E2BIG || room < 3) break;
        size_t bad = errno == EINVAL ? left : bad_bytes(d->charset, left);
        from += bad;
        left -= bad;
        memcpy(to, "\xef\xbf\xbd", 3);
        to += 3;
        room -= 3;
        *changed = true;
    }
    if (room > 0) iconv(d->iconv, NULL, NULL, &to, &room);
    /* What was not needed goes back when nothing came after it. */
    if (arena->at == start + cap) arena->at = to;
    return slice_make(start, (size_t)(to - start));
}

slice charset_decode(struct charset_decoder *d, slice in, struct arena *arena, bool *changed)
{
    bool ignored;
    if (changed == NULL) changed = &ignored;
    *changed = false;
    if (d->charset->ascii && all_ascii(in)) return in;
    if (!d->charset->utf8) return transcode(d, in, arena, changed);
    if (utf8_valid(in)) return in;
    *changed = true;
    return ruby_inspect_body(in, arena);
}
