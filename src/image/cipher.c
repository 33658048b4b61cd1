/* SPDX-License-Identifier: GPL-2.0-only */
/* Encrypting images, by GnuTLS. */
#include "image/cipher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "image/libgnutls.h"

#define KEY_SIZE   32
#define NONCE_SIZE 12
#define ID_SIZE	   32 /* of a public key: SHA-256 */

struct cipher {
	uint8_t key[KEY_SIZE];
};

struct cipher_context {
	gnutls_aead_cipher_hd_t aead;
};

static void done_file(gnutls_datum_t *file)
{
	if (file->data)
		(*libgnutls.gnutls_free)(file->data);
}

static void done_certificate(gnutls_x509_crt_t *certificate)
{
	if (*certificate)
		libgnutls.gnutls_x509_crt_deinit(*certificate);
}

static void done_public(gnutls_pubkey_t *key)
{
	if (*key)
		libgnutls.gnutls_pubkey_deinit(*key);
}

static void done_private(gnutls_privkey_t *key)
{
	if (*key)
		libgnutls.gnutls_privkey_deinit(*key);
}

/* Wiped, as it may have held a key. */
static void done_secret(gnutls_datum_t *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret->size);
	if (secret->data)
		(*libgnutls.gnutls_free)(secret->data);
}

int cipher_random(void *to, size_t size)
{
	int result;

	TRY(libgnutls_load());
	result = libgnutls.gnutls_rnd(GNUTLS_RND_KEY, to, size);
	return result < 0 ? refuse(EIO, "no random bytes for keys: %s", libgnutls.gnutls_strerror(result)) : 0;
}

static int read_certificate(const char *path, gnutls_pubkey_t *ret)
{
	AUTO(done_file) gnutls_datum_t file = { 0 };
	AUTO(done_certificate) gnutls_x509_crt_t certificate = NULL;
	int result = libgnutls.gnutls_load_file(path, &file);

	if (result < 0)
		return refuse(EINVAL, "--encrypt-to %s: cannot read it: %s", path, libgnutls.gnutls_strerror(result));
	libgnutls.gnutls_x509_crt_init(&certificate);
	libgnutls.gnutls_pubkey_init(ret);
	result = libgnutls.gnutls_x509_crt_import(certificate, &file, GNUTLS_X509_FMT_PEM);
	if (result >= 0)
		result = libgnutls.gnutls_pubkey_import_x509(*ret, certificate, 0);
	if (result < 0)
		return refuse(EINVAL, "--encrypt-to %s: no certificate in PEM form: %s", path,
			      libgnutls.gnutls_strerror(result));
	if (libgnutls.gnutls_pubkey_get_pk_algorithm(*ret, NULL) != GNUTLS_PK_RSA)
		return refuse(EINVAL, "--encrypt-to %s: the certificate has no RSA key, only these can encrypt", path);
	return 0;
}

static int add_recipient(const struct cipher *cipher, const char *path, struct pool *pool, EncryptionRecipient *ret)
{
	AUTO(done_public) gnutls_pubkey_t key = NULL;
	AUTO(done_file) gnutls_datum_t encrypted = { 0 };
	const gnutls_datum_t plain = { (unsigned char *)cipher->key, KEY_SIZE };
	uint8_t id[ID_SIZE];
	size_t id_size = sizeof(id);
	int result;

	TRY(read_certificate(path, &key));
	result = libgnutls.gnutls_pubkey_encrypt_data(key, 0, &plain, &encrypted);
	if (result >= 0)
		result = libgnutls.gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, &id_size);
	if (result < 0)
		return refuse(EINVAL, "--encrypt-to %s: %s", path, libgnutls.gnutls_strerror(result));
	encryption_recipient__init(ret);
	ret->key_id = (ProtobufCBinaryData){ id_size, pool_copy(pool, id, id_size) };
	ret->key = (ProtobufCBinaryData){ encrypted.size, pool_copy(pool, encrypted.data, encrypted.size) };
	return 0;
}

int cipher_create(const char *const *certificates, size_t n, struct pool *pool, struct cipher **ret,
		  EncryptionEntry **ret_record)
{
	AUTO(cipher_destroy) struct cipher *cipher = xzalloc(sizeof(*cipher));
	EncryptionEntry *record = pool_new(pool, EncryptionEntry);

	TRY(cipher_random(cipher->key, sizeof(cipher->key)));
	encryption_entry__init(record);
	record->recipients = pool_array(pool, EncryptionRecipient *, n);
	for (; record->n_recipients < n; record->n_recipients++) {
		record->recipients[record->n_recipients] = pool_new(pool, EncryptionRecipient);
		TRY(add_recipient(cipher, certificates[record->n_recipients], pool,
				  record->recipients[record->n_recipients]));
	}
	*ret_record = record;
	*ret = TAKE_PTR(cipher);
	return 0;
}

