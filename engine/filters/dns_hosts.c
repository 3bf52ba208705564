/* dns_hosts.c - lines of an address and its names. */
#include "engine/filters/dns_hosts.h"

#include <stdio.h>
#include <stdlib.h>

static slice word_next(slice *rest)
{
    uint32_t from = 0, n = 0;
    while (from < rest->n && slice_trim(slice_part(*rest, from, 1)).n == 0) from++;
    while (from + n < rest->n && slice_trim(slice_part(*rest, from + n, 1)).n == 1) n++;
    slice word = slice_part(*rest, from, n);
    *rest = slice_from(*rest, from + n);
    return word;
}

static void line_take(struct dns_hosts *hosts, slice line, struct arena *arena)
{
    int64_t comment = slice_find_byte(line, '#');
    if (comment >= 0) line = slice_part(line, 0, (uint32_t)comment);
    slice address = arena_copy(arena, word_next(&line)), name;
    while (address.n > 0 && (name = word_next(&line)).n > 0) {
        name = arena_copy(arena, name);
        map_put(&hosts->address_of, arena, key_borrow(name), value_string(address));
        struct key key = key_borrow(address);
        if (map_find(&hosts->name_of, address, key.hash) == NULL)
            map_append(&hosts->name_of, arena, key, value_string(name));
    }
}

err dns_hosts_read(struct dns_hosts *hosts, const char *path, struct arena *arena)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    *hosts = (struct dns_hosts){0};
    if (file == NULL) return ERR_SYSTEM;
    for (ssize_t n; (n = getline(&line, &room, file)) >= 0;)
        line_take(hosts, slice_make(line, (size_t)n), arena);
    free(line);
    bool ok = !ferror(file);
    fclose(file);
    return ok ? ERR_OK : ERR_SYSTEM;
}

static slice find(const struct map *map, slice key)
{
    const struct member *m = map->n == 0 ? NULL : map_find(map, key, hash_key(key.p, key.n));
    return m == NULL ? SLICE_NONE : value_slice(&m->val);
}

slice dns_hosts_address(const struct dns_hosts *hosts, slice name)
{
    return find(&hosts->address_of, name);
}

slice dns_hosts_name(const struct dns_hosts *hosts, slice address)
{
    return find(&hosts->name_of, address);
}
