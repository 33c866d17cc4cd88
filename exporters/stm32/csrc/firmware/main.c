#include "app.h"
#include "board.h"

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
        app_report(status);
    }
    return status != AED_OK;
}
