#include "app.h"
#include "board.h"

/* The codes of aed_status. */
static const char *const errors[] = {"", "argument", "not ready", "network"};

int main(void)
{
    board_init();
    aed_status status = app_start();
    while (status == AED_OK && board_microphone_runs()) {
        status = app_step();
    }
    if (status == AED_OK) {
        status = app_end();
    }
    if (status != AED_OK) {
        board_write("# error: ");
        board_write(errors[status]);
        board_write("\n");
    }
    return status != AED_OK;
}
