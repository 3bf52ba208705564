/*
 * status.h - SIGUSR2: what every shard and pipeline is doing, as log lines.
 *
 * Counters come first and need no answer from a shard, so that they are there even when one hangs.
 */
#ifndef ENGINE_APP_STATUS_H
#define ENGINE_APP_STATUS_H
#include "engine/app/engine.h"

void status_log(struct engine *engine);

#endif
