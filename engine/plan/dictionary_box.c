/* dictionary_box.c - the loader thread and its rings. */
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

/* Up to this interval the file is only read when its time has changed. */
#define SHORT_REFRESH_NS (300 * NS_PER_SEC)
#define USER_RING_SLOTS 8u
#define MESSAGE_SLOTS 1024u

struct dictionary_user {
    struct ring fresh, old;  /* to the user, back from it */
    struct dictionary *now;  /* the user's */
    struct dictionary *sent; /* the loader's: the last one handed over */
    struct dictionary_box *box;
    bool joined;                  /* the loader's: its second message says that it leaves */
    struct dictionary_user *next; /* the loader's list */
};

struct dictionary_box {
    struct dictionary_source source;
    struct dictionary *first, *newest;
    struct timespec file_time;
    struct dictionary_user *users;
    struct mpsc messages; /* users that join or leave; the box itself: stop */
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

static void let_go(struct dictionary_box *box, struct dictionary *d)
{
    ASSERT(d->holders > 0);
    if (--d->holders == 0 && d != box->newest && d != box->first) dictionary_free(d);
}

/* Takes old ones back, hands the newest over. */
static void user_serve(struct dictionary_box *box, struct dictionary_user *user)
{
    struct dictionary *d;
    while ((d = ring_pop(&user->old)) != NULL) let_go(box, d);
    if (user->sent == box->newest || !ring_push(&user->fresh, box->newest)) return;
    user->sent = box->newest;
    box->newest->holders++;
}

/* The user's shard is done with it: everything in its hands comes back. */
static void user_end(struct dictionary_box *box, struct dictionary_user *user)
{
    struct dictionary_user **at = &box->users;
    struct dictionary *d;
    while (*at != NULL && *at != user) at = &(*at)->next;
    if (*at == user) *at = user->next;
    while ((d = ring_pop(&user->old)) != NULL) let_go(box, d);
    while ((d = ring_pop(&user->fresh)) != NULL) let_go(box, d);
    let_go(box, user->now);
    ring_fini(&user->fresh);
    ring_fini(&user->old);
    free(user);
}

/* A user's first message joins it, its second one ends it. False: stop. */
static bool messages_take(struct dictionary_box *box)
{
    void *message;
    while ((message = mpsc_pop(&box->messages)) != NULL) {
        if (message == box) return false;
        struct dictionary_user *user = message;
        if (user->joined) {
            user_end(box, user);
            continue;
        }
        user->joined = true;
        box->first->holders++; /* where every user begins */
        user->next = box->users;
        box->users = user;
    }
    return true;
}

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
    struct dictionary *d = load(box, box->source.merge ? box->newest : NULL, reason);
    if (d == NULL) {
        log_warn("filters.translate",
                 "%s when loading dictionary file at %s, continuing with old dictionary", reason,
                 path);
        return;
    }
    struct dictionary *older = box->newest;
    box->newest = d;
    if (older->holders == 0 && older != box->first) dictionary_free(older);
    log_info("filters.translate", "refreshed dictionary file %s: %u entries", path, d->n);
}

static void *loader(void *arg)
{
    struct dictionary_box *box = arg;
    int64_t next_ns = clock_mono_ns() + box->source.refresh_ns;
    for (;;) {
        bell_arm(&box->bell);
        bool go_on = messages_take(box);
        int64_t now_ns = clock_mono_ns();
        bool due = now_ns >= next_ns;
        if (go_on && !due) {
            int64_t wait_ns = next_ns - now_ns;
            /* Once a second for those whose ring was full, and for what came back. */
            bell_wait(&box->bell, wait_ns > NS_PER_SEC ? NS_PER_SEC : wait_ns);
        }
        bell_disarm(&box->bell);
        if (!go_on) break;
        if (due) {
            refresh(box);
            next_ns = clock_mono_ns() + box->source.refresh_ns;
        }
        for (struct dictionary_user *u = box->users; u != NULL; u = u->next) user_serve(box, u);
    }
    return NULL;
}

/* ---- the box -------------------------------------------------------------------------- */

struct dictionary_box *dictionary_box_new(const struct dictionary_source *source, char *reason)
{
    struct dictionary_box *box = calloc(1, sizeof(*box));
    ASSERT(box != NULL);
    box->source = *source;
    file_time(source->path, &box->file_time);
    box->first = box->newest = load(box, NULL, reason);
    if (box->first == NULL) {
        free(box);
        return NULL;
    }
    mpsc_init(&box->messages, MESSAGE_SLOTS);
    if (source->refresh_ns <= 0) return box;
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
        bool sent = mpsc_push(&box->messages, box);
        ASSERT(sent);
        bell_ring(&box->bell);
        pthread_join(box->thread, NULL);
        bell_fini(&box->bell);
    }
    messages_take(box);
    ASSERT(box->users == NULL);
    if (box->newest != box->first) dictionary_free(box->newest);
    dictionary_free(box->first);
    mpsc_fini(&box->messages);
    free(box);
}

static void tell(struct dictionary_box *box, struct dictionary_user *user)
{
    bool sent = mpsc_push(&box->messages, user);
    ASSERT(sent);
    if (box->threaded) bell_ring(&box->bell);
}

struct dictionary_user *dictionary_join(struct dictionary_box *box)
{
    struct dictionary_user *user = calloc(1, sizeof(*user));
    ASSERT(user != NULL);
    ring_init(&user->fresh, USER_RING_SLOTS);
    ring_init(&user->old, USER_RING_SLOTS * 2);
    user->now = user->sent = box->first;
    user->box = box;
    if (box->threaded) tell(box, user);
    return user;
}

void dictionary_leave(struct dictionary_user *user)
{
    if (user->box->threaded) {
        tell(user->box, user);
        return;
    }
    ring_fini(&user->fresh);
    ring_fini(&user->old);
    free(user);
}

const struct dictionary *dictionary_now(struct dictionary_user *user)
{
    struct dictionary *fresh;
    while ((fresh = ring_pop(&user->fresh)) != NULL) {
        /* The ring back has room for all that can be out. */
        bool back = ring_push(&user->old, user->now);
        ASSERT(back);
        user->now = fresh;
    }
    return user->now;
}
