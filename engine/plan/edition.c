/* edition.c - users, their rings, who holds what. */
#include "engine/plan/edition.h"

#include <stdlib.h>

#include "engine/base/assert.h"

#define USER_RING_SLOTS 8u
#define MESSAGE_SLOTS 1024u

struct edition_user {
    struct ring fresh, old; /* to the user, back from it */
    struct edition *now;    /* the user's */
    struct edition *sent;   /* the publisher's: the last one handed over */
    struct editions *of;
    bool joined;               /* the publisher's: its second message says that it leaves */
    struct edition_user *next; /* the publisher's list */
};

/* ---- the publisher's thread ----------------------------------------------------------------- */

static void let_go(struct editions *e, struct edition *edition)
{
    ASSERT(edition->holders > 0);
    if (--edition->holders == 0 && edition != e->newest && edition != e->first) e->free(edition);
}

/* Takes old ones back, hands the newest over. */
static void user_serve(struct editions *e, struct edition_user *user)
{
    struct edition *edition;
    while ((edition = ring_pop(&user->old)) != NULL) let_go(e, edition);
    if (user->sent == e->newest || !ring_push(&user->fresh, e->newest)) return;
    user->sent = e->newest;
    e->newest->holders++;
}

static void user_free(struct edition_user *user)
{
    ring_fini(&user->fresh);
    ring_fini(&user->old);
    free(user);
}

/* The user's shard is done with it: everything in its hands comes back. */
static void user_end(struct editions *e, struct edition_user *user)
{
    struct edition_user **at = &e->users;
    struct edition *edition;
    while (*at != NULL && *at != user) at = &(*at)->next;
    if (*at == user) *at = user->next;
    while ((edition = ring_pop(&user->old)) != NULL) let_go(e, edition);
    while ((edition = ring_pop(&user->fresh)) != NULL) let_go(e, edition);
    let_go(e, user->now);
    user_free(user);
}

/* A user's first message joins it, its second one ends it. */
static void messages_take(struct editions *e)
{
    struct edition_user *user;
    while ((user = mpsc_pop(&e->messages)) != NULL) {
        if (user->joined) {
            user_end(e, user);
            continue;
        }
        user->joined = true;
        e->first->holders++; /* where every user begins */
        user->next = e->users;
        e->users = user;
    }
}

void editions_serve(struct editions *e)
{
    messages_take(e);
    for (struct edition_user *u = e->users; u != NULL; u = u->next) user_serve(e, u);
}

void editions_publish(struct editions *e, struct edition *edition)
{
    struct edition *older = e->newest;
    e->newest = edition;
    if (older->holders == 0 && older != e->first) e->free(older);
    editions_serve(e);
}

/* ---- control thread ------------------------------------------------------------------------- */

void editions_init(struct editions *e, struct edition *first, bool published,
                   void (*release)(struct edition *edition))
{
    *e =
        (struct editions){.free = release, .first = first, .newest = first, .published = published};
    mpsc_init(&e->messages, MESSAGE_SLOTS);
}

void editions_fini(struct editions *e)
{
    messages_take(e);
    ASSERT(e->users == NULL);
    if (e->newest != e->first) e->free(e->newest);
    e->free(e->first);
    mpsc_fini(&e->messages);
}

/* ---- users ---------------------------------------------------------------------------------- */

static void tell(struct edition_user *user)
{
    bool sent = mpsc_push(&user->of->messages, user);
    ASSERT(sent);
}

struct edition_user *edition_join(struct editions *e)
{
    struct edition_user *user = calloc(1, sizeof(*user));
    ASSERT(user != NULL);
    ring_init(&user->fresh, USER_RING_SLOTS);
    ring_init(&user->old, USER_RING_SLOTS * 2);
    user->now = user->sent = e->first;
    user->of = e;
    if (e->published) tell(user);
    return user;
}

void edition_leave(struct edition_user *user)
{
    if (user->of->published)
        tell(user);
    else
        user_free(user);
}

bool edition_is_over(const struct edition_user *user)
{
    return ring_depth(&user->fresh) > 0;
}

struct edition *edition_now(struct edition_user *user)
{
    struct edition *fresh;
    while ((fresh = ring_pop(&user->fresh)) != NULL) {
        /* The ring back has room for all that can be out. */
        bool back = ring_push(&user->old, user->now);
        ASSERT(back);
        user->now = fresh;
    }
    return user->now;
}
