/* SPDX-License-Identifier: GPL-2.0-only */
/* Integers as people read them. The maps and dictionaries stand in tables that serve both directions. */
#include "crit/values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/fail.h"
#include "crit/field-options.h"
#include "crit/json.h"

#define KERNEL_MINOR_BITS 20

struct name {
	const char *name;
	uint64_t value;
};

static const struct name mmap_prot[] = { { "PROT_READ", 1 }, { "PROT_WRITE", 2 }, { "PROT_EXEC", 4 }, { 0 } };

static const struct name mmap_flags[] = {
	{ "MAP_SHARED", 1 },  { "MAP_PRIVATE", 2 },	  { "MAP_DROPPABLE", 8 },
	{ "MAP_ANON", 0x20 }, { "MAP_GROWSDOWN", 0x100 }, { 0 },
};

static const struct name mmap_status[] = {
	{ "VMA_AREA_NONE", 0 },
	{ "VMA_AREA_REGULAR", 1 },
	{ "VMA_AREA_STACK", 2 },
	{ "VMA_AREA_VSYSCALL", 4 },
	{ "VMA_AREA_VDSO", 8 },
	{ "VMA_AREA_HEAP", 0x20 },
	{ "VMA_FILE_PRIVATE", 0x40 },
	{ "VMA_FILE_SHARED", 0x80 },
	{ "VMA_ANON_SHARED", 0x100 },
	{ "VMA_ANON_PRIVATE", 0x200 },
	{ "VMA_AREA_SYSVIPC", 0x400 },
	{ "VMA_AREA_SOCKET", 0x800 },
	{ "VMA_AREA_VVAR", 0x1000 },
	{ "VMA_AREA_AIORING", 0x2000 },
	{ "VMA_AREA_MEMFD", 0x4000 },
	{ "VMA_AREA_SHSTK", 0x8000 },
	{ "VMA_AREA_UPROBES", 0x20000 },
	{ "VMA_UNSUPP", 0x80000000 },
	{ 0 },
};

/* The numbers of x86, also elsewhere: they are part of the text format. */
static const struct name rfile_flags[] = {
	{ "O_WRONLY", 01 },
	{ "O_RDWR", 02 },
	{ "O_CREAT", 0100 },
	{ "O_EXCL", 0200 },
	{ "O_NOCTTY", 0400 },
	{ "O_TRUNC", 01000 },
	{ "O_APPEND", 02000 },
	{ "O_NONBLOCK", 04000 },
	{ "O_DSYNC", 010000 },
	{ "FASYNC", 020000 },
	{ "O_DIRECT", 040000 },
	{ "O_LARGEFILE", 0100000 },
	{ "O_DIRECTORY", 0200000 },
	{ "O_NOFOLLOW", 0400000 },
	{ "O_NOATIME", 01000000 },
	{ "O_CLOEXEC", 02000000 },
	{ 0 },
};

static const struct name pmap_flags[] = { { "PE_PARENT", 1 }, { "PE_LAZY", 2 }, { "PE_PRESENT", 4 }, { 0 } };

static const struct name seals_flags[] = {
	{ "F_SEAL_SEAL", 1 },  { "F_SEAL_SHRINK", 2 },	      { "F_SEAL_GROW", 4 },
	{ "F_SEAL_WRITE", 8 }, { "F_SEAL_FUTURE_WRITE", 16 }, { 0 },
};

/* The labels of 3 and 6 are not what these numbers mean, but they are what everybody's scripts look for. */
static const struct name gen_task_state[] = { { "Alive", 1 }, { "Zombie", 3 }, { "Stopped", 6 }, { 0 } };

static const struct name sk_family[] = {
	{ "UNIX", 1 }, { "INET", 2 }, { "INET6", 10 }, { "NETLINK", 16 }, { "PACKET", 17 }, { 0 },
};

static const struct name sk_type[] = {
	{ "STREAM", 1 }, { "DGRAM", 2 }, { "RAW", 3 }, { "SEQPACKET", 5 }, { "PACKET", 10 }, { 0 },
};

