#include "port.h"

#include <stdio.h>

void port_write(const char *text)
{
    (void)fputs(text, stdout);
}

uint64_t port_instructions(void)
{
    return 0;
}

void port_mark_stack(void)
{
}

uint32_t port_stack_used(void)
{
    return 0;
}
