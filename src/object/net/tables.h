/* SPDX-License-Identifier: GPL-2.0-only */
/* The images of addresses, routes and rules: what address.c and address-restore.c share. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "image/image.h"
#include "object/net/address.h"

struct net_table {
	const char *what; /* NULL: the end of the list */
	enum image_id image;
	uint32_t word; /* at the beginning of the image */
	uint16_t type; /* RTM_NEW... of its messages; RTM_GET... is two more */
	int family;
	size_t header; /* of a message, behind struct nlmsghdr */
	size_t place;  /* in struct net_tables */
};

extern const struct net_table net_tables[];
