/* file_gzip.c - a streaming ISA-L deflate. */
#include "engine/outputs/file_gzip.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#include "engine/base/assert.h"

#define GZIP_IN_MAX (1u << 30)
#define GZIP_OUT_STEP 65536u

struct file_gzip {
    struct isal_zstream stream;
    bool begun;
    uint8_t level[ISAL_DEF_LVL1_DEFAULT];
};

struct file_gzip *file_gzip_new(void)
{
    struct file_gzip *gz = malloc(sizeof(*gz));
    ASSERT(gz != NULL);
    isal_deflate_init(&gz->stream);
    gz->stream.level = 1;
    gz->stream.level_buf = gz->level;
    gz->stream.level_buf_size = sizeof(gz->level);
    gz->stream.gzip_flag = IGZIP_GZIP;
    gz->begun = false;
    return gz;
}

void file_gzip_free(struct file_gzip *gz)
{
    free(gz);
}

static void run(struct file_gzip *gz, const char *p, uint32_t n, struct buf *out)
{
    struct isal_zstream *z = &gz->stream;
    z->next_in = (uint8_t *)(uintptr_t)p;
    z->avail_in = n;
    do {
        buf_room(out, GZIP_OUT_STEP);
        z->next_out = (uint8_t *)buf_end(out);
        z->avail_out = GZIP_OUT_STEP;
        int result = isal_deflate(z);
        ASSERT(result == COMP_OK);
        out->n += GZIP_OUT_STEP - z->avail_out;
    } while (z->avail_out == 0 || z->avail_in > 0);
}

void file_gzip_add(struct file_gzip *gz, const char *p, size_t n, struct buf *out)
{
    gz->begun = true;
    gz->stream.flush = NO_FLUSH;
    while (n > 0) {
        uint32_t part = n > GZIP_IN_MAX ? GZIP_IN_MAX : (uint32_t)n;
        run(gz, p, part, out);
        p += part;
        n -= part;
    }
}

void file_gzip_flush(struct file_gzip *gz, struct buf *out)
{
    if (!gz->begun) return;
    gz->stream.flush = SYNC_FLUSH;
    run(gz, NULL, 0, out);
}

bool file_gzip_end(struct file_gzip *gz, struct buf *out)
{
    if (!gz->begun) return false;
    gz->stream.flush = NO_FLUSH;
    gz->stream.end_of_stream = 1;
    run(gz, NULL, 0, out);
    return true;
}
