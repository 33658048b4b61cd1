/* SPDX-License-Identifier: GPL-2.0-only */
/* A program keeps the addresses of the functions of the vdso that it was started with. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Turns the functions of a vdso image into jumps to those of the same name in another one that
 * lies at own_address; address: where the image lies. */
int vdso_patch(uint8_t *image, size_t size, uint64_t address, const uint8_t *own, size_t own_size,
	       uint64_t own_address);