static const struct name sk_state[] = {
	{ "ESTABLISHED", 1 },
	{ "SYN_SENT", 2 },
	{ "SYN_RECV", 3 },
	{ "FIN_WAIT1", 4 },
	{ "FIN_WAIT2", 5 },
	{ "TIME_WAIT", 6 },
	{ "CLOSE", 7 },
	{ "CLOSE_WAIT", 8 },
	{ "LAST_ACK", 9 },
	{ "LISTEN", 10 },
	{ 0 },
};

static const struct name sk_proto[] = { { "IP", 0 }, { "TCP", 6 }, { "UDP", 17 }, { "UDPLITE", 136 }, { 0 } };

static const struct {
	const char *map, *field; /* field NULL: of all fields */
	const struct name *names;
} maps[] = {
	{ "mmap.prot", NULL, mmap_prot },
	{ "mmap.flags", NULL, mmap_flags },
	{ "mmap.status", NULL, mmap_status },
	{ "rfile.flags", NULL, rfile_flags },
	{ "pmap.flags", NULL, pmap_flags },
	{ "seals.flags", NULL, seals_flags },
	{ "gen", "task_state", gen_task_state },
	{ "sk", "family", sk_family },
	{ "sk", "type", sk_type },
	{ "sk", "state", sk_state },
	{ "sk", "proto", sk_proto },
};

static const struct name *find_map(const char *map, const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		if (strcmp(maps[i].map, map) == 0 && (!maps[i].field || strcmp(maps[i].field, field) == 0))
			return maps[i].names;
	}
	return NULL;
}

static const struct name *find_name(const struct name *names, const char *text, size_t size)
{
	for (; names && names->name; names++) {
		if (strlen(names->name) == size && memcmp(names->name, text, size) == 0)
			return names;
	}
	return NULL;
}

struct field_key {
	const char *message;
	uint32_t number;
};

static int compare_options(const void *key, const void *row)
{
	const struct field_key *wanted = key;
	const struct field_options *options = row;
	int order = strcmp(wanted->message, options->message);

	return order ?: (wanted->number > options->number) - (wanted->number < options->number);
}

const struct field_options *field_options_find(const char *message, uint32_t number)
{
	struct field_key key = { message, number };

	return bsearch(&key, field_options_table, field_options_count, sizeof(field_options_table[0]), compare_options);
}

static void write_hex(struct json_writer *writer, struct integer integer)
{
	bool negative = integer.is_signed && (int64_t)integer.value < 0;
	char text[32];

	snprintf(text, sizeof(text), "%s0x%" PRIx64, negative ? "-" : "", negative ? -integer.value : integer.value);
	json_write_string(writer, text);
}

static void write_flags(struct json_writer *writer, const struct name *names, uint64_t value)
{
	struct buffer text = { 0 };

	for (; names->name; names++) {
		if (!(value & names->value))
			continue;
		buffer_printf(&text, "%s%s", text.size ? " | " : "", names->name);
		value &= ~names->value;
	}
	if (value)
		buffer_printf(&text, "%s0x%" PRIx64, text.size ? " | " : "", value);
	json_write_text(writer, text.data, text.size);
	buffer_done(&text);
}

static void write_device(struct json_writer *writer, const struct field_options *options, uint64_t value)
{
	char text[32];

	if (options->odev)
		snprintf(text, sizeof(text), "%u:%u", major(value), minor(value));
	else
		snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64, value >> KERNEL_MINOR_BITS,
			 value & ((1u << KERNEL_MINOR_BITS) - 1));
	json_write_string(writer, text);
}

static void write_number(struct json_writer *writer, struct integer integer)
{
	if (integer.is_signed)
		json_printf(writer, "%" PRId64, (int64_t)integer.value);
	else
		json_printf(writer, "%" PRIu64, integer.value);
}

void integer_write(struct json_writer *writer, const struct field_options *options, const char *field, bool hex,
		   struct integer integer)
{
	const struct name *names = NULL;

	if (hex || (options && options->hex))
		return write_hex(writer, integer);
	if (options && options->dev)
		return write_device(writer, options, integer.value);
	if (options && options->flags) {
		names = find_map(options->flags, field);
		return names ? write_flags(writer, names, integer.value) : write_hex(writer, integer);
	}
	if (options && options->dict)
		names = find_map(options->dict, field);
	for (; names && names->name; names++) {
		if (names->value == integer.value)
			return json_write_string(writer, names->name);
	}
	write_number(writer, integer);
}

