// SPDX-License-Identifier: GPL-2.0-only
/* A device that nobody knows is refused by its name and number. */
#include "subject.h"

SUBJECT(.refused = "/dev/cpu_dma_latency.*device 10:[0-9]+")

int main(void)
{
	if (open("/dev/cpu_dma_latency", O_RDONLY) < 0)
		skip("/dev/cpu_dma_latency: %s", strerror(errno));
	checkpoint();
	return 0;
}
