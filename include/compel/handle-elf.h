/* SPDX-License-Identifier: LGPL-2.1-only */
/* What "compel hgen" leaves to be done when a blob gets its address. */
#ifndef COMPEL_HANDLE_ELF_H
#define COMPEL_HANDLE_ELF_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One place in the blob that depends on the address. All numbers are bytes from the beginning of the blob.
 *	LONG		8 bytes at offset become base + value + addend
 *	INT		the same with 4 bytes
 *	GOTPCREL	the next slot of the GOT (8 bytes; first one first) becomes base + value; the 4 bytes at offset
 * become slot + addend - offset
 */
typedef struct {
	unsigned int offset;
	unsigned int type; /* COMPEL_TYPE_* */
	long addend;
	long value; /* offset of the symbol */
} compel_reloc_t;

#define COMPEL_TYPE_INT	     (1u << 0)
#define COMPEL_TYPE_LONG     (1u << 1)
#define COMPEL_TYPE_GOTPCREL (1u << 2)

struct parasite_blob_desc;

/* Applies the relocations of the description to the blob that lies at mem here and at vbase where it will run. */
void compel_relocs_apply(void *mem, void *vbase, struct parasite_blob_desc *pbd);

#ifdef __cplusplus
}
#endif

#endif
