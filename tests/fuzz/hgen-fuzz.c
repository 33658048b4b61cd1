/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzz target: compel hgen. The input is a relocatable ELF file; it becomes a header, or is refused, but nothing
 * crashes. */
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "lib/compel/tool/tool.h"

#define ENOUGH 100000 /* bytes: a damaged size makes megabytes of zeros, in which there is nothing to find */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return log_open("/dev/null");
}

static int make_header(const uint8_t *data, size_t size)
{
	AUTO(object_done) struct object object = { 0 };
	AUTO(blob_done) struct blob blob = { 0 };
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(object_parse(&object, "parasite.po", data, size));
	TRY(blob_make(&object, &blob));
	return blob.bytes.size < ENOUGH ? header_write(&object, &blob, "p", &text) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	make_header(data, size);
	return 0;
}
