/* blob.c - heap blobs for data that does not come from a buffer ring. */
#include "engine/event/blob.h"

#include <stdlib.h>

static void give_heap(struct blob *blob)
{
    free(blob);
}

struct blob *blob_new(uint32_t size)
{
    struct blob *blob = malloc(sizeof(*blob) + size + BLOB_PAD);
    ASSERT(blob != NULL);
    *blob = (struct blob){.data = (char *)(blob + 1), .size = size, .pins = 1, .give = give_heap};
    return blob;
}
