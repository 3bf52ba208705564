/* ip_net.c - inet_pton with Ruby's frills. */
#include "engine/plan/ip_net.h"

#include <arpa/inet.h>
#include <string.h>

bool ip_net_mask(struct ip_net *ip, int64_t bits)
{
    if (bits < 0 || bits > ip->size * 8) return false;
    ip->bits = (uint8_t)bits;
    for (uint32_t i = 0; i < ip->size; i++) {
        int64_t keep = bits - (int64_t)i * 8;
        if (keep <= 0)
            ip->bytes[i] = 0;
        else if (keep < 8)
            ip->bytes[i] &= (unsigned char)(0xff00u >> keep);
    }
    return true;
}

/* No leading zeros, which would be octal to some. */
static bool v4_is_plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        bool begins = p == text || p[-1] == '.';
        if (begins && p[0] == '0' && p[1] >= '0' && p[1] <= '9') return false;
    }
    return true;
}

static bool address_parse(slice text, struct ip_net *out)
{
    char copy[64];
    if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = slice_part(text, 1, text.n - 2);
    int64_t zone = slice_find_byte(text, '%');
    if (zone >= 0 && (uint32_t)zone + 1 == text.n) return false;
    if (zone >= 0) text.n = (uint32_t)zone;
    if (text.n == 0 || text.n >= sizeof(copy) || slice_find_byte(text, '\0') >= 0) return false;
    slice_cstr(text, copy, sizeof(copy));
    memset(out->bytes, 0, sizeof(out->bytes));
    if (zone < 0 && v4_is_plain(copy) && inet_pton(AF_INET, copy, out->bytes) == 1) {
        out->size = 4;
    } else if (inet_pton(AF_INET6, copy, out->bytes) == 1) {
        out->size = 16;
    } else {
        return false;
    }
    out->bits = (uint8_t)(out->size * 8);
    return true;
}

/* A mask written as an address has its ones in front. */
static int64_t mask_bits(const struct ip_net *mask)
{
    int64_t bits = 0;
    bool ended = false;
    for (uint32_t i = 0; i < mask->size * 8u; i++) {
        bool one = mask->bytes[i / 8] >> (7 - i % 8) & 1;
        if (one && ended) return -1;
        ended = ended || !one;
        bits += one;
    }
    return bits;
}

bool ip_net_parse(slice text, struct ip_net *out)
{
    int64_t slash = slice_find_byte(text, '/');
    if (slash < 0) return address_parse(text, out);
    slice mask = slice_from(text, (uint32_t)slash + 1);
    if (!address_parse(slice_part(text, 0, (uint32_t)slash), out)) return false;
    int64_t bits;
    struct ip_net written;
    bool number = mask.n > 0 && mask.p[0] >= '0' && mask.p[0] <= '9';
    if (number && mask.p[0] == '0' && mask.n > 1 && slice_find_byte(mask, '.') < 0) return false;
    if (number && slice_to_i64(mask, &bits)) return ip_net_mask(out, bits);
    return address_parse(mask, &written) && written.size == out->size &&
           ip_net_mask(out, mask_bits(&written));
}

bool ip_net_has(const struct ip_net *outer, const struct ip_net *inner)
{
    if (outer->size != inner->size || outer->bits > inner->bits) return false;
    uint32_t whole = outer->bits / 8u, rest = outer->bits % 8u;
    if (memcmp(outer->bytes, inner->bytes, whole) != 0) return false;
    if (rest == 0) return true;
    return ((outer->bytes[whole] ^ inner->bytes[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

slice ip_net_text(const struct ip_net *ip, struct arena *arena)
{
    char *out = arena_alloc(arena, INET6_ADDRSTRLEN, 1);
    const char *text =
        inet_ntop(ip->size == 4 ? AF_INET : AF_INET6, ip->bytes, out, INET6_ADDRSTRLEN);
    return slice_from_cstr(text);
}
