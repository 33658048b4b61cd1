/* SPDX-License-Identifier: LGPL-2.1-only */
/* Text to numbers, fields and lines. Parsers return -EINVAL or -ERANGE, log nothing and accept no trailing garbage. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int text_to_u64(const char *text, int base, uint64_t *ret);
int text_to_u32(const char *text, int base, uint32_t *ret);
int text_to_int(const char *text, int *ret);
/* "1M", "4096", "3K", "2G" → bytes. */
int text_to_size(const char *text, uint64_t *ret);
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
/* If text starts with prefix, what follows, else NULL. */
const char *text_after(const char *text, const char *prefix);
/* Replaces control characters, but a newline at the end, by question marks: what a program calls itself must not look
 * like a line of ours, or move a cursor. */
void text_mask_controls(char *text, size_t size);
/* Replaces what is no UTF-8 by question marks; a character that was cut off at the end is removed. */
void text_make_utf8(char *text);
/* Cuts off and returns the next line of *cursor, or NULL at the end. Changes the text. */
char *text_line(char **cursor);
/* Cuts off and returns the next field separated by blanks or tabs, or NULL. Changes the text. */
char *text_field(char **cursor);

/* A number of bytes for people, as "1.5 GiB". */
void text_size(uint64_t bytes, char to[16]);
