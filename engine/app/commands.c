/* commands.c - the first word of the command line, when it is no flag of the engine. */
#include "engine/app/commands.h"

#include <string.h>

bool commands_run(int argc, char **argv, int *code)
{
    if (argc == 2 && strcmp(argv[1], "--docs") == 0)
        *code = docs_main(NULL);
    else if (argc == 3 && strcmp(argv[1], "--docs") == 0)
        *code = docs_main(argv[2]);
    else if (argc >= 3 && strcmp(argv[1], "grok") == 0 && strcmp(argv[2], "explain") == 0)
        *code = grok_explain_main(argc - 3, argv + 3);
    else if (argc >= 2 && strcmp(argv[1], "lint") == 0)
        *code = lint_main(argc - 1, argv + 1);
    else if (argc >= 2 && strcmp(argv[1], "keystore") == 0)
        *code = keystore_main(argc - 2, argv + 2);
    else
        return false;
    return true;
}
