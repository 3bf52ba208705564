/*
 * cpu.h - which SIMD variants this machine can run.
 *
 * cpu_init() runs once, before threads start. Kernels keep a function pointer that starts
 * at their scalar truth and is raised by their module's init function. The environment
 * variable SPATE_CPU (scalar, sse42, avx2, avx512) lowers the level, for tests and benches.
 */
#ifndef ENGINE_BASE_CPU_H
#define ENGINE_BASE_CPU_H
#include <stdbool.h>

/* CPU_AVX512 means F, BW, VL, VBMI and VBMI2 together (Ice Lake, Zen 4 and later). */
enum cpu_level { CPU_SCALAR, CPU_SSE42, CPU_AVX2, CPU_AVX512 };

enum cpu_level cpu_init(void);
/* What cpu_init found; CPU_SCALAR before it ran. */
enum cpu_level cpu_level(void);
const char *cpu_level_name(enum cpu_level level);
/* The SHA extensions; never at CPU_SCALAR. */
bool cpu_has_sha(void);

#endif
