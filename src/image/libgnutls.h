/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions of GnuTLS, which is loaded for TLS and for encrypted images. */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/symbols.h"

/* clang-format off */
#define LIBGNUTLS(X) \
	X(gnutls_aead_cipher_decrypt) X(gnutls_aead_cipher_deinit) X(gnutls_aead_cipher_encrypt) \
	X(gnutls_aead_cipher_init) X(gnutls_alert_get) X(gnutls_alert_get_name) \
	X(gnutls_alert_send_appropriate) X(gnutls_bye) X(gnutls_certificate_allocate_credentials) \
	X(gnutls_certificate_free_credentials) X(gnutls_certificate_send_x509_rdn_sequence) \
	X(gnutls_certificate_server_set_request) X(gnutls_certificate_set_x509_crl_file) \
	X(gnutls_certificate_set_x509_key_file) X(gnutls_certificate_set_x509_system_trust) \
	X(gnutls_certificate_set_x509_trust_file) X(gnutls_certificate_verification_status_print) \
	X(gnutls_credentials_set) X(gnutls_deinit) X(gnutls_error_is_fatal) X(gnutls_free) \
	X(gnutls_handshake) X(gnutls_hkdf_expand) X(gnutls_init) X(gnutls_load_file) \
	X(gnutls_privkey_decrypt_data) X(gnutls_privkey_deinit) X(gnutls_privkey_import_x509_raw) \
	X(gnutls_privkey_init) X(gnutls_protocol_get_name) X(gnutls_protocol_get_version) \
	X(gnutls_pubkey_deinit) X(gnutls_pubkey_encrypt_data) X(gnutls_pubkey_get_key_id) \
	X(gnutls_pubkey_get_pk_algorithm) X(gnutls_pubkey_import_privkey) X(gnutls_pubkey_import_x509) \
	X(gnutls_pubkey_init) X(gnutls_record_check_pending) X(gnutls_record_get_direction) \
	X(gnutls_record_recv) X(gnutls_record_send) X(gnutls_rnd) X(gnutls_session_get_verify_cert_status) \
	X(gnutls_session_set_verify_cert) X(gnutls_set_default_priority) X(gnutls_strerror) \
	X(gnutls_transport_set_int2) X(gnutls_transport_set_pull_function) \
	X(gnutls_transport_set_push_function) X(gnutls_x509_crt_deinit) X(gnutls_x509_crt_import) \
	X(gnutls_x509_crt_init)
/* clang-format on */

extern struct libgnutls {
	LIBGNUTLS(LIBRARY_MEMBER)
} libgnutls;

int libgnutls_load(void);
