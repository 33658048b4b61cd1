/* SPDX-License-Identifier: GPL-2.0-only */
/* --post-copy, where the program comes from: memory of stopped tasks for those that run on the other side. */
#pragma once

#include <stdint.h>

struct meter;
struct page_supply;
struct wire;

struct giving {
	struct page_supply *supply; /* NULL: nothing is left here */
	struct meter *meter;	    /* how fast it may be, while the tasks run */
	uint64_t bytes;		    /* given so far */
};

/* As wire_receive(), but whatever the other side asks for is given meanwhile. */
int giving_receive(struct giving *giving, struct wire *wire, unsigned seconds);
