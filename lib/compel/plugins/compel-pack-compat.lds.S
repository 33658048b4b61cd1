/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * For 32-bit parasites. Brings their parts together; "compel hgen" gives them their places. ld -r leaves the relocations in. What no
 * parasite needs is not thrown away here (ld -r must not), but passed over there.
 */
EXTERN(__export_parasite_head_start)
FORCE_COMMON_ALLOCATION
SECTIONS
{
	.text 0 : {
		*(.head.text)
		*(.text .text.*)
	}
	.rodata 0 : { *(.rodata .rodata.*) }
	.data 0 : {
		*(.data .data.*)
		. = ALIGN(8);
		__compel_plugins_start = .;
		KEEP(*(.compel.init))
		__compel_plugins_end = .;
	}
	.bss 0 : { *(.bss .bss.*) *(COMMON) }
}
