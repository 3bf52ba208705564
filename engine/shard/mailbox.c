/* mailbox.c - the bell and the box. */
#include "engine/shard/mailbox.h"

#include <sched.h>

void mailbox_init(struct mailbox *m, struct io *io)
{
    mpsc_init(&m->queue, MAILBOX_SLOTS);
    m->io = io;
    atomic_init(&m->asleep, 0);
}

void mailbox_fini(struct mailbox *m)
{
    mpsc_fini(&m->queue);
}

void mailbox_notify(struct mailbox *m)
{
    /* Partner: the fence in mailbox_sleep. Either the shard sees what was pushed before this, or
     * we see it asleep. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&m->asleep, memory_order_relaxed) &&
        atomic_exchange_explicit(&m->asleep, 0, memory_order_relaxed))
        io_wake(m->io);
}

void mailbox_post(struct mailbox *m, struct message *message)
{
    while (!mpsc_push(&m->queue, message)) {
        mailbox_notify(m);
        sched_yield();
    }
    mailbox_notify(m);
}

void mailbox_run(struct mailbox *m, struct shard *shard)
{
    struct message *message;
    while ((message = mpsc_pop(&m->queue)) != NULL) message->run(message, shard);
}

void mailbox_sleep(struct mailbox *m)
{
    atomic_store_explicit(&m->asleep, 1, memory_order_relaxed);
    /* Partner: the fence in mailbox_notify. */
    atomic_thread_fence(memory_order_seq_cst);
}

void mailbox_awake(struct mailbox *m)
{
    atomic_store_explicit(&m->asleep, 0, memory_order_relaxed);
}
