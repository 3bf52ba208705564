/* odbc_url.c - which drivers, and what has to be quoted. */
#include "engine/filters/odbc_url.h"

struct known_url {
    const char *prefix, *driver;
    const char *port; /* by default; NULL: a file */
};

/* The names that Debian's packages give their drivers. */
static const struct known_url urls[] = {
    {"jdbc:sqlite:", "SQLite3", NULL},
    {"jdbc:postgresql://", "PostgreSQL Unicode", "5432"},
    {"jdbc:mysql://", "MariaDB Unicode", "3306"},
    {"jdbc:mariadb://", "MariaDB Unicode", "3306"},
};

/* What would end a part of a connection string. */
static bool is_plain(slice text)
{
    const char *bad = ";{}?&";
    for (; *bad != 0; bad++)
        if (slice_find_byte(text, *bad) >= 0) return false;
    return text.n > 0;
}

static bool url_add(const struct known_url *url, slice rest, struct buf *out)
{
    if (!is_plain(rest)) return false;
    if (url->port == NULL) {
        buf_printf(out, "Driver=%s;Database=%.*s", url->driver, SLICE_FMT(rest));
        return true;
    }
    int64_t slash = slice_find_byte(rest, '/');
    if (slash <= 0) return false;
    slice host = slice_part(rest, 0, (uint32_t)slash), base = slice_from(rest, (uint32_t)slash + 1);
    slice port = slice_from_cstr(url->port);
    int64_t colon = slice_find_byte(host, ':');
    if (colon > 0) {
        port = slice_from(host, (uint32_t)colon + 1);
        host = slice_part(host, 0, (uint32_t)colon);
    }
    buf_printf(out, "Driver=%s;Server=%.*s;Port=%.*s;Database=%.*s", url->driver, SLICE_FMT(host),
               SLICE_FMT(port), SLICE_FMT(base));
    return base.n > 0 && port.n > 0;
}

/* Values with what has a meaning stand in braces. */
static void pair_add(struct buf *out, const char *name, slice value)
{
    buf_printf(out, ";%s={", name);
    for (uint32_t i = 0; i < value.n; i++) {
        buf_add_byte(out, value.p[i]);
        if (value.p[i] == '}') buf_add_byte(out, '}');
    }
    buf_add_byte(out, '}');
}

bool odbc_url_add(slice url, slice user, slice password, struct buf *out)
{
    bool ok = true;
    if (slice_starts(url, SLICE("jdbc:"))) {
        ok = false;
        for (uint32_t i = 0; !ok && i < sizeof(urls) / sizeof(urls[0]); i++) {
            slice prefix = slice_from_cstr(urls[i].prefix);
            if (slice_starts(url, prefix)) ok = url_add(&urls[i], slice_from(url, prefix.n), out);
        }
    } else {
        buf_add_slice(out, url);
    }
    if (user.n > 0) pair_add(out, "UID", user);
    if (password.n > 0) pair_add(out, "PWD", password);
    return ok;
}
