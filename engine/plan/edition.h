/*
 * edition.h - a read-only thing of which there are new editions now and then, for many shards.
 *
 * One thread publishes; each user is one shard's view, which gets new editions by a ring and gives
 * the old ones back by another, so that nobody ever waits; an edition that nobody holds is freed by
 * the publisher. The thing begins with a struct edition. Every user begins with the first edition,
 * which stays as long as the shelf.
 *
 *   control thread   editions_init, editions_fini (every user has left, the publisher is gone)
 *   publisher        editions_serve, editions_publish
 *   a user's thread  edition_join, edition_now, edition_leave
 */
#ifndef ENGINE_PLAN_EDITION_H
#define ENGINE_PLAN_EDITION_H
#include "engine/base/ring.h"

struct edition {
    uint32_t holders;
};

struct edition_user;

struct editions {
    void (*free)(struct edition *edition);
    struct edition *first, *newest;
    struct edition_user *users;
    struct mpsc messages; /* users that join or leave */
    bool published;       /* somebody calls editions_serve() */
};

/* Takes `first`. Without a publisher it is the only one. */
void editions_init(struct editions *e, struct edition *first, bool published,
                   void (*free)(struct edition *edition));
void editions_fini(struct editions *e);

/* Takes note of users that came and went, takes old editions back, and hands over the newest to
 * users whose ring was full. To be called every second or so. */
void editions_serve(struct editions *e);
/* Takes the edition, and hands it to every user. */
void editions_publish(struct editions *e, struct edition *edition);

struct edition_user *edition_join(struct editions *e);
void edition_leave(struct edition_user *user);
/* Whether edition_now() would give back the one that the user has now. */
bool edition_is_over(const struct edition_user *user);
/* The newest there is for this user; valid until its next call. */
struct edition *edition_now(struct edition_user *user);

#endif
