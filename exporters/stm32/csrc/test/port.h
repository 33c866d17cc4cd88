/* Functions of the machine that test_selftest.c uses. */
#ifndef PORT_H
#define PORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void port_write(const char *text);

/* Instructions executed so far, on an emulator that counts them; 0 elsewhere. */
uint64_t port_instructions(void);

/* Mark the unused part of the stack; then the largest number of bytes in use since, 0 where that is not known. */
void port_mark_stack(void);
uint32_t port_stack_used(void);

#ifdef __cplusplus
}
#endif

#endif
