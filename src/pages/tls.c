/* SPDX-License-Identifier: GPL-2.0-only */
/* TLS around a connection that carries pages, by GnuTLS: X.509 certificates on both sides. */
#include "pages/tls.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/libgnutls.h"

/* As CRIU 4.2 does: the files of --tls-cert and its sisters, else those below /etc/pki. */
#define DEFAULT_CACERT "/etc/pki/CA/cacert.pem"
#define DEFAULT_CACRL  "/etc/pki/CA/cacrl.pem"
#define DEFAULT_CERT   "/etc/pki/criu/cert.pem"
#define DEFAULT_KEY    "/etc/pki/criu/private/key.pem"

struct tls {
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	int fd;
	unsigned grace;
};

static int fail_tls(int result, const char *what)
{
	return refuse(EPROTO, "TLS: %s: %s", what, libgnutls.gnutls_strerror(result));
}

static int load_trust(gnutls_certificate_credentials_t credentials, const struct peer_place *place)
{
	const char *cacert = place->tls_cacert ?: DEFAULT_CACERT, *cacrl = place->tls_cacrl ?: DEFAULT_CACRL;
	int result;

	if (!place->tls_cacert) {
		result = libgnutls.gnutls_certificate_set_x509_system_trust(credentials);
		if (result < 0)
			log_info("TLS: no authorities of this system are used: %s", libgnutls.gnutls_strerror(result));
	}
	result = libgnutls.gnutls_certificate_set_x509_trust_file(credentials, cacert, GNUTLS_X509_FMT_PEM);
	if (result < 0)
		return refuse(EPROTO, "--tls-cacert: no trusted certificate in %s: %s", cacert,
			      libgnutls.gnutls_strerror(result));
	if (result == 0)
		return refuse(EPROTO, "--tls-cacert: no certificate in %s", cacert);
	if (!place->tls_cacrl && access(cacrl, R_OK) < 0)
		return 0;
	result = libgnutls.gnutls_certificate_set_x509_crl_file(credentials, cacrl, GNUTLS_X509_FMT_PEM);
	if (result < 0)
		return refuse(EPROTO, "--tls-cacrl: no list of revoked certificates in %s: %s", cacrl,
			      libgnutls.gnutls_strerror(result));
	return 0;
}

static int load_own(gnutls_certificate_credentials_t credentials, const struct peer_place *place)
{
	const char *cert = place->tls_cert ?: DEFAULT_CERT, *key = place->tls_key ?: DEFAULT_KEY;
	int result = libgnutls.gnutls_certificate_set_x509_key_file(credentials, cert, key, GNUTLS_X509_FMT_PEM);

	if (result < 0)
		return refuse(EPROTO,
			      "TLS: the certificate %s (--tls-cert) with the key %s (--tls-key) cannot be used: %s",
			      cert, key, libgnutls.gnutls_strerror(result));
	return 0;
}

