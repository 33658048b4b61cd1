# SPDX-License-Identifier: GPL-2.0-only
# Runs in a virtual machine, from its first disk: writes sectors, reads them again, and says by the serial line a dot for each 16 that
# were right and an X for each that was not. usage: as --32 boot-sector.S -o o; ld -m elf_i386 -Ttext 0x7c00 --oformat binary o -o DISK
.code16
.globl _start
_start:
	cli
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $0x7c00, %sp
	sti
	cld
next:
	mov count, %ax
	mov $0x8000, %di
	mov $256, %cx
	rep stosw
	mov count, %ax		# to one of 1024 sectors behind this one
	and $1023, %ax
	inc %ax
	mov %ax, sector
	mov $0x4300, %ax
	call disk
	jc wrong
	xor %ax, %ax
	mov $0x8000, %di
	mov $256, %cx
	rep stosw
	mov $0x4200, %ax
	call disk
	jc wrong
	mov count, %ax
	cmp %ax, 0x8000
	jne wrong
	cmp %ax, 0x81fe
	jne wrong
	incw count
	testw $15, count
	jnz next
	mov $'.', %al
say:
	mov $0x3f8, %dx
	outb %al, %dx
	jmp next
wrong:
	incw count
	mov $'X', %al
	jmp say
disk:
	mov $packet, %si
	mov $0x80, %dl
	int $0x13
	ret
.align 4
packet:
	.byte 16, 0
	.word 1
	.word 0x8000, 0
sector:
	.word 0, 0, 0, 0
count:
	.word 0
.org 510
	.word 0xaa55
