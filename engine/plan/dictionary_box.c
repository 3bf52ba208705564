/* dictionary_box.c - the loader thread. */
#include "engine/plan/dictionary_box.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/base/assert.h"
#include "engine/base/bell.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/ring.h"
#include "engine/plan/edition.h"

/* Up to this interval the file is only read when its time has changed. */
#define SHORT_REFRESH_NS (300 * NS_PER_SEC)

struct dictionary_box {
    struct dictionary_source source;
    struct timespec file_time;
    struct editions editions;
    struct ring stop; /* anything in it: stop */
    struct bell bell;
    pthread_t thread;
    bool threaded;
};

static bool file_time(const char *path, struct timespec *out)
{
    struct stat st;
    if (stat(path, &st) != 0) return false;
    *out = st.st_mtim;
    return true;
}

static struct dictionary *load(struct dictionary_box *box, const struct dictionary *older,
                               char *reason)
{
    const struct dictionary_source *source = &box->source;
    struct dictionary *d = dictionary_new(source->mode);
    if (older != NULL) dictionary_put_all(d, older);
    if (dictionary_read(d, source->path, source->yaml_chars_max, reason) &&
        dictionary_finish(d, source->cache_dir, reason))
        return d;
    dictionary_free(d);
    return NULL;
}

/* ---- the loader's thread ------------------------------------------------------------ */

static void refresh(struct dictionary_box *box)
{
    char reason[DICTIONARY_ERROR_BYTES];
    struct timespec now;
    const char *path = box->source.path;
    if (!file_time(path, &now)) {
        log_warn("filters.translate",
                 "dictionary file read failure, continuing with old dictionary: %s", path);
        return;
    }
    bool changed = now.tv_sec != box->file_time.tv_sec || now.tv_nsec != box->file_time.tv_nsec;
    if (!changed && box->source.refresh_ns <= SHORT_REFRESH_NS) return;
    box->file_time = now;
    struct dictionary *newest = (struct dictionary *)box->editions.newest;
    struct dictionary *d = load(box, box->source.merge ? newest : NULL, reason);
    if (d == NULL) {
        log_warn("filters.translate",
                 "%s when loading dictionary file at %s, continuing with old dictionary", reason,
                 path);
        return;
    }
    log_info("filters.translate", "refreshed dictionary file %s: %u entries", path, d->n);
    editions_publish(&box->editions, &d->edition);
}

static void *loader(void *arg)
{
    struct dictionary_box *box = arg;
    int64_t next_ns = clock_mono_ns() + box->source.refresh_ns;
    for (;;) {
        bell_arm(&box->bell);
        bool go_on = ring_pop(&box->stop) == NULL;
        int64_t now_ns = clock_mono_ns();
        bool due = now_ns >= next_ns;
        if (go_on && !due) {
            int64_t wait_ns = next_ns - now_ns;
            /* Once a second for those that join or leave, for what came back, and for those whose
             * ring was full. */
            bell_wait(&box->bell, wait_ns > NS_PER_SEC ? NS_PER_SEC : wait_ns);
        }
        bell_disarm(&box->bell);
        if (!go_on) break;
        if (due) {
            refresh(box);
            next_ns = clock_mono_ns() + box->source.refresh_ns;
        }
        editions_serve(&box->editions);
    }
    return NULL;
}

/* ---- the box -------------------------------------------------------------------------- */

static void edition_free(struct edition *edition)
{
    dictionary_free((struct dictionary *)edition);
}

struct dictionary_box *dictionary_box_new(const struct dictionary_source *source, char *reason)
{
    struct dictionary_box *box = calloc(1, sizeof(*box));
    ASSERT(box != NULL);
    box->source = *source;
    file_time(source->path, &box->file_time);
    struct dictionary *first = load(box, NULL, reason);
    if (first == NULL) {
        free(box);
        return NULL;
    }
    ring_init(&box->stop, 1);
    bool follows = source->refresh_ns > 0;
    editions_init(&box->editions, &first->edition, follows, edition_free);
    if (!follows) return box;
    if (bell_init(&box->bell)) {
        box->threaded = pthread_create(&box->thread, NULL, loader, box) == 0;
        if (!box->threaded) bell_fini(&box->bell);
    }
    if (!box->threaded)
        log_warn("filters.translate", "no thread: %s is never refreshed", source->path);
    return box;
}

void dictionary_box_free(struct dictionary_box *box)
{
    if (box == NULL) return;
    if (box->threaded) {
        bool sent = ring_push(&box->stop, box);
        ASSERT(sent);
        bell_ring(&box->bell);
        pthread_join(box->thread, NULL);
        bell_fini(&box->bell);
    }
    editions_fini(&box->editions);
    ring_fini(&box->stop);
    free(box);
}

struct dictionary_user *dictionary_join(struct dictionary_box *box)
{
    return (struct dictionary_user *)edition_join(&box->editions);
}

void dictionary_leave(struct dictionary_user *user)
{
    edition_leave((struct edition_user *)user);
}

const struct dictionary *dictionary_now(struct dictionary_user *user)
{
    return (const struct dictionary *)edition_now((struct edition_user *)user);
}
