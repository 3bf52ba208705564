/*
 * coerce.h - one configuration value into one cfg member; used by settings.c only.
 *
 * Accepts what Logstash's Config::Mixin accepts: a list of one for a scalar, a scalar for a list,
 * an even list for a hash, "123" for a number, "true" for a boolean. Reports what it refuses.
 */
#ifndef ENGINE_CONFIG_COERCE_H
#define ENGINE_CONFIG_COERCE_H
#include "engine/config/settings.h"

struct coercion {
    const char *kind;
    slice plugin;
    const struct setting *setting;
    slice option; /* as the user spelled it */
    struct heap *heap;
    struct diag *diag;
};

/* False after reporting. `member` has the C type that settings.h lists for the setting's type. */
bool coerce_value(const struct coercion *c, const struct config_value *v, void *member);

#endif
