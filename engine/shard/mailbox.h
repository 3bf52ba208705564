/*
 * mailbox.h - how other threads reach a shard.
 *
 * Any thread posts a message; the shard runs it between steps. Writers that pass results by
 * their own rings only ring the bell (mailbox_notify). The bell is a system call only while the
 * shard sleeps.
 */
#ifndef ENGINE_SHARD_MAILBOX_H
#define ENGINE_SHARD_MAILBOX_H
#include "engine/base/ring.h"
#include "net/io.h"

struct shard;

struct message {
    void (*run)(struct message *message, struct shard *shard);
};

#define MAILBOX_SLOTS 4096u

struct mailbox {
    struct mpsc queue;
    struct io *io;
    _Atomic int asleep;
};

void mailbox_init(struct mailbox *m, struct io *io);
void mailbox_fini(struct mailbox *m);
/* Any thread. Waits for room when the box is full (the shard empties it every step). */
void mailbox_post(struct mailbox *m, struct message *message);
/* Any thread: the shard looks at its rings soon. */
void mailbox_notify(struct mailbox *m);
/* Shard only: runs what is there. */
void mailbox_run(struct mailbox *m, struct shard *shard);
/* Shard only: announce that it is about to sleep; whatever is posted from now on rings. The
 * shard must look at its rings once more between this and sleeping. */
void mailbox_sleep(struct mailbox *m);
void mailbox_awake(struct mailbox *m);

#endif
