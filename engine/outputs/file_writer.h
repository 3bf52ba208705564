/*
 * file_writer.h - the thread of a file output that owns the open files.
 *
 * A request's body is a run of segments: a struct file_segment, the path, the bytes for that file.
 * The writer appends them in order and answers a request only when the operating system has all of
 * its bytes; what fails is tried again with growing pauses, going on at the byte reached, until
 * the pipeline stops. With gzip the answer waits for the flush that makes the bytes readable.
 * Owner: one writer thread per output; counters are read by any thread.
 */
#ifndef ENGINE_OUTPUTS_FILE_WRITER_H
#define ENGINE_OUTPUTS_FILE_WRITER_H
#include "engine/base/log.h"
#include "engine/shard/delivery.h"

/* Files open at the same time; beyond it the one that was used least recently is closed. */
#define FILE_WRITER_OPEN_MAX 1024u
/* The same with gzip, where every open file has some 300 KiB of compressor state. */
#define FILE_WRITER_GZIP_OPEN_MAX 128u
#define FILE_WRITER_BUCKETS 1024u
/* Requests of one lane's share that may wait for a gzip flush before it is made early. */
#define FILE_WRITER_HELD_MAX (DELIVERY_REQUESTS_MAX / 4)

/* Longest wait for a gzip flush: senders wait for their acknowledgement all the while. */
#define FILE_WRITER_HOLD_MAX_NS (200 * 1000 * 1000LL)

struct file_segment {
    uint32_t path_n, data_n;
};

struct file_writer_config {
    int64_t flush_ns;        /* 0: after every request */
    int64_t stale_ns;        /* files without a write for a whole such cycle are closed */
    int dir_mode, file_mode; /* -1: the system's */
    bool gzip, overwrite, create_if_deleted;
    bool constant;      /* the path is the same for all events: errors of the path are errors of
                           the configuration and are waited out instead of diverted */
    slice failure_path; /* NUL-terminated */
};

struct out_file;

struct file_writer {
    struct delivery delivery;
    struct file_writer_config config;
    const char *id;
    struct out_file *bucket[FILE_WRITER_BUCKETS];
    struct out_file *last; /* of the previous segment */
    uint32_t open_n;
    uint64_t serial;
    struct delivery_request *held; /* newest first */
    uint32_t held_n;
    int64_t next_flush_ns, next_stale_ns;
    struct log_gate error_gate, path_gate;
    struct counter bytes, opens, retries, diverted, files_open;
};

err file_writer_start(struct file_writer *w, const struct file_writer_config *config,
                      uint32_t shards) MUST_USE;
/* All lanes must have been closed. */
void file_writer_stop(struct file_writer *w);

#endif
