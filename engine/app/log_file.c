/* log_file.c - making the folder, opening the file. */
#include "engine/app/log_file.h"

#include <errno.h>
#include <stdio.h>

#include "engine/app/data_dir.h"
#include "engine/base/log.h"

err log_file_open(const struct process_settings *s)
{
    slice folder = process_settings_text(s, "path.logs");
    bool json = slice_equal(process_settings_text(s, "log.format"), SLICE("json"));
    char path[4096];
    if (folder.p == NULL) return ERR_OK;
    snprintf(path, sizeof(path), "%.*s/spate-%s.log", SLICE_FMT(folder), json ? "json" : "plain");
    if (folder_make(folder.p) == ERR_OK && log_set_file(path) == ERR_OK) return ERR_OK;
    fprintf(stderr, "ERROR: path.logs: cannot write %s: %s\n", path, strerror(errno));
    return ERR_SYSTEM;
}
