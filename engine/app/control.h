/*
 * control.h - the control thread: pipelines come, change and go as the configuration says.
 *
 * Converging compares what should run (wanted.h) with what runs: new pipelines start, those gone
 * from pipelines.yml stop, changed ones are replaced (reload.c). A configuration that does not
 * compile or open leaves the running one alone; the failure is logged and counted.
 */
#ifndef ENGINE_APP_CONTROL_H
#define ENGINE_APP_CONTROL_H
#include "engine/app/data_dir.h"
#include "engine/app/engine.h"
#include "engine/app/signals.h"

struct api;

struct control {
    struct engine engine;
    struct signals signals;
    const struct process_settings *settings;
    const char *path_settings;
    const struct env *env;
    struct wanted_set *first; /* read at start-up; NULL once it has been used */
    const char *uuid;         /* of this installation */
    struct api *api;
    char cache_dir[4096];
    /* Pipelines that could not be started: what was tried, so that the same text is not reported
     * every interval. */
    uint64_t failed_hash[ENGINE_PIPELINES_MAX];
    uint32_t failed_n;
};

/* Runs until a signal or until all inputs have ended; the exit code of the process. Takes `set`;
 * `data` is path.data, held. */
int control_run(const struct process_settings *settings, const char *path_settings,
                const struct env *env, const struct data_dir *data, struct wanted_set *set);

#endif