/* Decimal, or with 0x, 0o or 0b in front; a sign only where the field has one. */
static int parse_number(const char *text, bool is_signed, uint64_t *ret)
{
	bool negative = *text == '-';
	const char *digits = text + negative;
	int base = 10;
	char *end;

	if (digits[0] == '0' && digits[1] && strchr("xXoObB", digits[1])) {
		base = strchr("xX", digits[1]) ? 16 : strchr("oO", digits[1]) ? 8 : 2;
		digits += 2;
	}
	/* strtoull takes blanks, signs and a second 0x. */
	if (!strchr("0123456789abcdefABCDEF", *digits) || !*digits || (base == 16 && (digits[1] | 0x20) == 'x'))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(digits, &end, base);
	if (*end || end == digits)
		return -EINVAL;
	if (errno || (negative && !is_signed && *ret) || (is_signed && *ret > (uint64_t)INT64_MAX + negative))
		return -ERANGE;
	if (negative)
		*ret = -*ret;
	return 0;
}

static int read_flags(const char *text, const struct name *names, uint64_t *ret)
{
	*ret = 0;
	while (*text) {
		size_t size = strcspn(text, "| ");
		const struct name *name = find_name(names, text, size);
		char number[32];
		uint64_t value;

		snprintf(number, sizeof(number), "%.*s", (int)size, text);
		if (name)
			value = name->value;
		else if (size && parse_number(number, false, &value) < 0)
			return refuse(EINVAL, "unknown flag '%.*s'", (int)size, text);
		*ret |= size ? value : 0;
		text += size;
		text += strspn(text, "| ");
	}
	return 0;
}

static int read_device(const char *text, const struct field_options *options, uint64_t *ret)
{
	unsigned numbers[2];
	int end = 0;

	if (sscanf(text, "%u:%u%n", &numbers[0], &numbers[1], &end) < 2 || text[end])
		return refuse(EINVAL, "'%s' is no device MAJOR:MINOR", text);
	*ret = options->odev ? makedev(numbers[0], numbers[1]) : (uint64_t)numbers[0] << KERNEL_MINOR_BITS | numbers[1];
	return 0;
}

int integer_read(const struct json *json, const struct field_options *options, const char *field,
		 struct integer *integer)
{
	const struct name *word = NULL;
	int error;

	if (json->type != JSON_NUMBER && json->type != JSON_TEXT)
		return refuse(EINVAL, "line %u: a number is wanted, this is %s", json->line, json_type_name(json));
	error = parse_number(json->text, integer->is_signed, &integer->value);
	if (error == 0)
		return 0;
	if (error == -ERANGE)
		return refuse(ERANGE, "line %u: the number %s is too big", json->line, json->text);
	if (json->type == JSON_TEXT && options && options->dev)
		return read_device(json->text, options, &integer->value);
	if (json->type == JSON_TEXT && options && options->flags)
		return read_flags(json->text, find_map(options->flags, field), &integer->value);
	if (json->type == JSON_TEXT && options && options->dict)
		word = find_name(find_map(options->dict, field), json->text, json->size);
	if (!word)
		return refuse(EINVAL, "line %u: '%s' is no number", json->line, json->text);
	integer->value = word->value;
	return 0;
}

bool address_write(struct json_writer *writer, const uint32_t *words, size_t n)
{
	char text[INET6_ADDRSTRLEN];

	if (n != 1 && n != ADDRESS_WORDS)
		return false;
	inet_ntop(n == 1 ? AF_INET : AF_INET6, words, text, sizeof(text));
	json_open(writer, '[');
	json_write_string(writer, text);
	json_close(writer, ']');
	return true;
}

int address_read(const struct json *json, uint32_t words[ADDRESS_WORDS])
{
	if (inet_pton(AF_INET, json->text, words) == 1)
		return 1;
	if (inet_pton(AF_INET6, json->text, words) == 1)
		return ADDRESS_WORDS;
	return refuse(EINVAL, "line %u: '%s' is no address", json->line, json->text);
}
