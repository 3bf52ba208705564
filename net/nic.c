/* nic.c - the process's set of devices, and how they are written in settings. */
#include "net/nic.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"

struct claim {
    struct nic_address address;
    uint16_t port;
};

static struct nics current;
static struct claim *claims;
static uint32_t claim_n, claim_cap;

#ifndef SPATE_DPDK
const struct nic_backend *nic_backend_dpdk(void)
{
    return NULL;
}
#endif

/* ---- addresses ---------------------------------------------------------------------------- */

static bool address_equal(const struct nic_address *a, const struct nic_address *b)
{
    return a->version == b->version && memcmp(a->at, b->at, sizeof(a->at)) == 0;
}

static bool address_parse(slice text, struct nic_address *out)
{
    char name[64];
    *out = (struct nic_address){0};
    if (text.n >= sizeof(name)) return false;
    slice_cstr(text, name, sizeof(name));
    if (inet_pton(AF_INET, name, out->at) == 1)
        out->version = 4;
    else if (inet_pton(AF_INET6, name, out->at) == 1)
        out->version = 6;
    return out->version != 0 && !nic_address_is_any(out);
}

struct nic_address nic_address_of(const struct sockaddr *from)
{
    struct nic_address a = {0};
    if (from->sa_family == AF_INET) {
        a.version = 4;
        memcpy(a.at, &((const struct sockaddr_in *)from)->sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        a.version = 6;
        memcpy(a.at, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
    }
    return a;
}

bool nic_address_is_any(const struct nic_address *a)
{
    static const uint8_t none[16] = {0};
    return memcmp(a->at, none, sizeof(none)) == 0;
}

/* ---- settings ----------------------------------------------------------------------------- */

static slice next_word(slice *text)
{
    slice rest = *text;
    while (rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t')) rest = slice_from(rest, 1);
    uint32_t n = 0;
    while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\t') n++;
    *text = slice_from(rest, n);
    return slice_part(rest, 0, n);
}

bool nic_device_parse(slice text, struct nic_device_config *out, char why[NIC_WHY_BYTES])
{
    *out = (struct nic_device_config){0};
    slice device = next_word(&text);
    for (slice word = next_word(&text); word.n > 0; word = next_word(&text)) {
        if (out->address_n == NIC_ADDRESSES_MAX) {
            snprintf(why, NIC_WHY_BYTES, "a device has at most %u addresses", NIC_ADDRESSES_MAX);
            return false;
        }
        if (!address_parse(word, &out->address[out->address_n++])) {
            snprintf(why, NIC_WHY_BYTES, "\"%.*s\" is no address of IPv4 or IPv6", SLICE_FMT(word));
            return false;
        }
    }
    if (out->address_n == 0) {
        snprintf(why, NIC_WHY_BYTES, "the device has no address");
        return false;
    }
    char *name = malloc(device.n + 1);
    ASSERT(name != NULL);
    slice_cstr(device, name, device.n + 1);
    out->device = name;
    return true;
}

/* ---- the set ------------------------------------------------------------------------------ */

err nics_open(const struct nic_backend *backend, const struct nic_config *config,
              char why[NIC_WHY_BYTES])
{
    ASSERT(current.device_n == 0 && config->device_n > 0);
    struct nics n = {
        .backend = backend, .device_n = config->device_n, .idle_sleep_ns = config->idle_sleep_ns};
    for (uint32_t i = 0; i < n.device_n; i++) {
        const struct nic_device_config *c = &config->device[i];
        memcpy(n.device[i].address, c->address, sizeof(c->address));
        n.device[i].address_n = c->address_n;
    }
    err e = backend->open(config, n.device, why);
    if (e == ERR_OK) current = n;
    return e;
}

void nics_close(void)
{
    if (current.device_n > 0) current.backend->close();
    current = (struct nics){0};
    free(claims);
    claims = NULL;
    claim_n = claim_cap = 0;
}

const struct nics *nics_get(void)
{
    return current.device_n == 0 ? NULL : &current;
}

bool nics_have(const struct nic_address *address)
{
    for (uint32_t i = 0; i < current.device_n; i++)
        for (uint32_t k = 0; k < current.device[i].address_n; k++)
            if (address_equal(&current.device[i].address[k], address)) return true;
    return false;
}

static int64_t claim_find(const struct nic_address *address, uint16_t port)
{
    for (uint32_t i = 0; i < claim_n; i++)
        if (claims[i].port == port && address_equal(&claims[i].address, address)) return i;
    return -1;
}

bool nics_claim(const struct nic_address *address, uint16_t port)
{
    if (claim_find(address, port) >= 0) return false;
    if (claim_n == claim_cap) {
        claim_cap = claim_cap == 0 ? 16 : claim_cap * 2;
        claims = realloc(claims, claim_cap * sizeof(*claims));
        ASSERT(claims != NULL);
    }
    claims[claim_n++] = (struct claim){*address, port};
    return true;
}

void nics_release(const struct nic_address *address, uint16_t port)
{
    int64_t at = claim_find(address, port);
    if (at >= 0) claims[at] = claims[--claim_n];
}
