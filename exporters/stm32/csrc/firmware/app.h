/* The application: microphone, frontend, network, streaming rule, log on the UART.

       board_init();
       status = app_start();
       while (status == AED_OK) {
           status = app_step();
       }
       app_report(status);

   The interrupt of the microphone copies half buffers into a ring; everything else is done in app_step, from the main
   loop. When the main loop is late and the ring is full, whole half buffers are dropped. The log says so in a comment
   line, `# late COUNT START END` (half buffers, seconds), and times count on. Events that were on end with the last patch
   before the gap; the frontend begins anew with the first patch that lies behind the gap as a whole, at its own place in
   time. No patch has samples from both sides of a gap, or samples that were made up. */
#ifndef APP_H
#define APP_H

#include "aed_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Write the header of the log, prepare the network and start the microphone. */
aed_status app_start(void);

/* Process a half buffer, or sleep where none has come; a patch, and with it the network, once in some. */
aed_status app_step(void);

/* Process what is in the ring, end events that are still on, and write the last line of the log: for a stream with an
   end, which a microphone's is not. */
aed_status app_end(void);

/* Write `# error: NAME`, a comment line of the log. */
void app_report(aed_status status);

/* Called by board.c, from the interrupt, when the first or the second half of the microphone's buffer is complete. */
void app_microphone_half(void);
void app_microphone_complete(void);

/* Called by board.c, from an interrupt of the same priority, when the microphone has stopped at an error and starts anew
   with its first half. The log has `# microphone restarted` and a gap. */
void app_microphone_restarts(void);

#ifdef __cplusplus
}
#endif

#endif
