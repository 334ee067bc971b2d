/* SPDX-License-Identifier: MIT */
/*
 * Answers to a pack's challenge. What is secret stays in the object that answers: it is wiped when
 * freed and never logged. The protocol that asks fills in `serial` first (struct bf_auth in proto.h).
 */
#pragma once

#include "bmsflash/family.h"

/*
 * Signs the seed with a technician's Ed25519 private key, as bmsflash-uds(7) says. The file is PEM
 * (PKCS#8, not encrypted: `openssl genpkey -algorithm ed25519`) or 64 hex digits. BF_E_AUTH when it
 * cannot be used.
 */
enum bf_rc bf_auth_ed25519_new(const char *path, struct bf_auth **ret, struct bf_err *err);

/*
 * Asks a program: it is started without a shell and without arguments, reads "LEVEL SEEDHEX\n" from
 * standard input and writes the key in hex to standard output within 10 s. The clock (borrowed) must be
 * a real one, even where the wire's is virtual: the program lives in real time. NULL: it takes one of its own.
 */
enum bf_rc bf_auth_program_new(const char *path, struct bf_clock *clock, struct bf_auth **ret,
			       struct bf_err *err);

struct bf_auth *bf_auth_free(struct bf_auth *auth); /* wipes; takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_auth, bf_auth_free)