/* Without blocking: who waits, and for how long, is peer_await(). */
static ssize_t push_bytes(gnutls_transport_ptr_t fd, const void *from, size_t size)
{
	return send((int)(intptr_t)fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t pull_bytes(gnutls_transport_ptr_t fd, void *to, size_t size)
{
	return recv((int)(intptr_t)fd, to, size, MSG_DONTWAIT);
}

/* After a call that could not go on. */
static int await_peer(const struct tls *tls, ssize_t result, bool sends)
{
	return result == GNUTLS_E_AGAIN ? peer_await(tls->fd, sends ? POLLOUT : POLLIN, tls->grace) : 0;
}

static int prepare_session(struct tls *tls, const struct peer_place *place, int fd, bool is_server)
{
	int result;

	TRY(libgnutls_load());
	result = libgnutls.gnutls_certificate_allocate_credentials(&tls->credentials);
	if (result < 0)
		return fail_tls(result, "cannot make credentials");
	TRY(load_trust(tls->credentials, place));
	TRY(load_own(tls->credentials, place));
	result = libgnutls.gnutls_init(&tls->session, is_server ? GNUTLS_SERVER : GNUTLS_CLIENT);
	if (result == 0)
		result = libgnutls.gnutls_set_default_priority(tls->session);
	if (result == 0)
		result = libgnutls.gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
	if (result < 0)
		return fail_tls(result, "cannot make a session");
	if (is_server) {
		libgnutls.gnutls_certificate_server_set_request(tls->session, GNUTLS_CERT_REQUIRE);
		libgnutls.gnutls_certificate_send_x509_rdn_sequence(tls->session, 1); /* 1: send none */
	}
	libgnutls.gnutls_session_set_verify_cert(tls->session, place->tls_no_cn_verify ? NULL : place->address, 0);
	tls->fd = fd;
	tls->grace = place->grace;
	libgnutls.gnutls_transport_set_int2(tls->session, fd, fd);
	libgnutls.gnutls_transport_set_push_function(tls->session, push_bytes);
	libgnutls.gnutls_transport_set_pull_function(tls->session, pull_bytes);
	return 0;
}

/* Why the handshake failed, with what is wrong with the other's certificate if that is it. */
static int fail_handshake(const struct tls *tls, int result)
{
	unsigned status = libgnutls.gnutls_session_get_verify_cert_status(tls->session);
	gnutls_datum_t text = { 0 };
	int error;

	if (result == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return refuse(EPROTO, "TLS: the other end breaks off the handshake: %s",
			      libgnutls.gnutls_alert_get_name(libgnutls.gnutls_alert_get(tls->session))
				      ?: "unknown alert");
	if (result != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR ||
	    libgnutls.gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
		return fail_tls(result, "the handshake failed");
	error = refuse(EPROTO, "TLS: the certificate of the other end is refused: %s", text.data);
	(*libgnutls.gnutls_free)(text.data);
	return error;
}

int tls_open(const struct peer_place *place, int fd, bool is_server, struct tls **ret)
{
	AUTO(tls_close) struct tls *tls = xzalloc(sizeof(*tls));
	int result;

	TRY(prepare_session(tls, place, fd, is_server));
	while ((result = libgnutls.gnutls_handshake(tls->session)) < 0 && !libgnutls.gnutls_error_is_fatal(result))
		TRY(await_peer(tls, result, libgnutls.gnutls_record_get_direction(tls->session)));
	if (result < 0) {
		int error = fail_handshake(tls, result);

		(void)libgnutls.gnutls_alert_send_appropriate(tls->session, result);
		return error;
	}
	log_info("TLS: connected by %s",
		 libgnutls.gnutls_protocol_get_name(libgnutls.gnutls_protocol_get_version(tls->session)));
	*ret = TAKE_PTR(tls);
	return 0;
}

void tls_set_grace(struct tls *tls, unsigned seconds)
{
	tls->grace = seconds;
}

ssize_t tls_send(struct tls *tls, const void *from, size_t size)
{
	ssize_t done;

	while ((done = libgnutls.gnutls_record_send(tls->session, from, size)) == GNUTLS_E_INTERRUPTED ||
	       done == GNUTLS_E_AGAIN)
		TRY(await_peer(tls, done, true));
	return done < 0 ? fail_tls((int)done, "cannot send") : done;
}

ssize_t tls_receive(struct tls *tls, void *to, size_t size)
{
	ssize_t done;

	while ((done = libgnutls.gnutls_record_recv(tls->session, to, size)) < 0 &&
	       !libgnutls.gnutls_error_is_fatal((int)done))
		TRY(await_peer(tls, done, false));
	/* Cut off without a farewell: for what we carry, the messages say where the end is. */
	if (done == GNUTLS_E_PREMATURE_TERMINATION)
		return 0;
	return done < 0 ? fail_tls((int)done, "cannot receive") : done;
}

bool tls_has_bytes(const struct tls *tls)
{
	return libgnutls.gnutls_record_check_pending(tls->session) > 0;
}

int tls_finish(struct tls *tls)
{
	int result;

	while ((result = libgnutls.gnutls_bye(tls->session, GNUTLS_SHUT_WR)) == GNUTLS_E_INTERRUPTED ||
	       result == GNUTLS_E_AGAIN)
		TRY(await_peer(tls, result, true));
	return result < 0 ? fail_tls(result, "cannot say farewell") : 0;
}

void tls_close(struct tls **ref)
{
	struct tls *tls = *ref;

	if (!tls)
		return;
	if (tls->session)
		libgnutls.gnutls_deinit(tls->session);
	if (tls->credentials)
		libgnutls.gnutls_certificate_free_credentials(tls->credentials);
	free(tls);
	*ref = NULL;
}
