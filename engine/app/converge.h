/*
 * converge.h - starts, reloads and ends pipelines until those run that the configuration wants.
 *
 * Pipelines that others send to start before them and end after them (links.h). What one could not
 * have because another had it (an address, a port) is tried once more when all had their turn.
 * Control thread.
 */
#ifndef ENGINE_APP_CONVERGE_H
#define ENGINE_APP_CONVERGE_H
#include "engine/app/control.h"

void converge(struct control *c);

#endif