static int read_private_key(const char *path, gnutls_privkey_t *ret, uint8_t id[ID_SIZE])
{
	AUTO(done_secret) gnutls_datum_t file = { 0 };
	AUTO(done_public) gnutls_pubkey_t public = NULL;
	size_t id_size = ID_SIZE;
	int result = libgnutls.gnutls_load_file(path, &file);

	if (result < 0)
		return refuse(EINVAL, "--decrypt-with %s: cannot read it: %s", path, libgnutls.gnutls_strerror(result));
	libgnutls.gnutls_privkey_init(ret);
	libgnutls.gnutls_pubkey_init(&public);
	result = libgnutls.gnutls_privkey_import_x509_raw(*ret, &file, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (result >= 0)
		result = libgnutls.gnutls_pubkey_import_privkey(public, *ret, 0, 0);
	if (result >= 0)
		result = libgnutls.gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, id, &id_size);
	return result < 0 ? refuse(EINVAL, "--decrypt-with %s: no private key in PEM form without a password: %s", path,
				   libgnutls.gnutls_strerror(result))
			  : 0;
}

int cipher_open(const EncryptionEntry *record, const char *path, struct cipher **ret)
{
	AUTO(done_private) gnutls_privkey_t key = NULL;
	uint8_t id[ID_SIZE];

	TRY(libgnutls_load());
	TRY(read_private_key(path, &key, id));
	for (size_t i = 0; i < record->n_recipients; i++) {
		const EncryptionRecipient *recipient = record->recipients[i];
		AUTO(done_secret) gnutls_datum_t plain = { 0 };
		const gnutls_datum_t encrypted = { recipient->key.data, (unsigned)recipient->key.len };

		if (recipient->key_id.len != ID_SIZE || memcmp(recipient->key_id.data, id, ID_SIZE))
			continue;
		if (libgnutls.gnutls_privkey_decrypt_data(key, 0, &encrypted, &plain) < 0 || plain.size != KEY_SIZE)
			return refuse(EBADMSG, "encryption.img: damaged: the key of the images cannot be decrypted");
		*ret = xzalloc(sizeof(**ret));
		memcpy((*ret)->key, plain.data, KEY_SIZE);
		return 0;
	}
	return refuse(EKEYREJECTED, "--decrypt-with %s: the images were not encrypted to this key", path);
}

void cipher_destroy(struct cipher **cipher)
{
	if (!*cipher)
		return;
	explicit_bzero(*cipher, sizeof(**cipher));
	free(*cipher);
	*cipher = NULL;
}

int cipher_context_create(const struct cipher *cipher, const uint8_t salt[CIPHER_SALT_SIZE],
			  struct cipher_context **ret)
{
	const gnutls_datum_t key = { (unsigned char *)cipher->key, KEY_SIZE };
	const gnutls_datum_t info = { (unsigned char *)salt, CIPHER_SALT_SIZE };
	uint8_t own[KEY_SIZE];
	const gnutls_datum_t own_key = { own, sizeof(own) };
	struct cipher_context *context = xzalloc(sizeof(*context));
	int result = libgnutls.gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &info, own, sizeof(own));

	if (result >= 0)
		result = libgnutls.gnutls_aead_cipher_init(&context->aead, GNUTLS_CIPHER_AES_256_GCM, &own_key);
	explicit_bzero(own, sizeof(own));
	if (result < 0) {
		free(context);
		return refuse(EIO, "cannot encrypt: %s", libgnutls.gnutls_strerror(result));
	}
	*ret = context;
	return 0;
}

void cipher_context_destroy(struct cipher_context **context)
{
	if (!*context)
		return;
	libgnutls.gnutls_aead_cipher_deinit((*context)->aead);
	free(*context);
	*context = NULL;
}

/* A block is encrypted once with the key of its file: its number need not be secret, only used once. */
static void make_nonce(uint64_t number, uint8_t nonce[NONCE_SIZE])
{
	memset(nonce, 0, NONCE_SIZE);
	memcpy(nonce, &number, sizeof(number));
}

int cipher_encrypt(struct cipher_context *context, uint64_t number, const void *about, size_t about_size,
		   const void *from, size_t size, void *to)
{
	uint8_t nonce[NONCE_SIZE];
	size_t result_size = size + CIPHER_TAG_SIZE;
	int result;

	make_nonce(number, nonce);
	result = libgnutls.gnutls_aead_cipher_encrypt(context->aead, nonce, sizeof(nonce), about, about_size,
						      CIPHER_TAG_SIZE, from, size, to, &result_size);
	return result < 0 ? refuse(EIO, "cannot encrypt: %s", libgnutls.gnutls_strerror(result)) : 0;
}

int cipher_decrypt(struct cipher_context *context, uint64_t number, const void *about, size_t about_size,
		   const void *from, size_t size, void *to)
{
	uint8_t nonce[NONCE_SIZE], none;
	size_t result_size = size;

	make_nonce(number, nonce);
	if (libgnutls.gnutls_aead_cipher_decrypt(context->aead, nonce, sizeof(nonce), about, about_size,
						 CIPHER_TAG_SIZE, from, size + CIPHER_TAG_SIZE, size ? to : &none,
						 &result_size) < 0)
		return -EBADMSG;
	return 0;
}
