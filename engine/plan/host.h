/*
 * host.h - the name of this machine, as inputs put it into events. Read once, any thread.
 */
#ifndef ENGINE_PLAN_HOST_H
#define ENGINE_PLAN_HOST_H
#include "engine/base/slice.h"

/* gethostname(2); lives as long as the process. */
slice host_name(void);

#endif
