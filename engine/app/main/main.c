/* main.c - the process: everything else is in engine/app. */
#include "engine/app/cli.h"
#include "engine/app/commands.h"

int main(int argc, char **argv)
{
    int code;
    return commands_run(argc, argv, &code) ? code : cli_main(argc, argv);
}
