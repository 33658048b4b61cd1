/* SPDX-License-Identifier: GPL-2.0-only */
/* Integers as people read them: hex, flags, devices, words of a dictionary, addresses. Both directions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field_options;
struct json;
struct json_writer;

/* The options of a field, or NULL. */
const struct field_options *field_options_find(const char *message, uint32_t number);

/* An integer; signed ones come sign-extended. options may be NULL: a plain number. */
struct integer {
	uint64_t value;
	bool is_signed;
};

void integer_write(struct json_writer *writer, const struct field_options *options, const char *field, bool hex,
		   struct integer integer);
/* Takes the plain number and the text alike. Failures name the text. */
int integer_read(const struct json *json, const struct field_options *options, const char *field,
		 struct integer *integer);

#define ADDRESS_WORDS 4

/* One or four words in network order. Returns false for any other number: then they are numbers. */
bool address_write(struct json_writer *writer, const uint32_t *words, size_t n);
/* The words of an address in text; returns how many, 1 or 4. */
int address_read(const struct json *json, uint32_t words[ADDRESS_WORDS]);
