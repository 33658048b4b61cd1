/* SPDX-License-Identifier: GPL-2.0-only */
/* In place of cipher.c where this criu is built without GnuTLS: only the first two are ever called. */
#include "image/cipher.h"

#include <errno.h>

#include "base/fail.h"

int cipher_create(const char *const *certificates, size_t n, struct pool *pool, struct cipher **ret,
		  EncryptionEntry **ret_record)
{
	return refuse(ENOSYS, "--encrypt-to: this criu was built without GnuTLS (meson -Dtls=enabled)");
}

int cipher_open(const EncryptionEntry *record, const char *private_key, struct cipher **ret)
{
	return refuse(ENOSYS, "the images are encrypted: this criu was built without GnuTLS (meson -Dtls=enabled)");
}

void cipher_destroy(struct cipher **cipher)
{
	*cipher = NULL;
}

int cipher_context_create(const struct cipher *cipher, const uint8_t salt[CIPHER_SALT_SIZE],
			  struct cipher_context **ret)
{
	return -ENOSYS;
}

void cipher_context_destroy(struct cipher_context **context)
{
	*context = NULL;
}

int cipher_encrypt(struct cipher_context *context, uint64_t number, const void *about, size_t about_size,
		   const void *from, size_t size, void *to)
{
	return -ENOSYS;
}

int cipher_decrypt(struct cipher_context *context, uint64_t number, const void *about, size_t about_size,
		   const void *from, size_t size, void *to)
{
	return -ENOSYS;
}

int cipher_random(void *to, size_t size)
{
	return -ENOSYS;
}
