/*
 * init.h - raises the kernels of parsers/ to what the machine can run.
 *
 * The main thread calls parsers_init(cpu_init()) once, before other threads start; until
 * then every kernel is its scalar truth. Tests and benches call it again with any level the
 * machine has. It also remembers the host's time zone for event timestamps without one.
 */
#ifndef PARSERS_INIT_H
#define PARSERS_INIT_H
#include "engine/base/cpu.h"

/* `level` must not be above what cpu_init() found. */
void parsers_init(enum cpu_level level);

#endif
