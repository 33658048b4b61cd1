/* SPDX-License-Identifier: GPL-2.0-only */
/* The (criu) options of fields: how --pretty shows a number. The table is made from the .proto files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field_options {
	const char *message;
	uint32_t number;
	bool hex;	   /* 0x1f; on a message: all integers inside */
	bool ipadd;	   /* a list of words in network order is one address */
	bool dev, odev;	   /* major:minor, split as the kernel or as the C library does */
	const char *flags; /* name of a map of bits */
	const char *dict;  /* name of a dictionary */
	const char *conv;  /* bytes that are shown as quoted-printable text, always */
};

/* Sorted by message and number. */
extern const struct field_options field_options_table[];
extern const size_t field_options_count;
