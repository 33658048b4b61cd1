/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Encrypting images: AES-256-GCM with a key that is made for one checkpoint and never lies in the clear beside the
 * images: it is there as often as there are recipients, encrypted to the public key of each (RSA). Every file has a key
 * of its own, derived by HKDF. cipher.c, or the answer that this criu was built without GnuTLS (cipher-none.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encryption.pb-c.h"

#define CIPHER_SALT_SIZE 16 /* of a file */
#define CIPHER_TAG_SIZE	 16 /* by which an encrypted block is longer */

struct pool;
struct cipher;

/*
 * A new key for the owners of these certificates (PEM files). The record, which is to lie beside the images, lives in
 * the pool.
 */
int cipher_create(const char *const *certificates, size_t n, struct pool *pool, struct cipher **ret,
		  EncryptionEntry **ret_record);
/* The key from its record, by the private key in a PEM file. */
int cipher_open(const EncryptionEntry *record, const char *private_key, struct cipher **ret);
/* Accepts NULL; wipes the key. */
void cipher_destroy(struct cipher **cipher);

/* What one thread needs to encrypt or decrypt blocks of one file. */
struct cipher_context;
int cipher_context_create(const struct cipher *cipher, const uint8_t salt[CIPHER_SALT_SIZE],
			  struct cipher_context **ret);
/* Accepts NULL. */
void cipher_context_destroy(struct cipher_context **context);
/* Block `number` of the file; about: what else must be the same when it is decrypted. `to` has room for the tag. */
int cipher_encrypt(struct cipher_context *context, uint64_t number, const void *about, size_t about_size,
		   const void *from, size_t size, void *to);
/* size without the tag. -EBADMSG, unlogged: it is not what was encrypted. */
int cipher_decrypt(struct cipher_context *context, uint64_t number, const void *about, size_t about_size,
		   const void *from, size_t size, void *to);
/* Random bytes for keys and salts. */
int cipher_random(void *to, size_t size);
