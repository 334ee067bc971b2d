/* SPDX-License-Identifier: MIT */
#include "maker.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crypto.h"
#include "bmsflash/file.h"

#define DRIVER_LEN 640u
#define COMMENT    "of a maker"

static const uint8_t secret[32] = "a driver's key: 32 bytes, public";
static const uint8_t key_id[8] = { 'd', 'r', 'i', 'v', 'e', 'r', 's', 1 };

static void base64(char *dst, const uint8_t *p, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0);

		for (size_t k = 0; k < 4; k++)
			*dst++ = k <= n ? digits[v >> (18 - 6 * k) & 63] : '=';
	}
	*dst = '\0';
}

static bool put(const char *folder, const char *name, const void *p, size_t len)
{
	char path[160];
	struct bf_err err;

	bf_err_init(&err);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return bf_file_replace(path, p, len, &err) == BF_OK;
}

/* As minisign does it in its older form: the file itself is signed, and the comment with the signature. */
bool maker_sign(const char *folder, const char *name, const uint8_t *p, size_t len)
{
	uint8_t head[74] = { 'E', 'd' }, all[64 + sizeof(COMMENT)], global[64];
	char text[512], first[128], second[128], sig[64];
	int n;

	memcpy(head + 2, key_id, sizeof(key_id));
	bf_ed25519_sign(head + 10, p, len, secret);
	memcpy(all, head + 10, 64);
	memcpy(all + 64, COMMENT, sizeof(COMMENT) - 1);
	bf_ed25519_sign(global, all, 64 + sizeof(COMMENT) - 1, secret);
	base64(first, head, sizeof(head));
	base64(second, global, sizeof(global));
	n = snprintf(text, sizeof(text),
		     "untrusted comment: signature of a maker\n%s\ntrusted comment: " COMMENT
		     "\n%s\n",
		     first, second);
	snprintf(sig, sizeof(sig), "%s.minisig", name);
	return put(folder, name, p, len) && put(folder, sig, text, (size_t)n);
}

bool maker_key(const char *folder)
{
	uint8_t head[42] = { 'E', 'd' };
	char text[256], first[128];
	int n;

	memcpy(head + 2, key_id, sizeof(key_id));
	bf_ed25519_public(head + 10, secret);
	base64(first, head, sizeof(head));
	n = snprintf(text, sizeof(text), "untrusted comment: key of a maker\n%s\n", first);
	return put(folder, MAKER_KEY, text, (size_t)n);
}

bool maker_driver(const char *folder)
{
	uint8_t driver[DRIVER_LEN];

	for (size_t i = 0; i < sizeof(driver); i++)
		driver[i] = (uint8_t)(i * 11 + 3);
	return maker_sign(folder, MAKER_DRIVER, driver, sizeof(driver)) && maker_key(folder);
}

/* Its lines name files as they lie on its maker's computer, and leave to him what is his secret. */
bool maker_profile(const char *name, const char *overlay, const char *folder, FILE *to)
{
	char path[256], line[256];
	FILE *from;

	snprintf(path, sizeof(path), TEST_ROOT "/data/profiles/%s.ini", name);
	from = fopen(path, "r");
	if (!from)
		return false;
	while (fgets(line, sizeof(line), from)) {
		if (strncmp(line, "auth-program", 12) == 0)
			fprintf(to, "auth-program = " TEST_ROOT "/tests/data/auth/seed-to-key\n");
		else if (strncmp(line, "file =", 6) == 0)
			fprintf(to, "file = %s/" MAKER_DRIVER "\n%s", folder,
				strstr(line, ".vbf") ? "address = 0x40008000\n" : "");
		else
			fputs(line, to);
		if (overlay && strcmp(line, "[uds]\n") == 0)
			fputs(overlay, to);
	}
	return fclose(from) == 0;
}
