/* SPDX-License-Identifier: LGPL-2.1-only */
/* The C header that carries a parasite. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/array.h"
#include "base/fail.h"
#include "lib/compel/tool/tool.h"

#define EXPORT "__export_"

static void write_symbols(const struct object *object, const char *prefix, struct buffer *out)
{
	for (size_t i = 0; i < object->n_symbols; i++) {
		const Elf64_Sym *symbol = &object->symbols[i];
		const char *name = object_symbol_name(object, symbol);
		int64_t at;

		if (strncmp(name, EXPORT, strlen(EXPORT)) != 0 ||
		    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")])
			continue;
		if (!symbol->st_shndx || symbol->st_shndx >= object->n_sections ||
		    object->places[symbol->st_shndx] == NOWHERE)
			continue;
		at = (int64_t)(object->places[symbol->st_shndx] + symbol->st_value);
		buffer_printf(out, "#define %s_sym%s 0x%" PRIx64 "\n", prefix, name, (uint64_t)at);
	}
}

static void write_relocs(const struct blob *blob, const char *prefix, struct buffer *out)
{
	buffer_printf(out, "\nstatic __attribute__((unused)) compel_reloc_t %s_relocs[] = {\n", prefix);
	for (size_t i = 0; i < blob->relocs.n; i++) {
		const compel_reloc_t *r = &blob->relocs.items[i];

		buffer_printf(out, "\t{ 0x%x, %u, %ld, 0x%lx },\n", r->offset, r->type, r->addend,
			      (unsigned long)r->value);
	}
	if (!blob->relocs.n) /* an empty array is no C */
		buffer_printf(out, "\t{ 0, 0, 0, 0 }, /* none */\n");
	buffer_printf(out, "};\n");
}

static void write_bytes(const struct blob *blob, const char *prefix, struct buffer *out)
{
	buffer_printf(out, "\nstatic __attribute__((unused, aligned(16))) const char %s_blob[] = {", prefix);
	for (size_t i = 0; i < blob->bytes.size; i++)
		buffer_printf(out, "%s%d,", i % 16 ? " " : "\n\t", (signed char)blob->bytes.data[i]);
	buffer_printf(out, "\n};\n");
}

static void write_setup(const struct blob *blob, const char *prefix, bool has_compat, struct buffer *out)
{
	uint64_t got = (blob->bytes.size + 7) & ~7ull;
	const char *p = prefix;

	buffer_printf(out,
		      "\nstatic __attribute__((unused)) void %s_setup_c_header_desc(struct parasite_blob_desc *pbd, "
		      "bool native)\n{\n"
		      "\tpbd->parasite_type = COMPEL_BLOB_CHEADER;\n"
		      "\tpbd->hdr.mem = %s_blob;\n"
		      "\tpbd->hdr.bsize = sizeof(%s_blob);\n",
		      p, p, p);
	if (has_compat)
		buffer_printf(out,
			      "\tpbd->hdr.parasite_ip_off = native ? %s_sym__export_parasite_head_start : "
			      "%s_sym__export_parasite_head_start_compat;\n",
			      p, p);
	else
		buffer_printf(out,
			      "\t(void)native; /* there is no 32-bit entry */\n"
			      "\tpbd->hdr.parasite_ip_off = %s_sym__export_parasite_head_start;\n",
			      p);
	buffer_printf(out,
		      "\tpbd->hdr.cmd_off = %s_sym__export_parasite_service_cmd;\n"
		      "\tpbd->hdr.args_ptr_off = %s_sym__export_parasite_service_args_ptr;\n"
		      "\tpbd->hdr.got_off = 0x%" PRIx64 ";\n"
		      "\tpbd->hdr.args_off = 0x%" PRIx64 ";\n"
		      "\tpbd->hdr.data_off = 0x%" PRIx64 ";\n"
		      "\tpbd->hdr.relocs = %s_relocs;\n"
		      "\tpbd->hdr.nr_relocs = %zu;\n}\n",
		      p, p, got, got + 8 * blob->slots, blob->data, p, blob->relocs.n);
	buffer_printf(out,
		      "\nstatic __attribute__((unused)) void %s_setup_c_header(struct parasite_ctl *ctl)\n{\n"
		      "\t%s_setup_c_header_desc(compel_parasite_blob_desc(ctl), compel_mode_native(ctl));\n}\n",
		      p, p);
}

int header_write(const struct object *object, const struct blob *blob, const char *prefix, struct buffer *out)
{
	static const char *const needed[] = { "parasite_head_start", "parasite_service_cmd",
					      "parasite_service_args_ptr" };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		char name[64] = EXPORT;

		strcat(name, needed[i]);
		if (blob_find_symbol(object, name) < 0)
			return refuse(ENOENT, "%s: %s is missing: link with $(compel plugins)", object->path, name);
	}
	buffer_printf(out, "/* Made by \"compel hgen\": a parasite and how to set it up. */\n#pragma once\n\n#include "
			   "<compel/infect.h>\n\n");
	write_symbols(object, prefix, out);
	write_relocs(blob, prefix, out);
	write_bytes(blob, prefix, out);
	write_setup(blob, prefix, blob_find_symbol(object, EXPORT "parasite_head_start_compat") >= 0, out);
	return 0;
}
