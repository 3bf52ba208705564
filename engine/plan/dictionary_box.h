/*
 * dictionary_box.h - a dictionary that follows its file, shared by the shards that read it.
 *
 * One loader thread per box looks at the file (refresh_ns; a change of its time, when that is
 * at most 300 s) and builds the next dictionary. Each user is one shard's view: the loader
 * hands it new dictionaries by a ring and gets old ones back by another, and frees one that nobody
 * holds. Nobody ever waits. What users hand on of a dictionary's values must be copies.
 */
#ifndef ENGINE_PLAN_DICTIONARY_BOX_H
#define ENGINE_PLAN_DICTIONARY_BOX_H
#include "engine/plan/dictionary.h"

struct dictionary_box;
struct dictionary_user;

struct dictionary_source {
    const char *path;
    const char *cache_dir;
    enum dictionary_mode mode;
    bool merge; /* entries that left the file stay */
    uint64_t yaml_chars_max;
    int64_t refresh_ns; /* 0: never */
};

/* Reads the file for the first time; NULL with a reason. Control thread. */
struct dictionary_box *dictionary_box_new(const struct dictionary_source *source, char *reason);
/* Every user must have left. Control thread. */
void dictionary_box_free(struct dictionary_box *box);

struct dictionary_user *dictionary_join(struct dictionary_box *box);
void dictionary_leave(struct dictionary_user *user);
/* The newest there is for this user; valid until its next call. */
const struct dictionary *dictionary_now(struct dictionary_user *user);

#endif
