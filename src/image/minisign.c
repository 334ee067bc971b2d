/* SPDX-License-Identifier: MIT */
/*
 * Detached signatures as minisign writes them, four lines:
 *
 *	untrusted comment: <anything; never used>
 *	<base64: "ED" or "Ed", 8 bytes of key identifier, 64 of signature>
 *	trusted comment: <text>
 *	<base64: 64 bytes of signature over the signature above and the text>
 *
 * "Ed" (legacy) signs the file, "ED" its BLAKE2b-512. The two share the key and nothing in the signature tells them
 * apart, so that an "ED" signature of some file is an "Ed" signature of the 64 bytes of its hash: such a file is refused.
 * The trusted comment carries as words what the image's own format lacks: version=1.5.0 security-counter=5 hw=NAME.
 * Other words are passed over.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/shell.h"
#include "image/image_priv.h"

#define SIG_RAW_LEN   74
#define SIG_BASE64    100
#define GLOBAL_BASE64 88
#define COMMENT_MAX   8192
#define HASH_LEN      64

static const char untrusted_head[] = "untrusted comment:";
static const char trusted_head[] = "trusted comment: ";

struct span {
	const char *p;
	size_t len;
};

/* The next line without its end (LF or CR LF); moves *text behind it. */
static struct span next_line(struct span *text)
{
	const char *end = memchr(text->p, '\n', text->len);
	struct span line = { text->p, end ? (size_t)(end - text->p) : text->len };
	size_t used = line.len + (end ? 1 : 0);

	text->p += used;
	text->len -= used;
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool begins(struct span line, const char *head)
{
	size_t n = strlen(head);

	return line.len >= n && memcmp(line.p, head, n) == 0;
}

/* Exact lengths: the decoder alone would pass over white space. */
static bool decode(struct span line, size_t want_text, uint8_t *dst, size_t want)
{
	size_t n = 0;

	return line.len == want_text && bf_base64_decode(line.p, line.len, dst, want, &n) &&
	       n == want;
}

static bool blank(struct span rest)
{
	for (size_t i = 0; i < rest.len; i++)
		if (!memchr(" \t\r\n", rest.p[i], 4))
			return false;
	return true;
}

static enum bf_rc parse_lines(const char *text, size_t len, const char *name,
			      struct bf_minisig *ret, struct bf_err *err)
{
	size_t mark = bf_text_mark(text, len);
	struct span rest = { text + mark, len - mark };
	struct span untrusted = next_line(&rest), sig = next_line(&rest);
	struct span trusted = next_line(&rest), global = next_line(&rest);
	struct bf_minisig out = { 0 };
	uint8_t raw[SIG_RAW_LEN];

	if (!begins(untrusted, untrusted_head))
		return bf_fail(err, BF_E_SIGNATURE,
			       "'%s' is not a minisign signature: line 1 does not begin with "
			       "\"%s\"",
			       name, untrusted_head);
	if (!decode(sig, SIG_BASE64, raw, sizeof(raw)))
		return bf_fail(err, BF_E_SIGNATURE,
			       "'%s' line 2: not a signature (%d characters of base64 expected, "
			       "found %zu characters)",
			       name, SIG_BASE64, sig.len);
	if (memcmp(raw, "Ed", 2) != 0 && memcmp(raw, "ED", 2) != 0)
		return bf_fail(
			err, BF_E_SIGNATURE,
			"'%s' line 2: signature algorithm %02x%02x, only Ed and ED are known", name,
			raw[0], raw[1]);
	if (!begins(trusted, trusted_head) || trusted.len > COMMENT_MAX)
		return bf_fail(err, BF_E_SIGNATURE,
			       "'%s' line 3: does not begin with \"%s\", or is too long", name,
			       trusted_head);
	if (!decode(global, GLOBAL_BASE64, out.global_sig, sizeof(out.global_sig)))
		return bf_fail(err, BF_E_SIGNATURE,
			       "'%s' line 4: not a signature of the trusted comment (%d characters "
			       "of base64 expected, found %zu characters)",
			       name, GLOBAL_BASE64, global.len);
	if (!blank(rest))
		return bf_fail(err, BF_E_SIGNATURE, "'%s' line 5: nothing may follow the signature",
			       name);
	out.prehashed = raw[1] == 'D';
	memcpy(out.key_id, raw + 2, sizeof(out.key_id));
	memcpy(out.sig, raw + 10, sizeof(out.sig));
	out.comment = trusted.p + sizeof(trusted_head) - 1;
	out.comment_len = trusted.len - (sizeof(trusted_head) - 1);
	*ret = out;
	return BF_OK;
}

/* A signature that cannot be read says nothing about keys. */
enum bf_rc bf_minisig_parse(const char *text, size_t len, const char *name, struct bf_minisig *ret,
			    struct bf_err *err)
{
	if (!parse_lines(text, len, name, ret, err))
		return BF_OK;
	bf_likely(err,
		  "it is another file than the signature, or an editor or mail program changed it");
	bf_next_argv(err,
		     "shows it: minisign writes four lines; get it again from where the image "
		     "comes from",
		     (const char *const[]){ "cat", "-A", name, NULL });
	return err->rc;
}

/* ---- the words of the trusted comment ---- */

static bool take_version(const char *value, struct bf_meta *meta)
{
	meta->has_version = true;
	return bf_version_parse(value, &meta->version);
}

static bool take_counter(const char *value, struct bf_meta *meta)
{
	uint64_t v = 0;
	size_t n = strlen(value);

	if (n == 0 || n > 10 || n != strspn(value, "0123456789"))
		return false;
	for (size_t i = 0; i < n; i++)
		v = 10 * v + (uint64_t)(value[i] - '0');
	meta->has_counter = true;
	meta->counter = (uint32_t)v;
	return v <= UINT32_MAX;
}

static bool take_hw(const char *value, struct bf_meta *meta)
{
	size_t n = strlen(value);

	if (n == 0 || n >= sizeof(meta->hw))
		return false;
	for (size_t i = 0; i < n; i++)
		if (value[i] < '!' || value[i] > '~')
			return false;
	meta->has_hw = true;
	memcpy(meta->hw, value, n + 1);
	return true;
}

static const struct {
	const char *key;
	bool (*take)(const char *value, struct bf_meta *meta);
	const char *expected;
} words[] = {
	{ "version=", take_version, "like 1.5.0 or 1.5.0+42" },
	{ "security-counter=", take_counter, "a decimal number up to 4294967295" },
	{ "hw=", take_hw, "a name of 1 to 47 printable characters" },
};

static enum bf_rc take_word(const char *word, size_t len, const char *name, unsigned *seen,
			    struct bf_meta *meta, struct bf_err *err)
{
	char value[64] = "";

	for (size_t i = 0; i < BF_COUNT(words); i++) {
		size_t n = strlen(words[i].key);

		if (len < n || memcmp(word, words[i].key, n) != 0)
			continue;
		if (*seen & 1u << i)
			return bf_fail(err, BF_E_IMAGE, "'%s': trusted comment has '%s' twice",
				       name, words[i].key);
		*seen |= 1u << i;
		if (len - n >= sizeof(value) || memchr(word, '\0', len))
			return bf_fail(err, BF_E_IMAGE, "'%s': trusted comment: '%s' must be %s",
				       name, words[i].key, words[i].expected);
		memcpy(value, word + n, len - n);
		if (!words[i].take(value, meta))
			return bf_fail(err, BF_E_IMAGE, "'%s': trusted comment: '%s%s' must be %s",
				       name, words[i].key, value, words[i].expected);
		return BF_OK;
	}
	return BF_OK;
}

static bool is_gap(char c)
{
	return c == ' ' || c == '\t';
}

/* "timestamp:1795745720<TAB>file:NAME...": what minisign signs when it is given no comment. */
static bool made_up(const struct bf_minisig *sig)
{
	struct span c = { sig->comment, sig->comment_len };
	size_t at = sizeof("timestamp:") - 1;

	if (!begins(c, "timestamp:"))
		return false;
	while (at < c.len && c.p[at] >= '0' && c.p[at] <= '9')
		at++;
	while (at < c.len && is_gap(c.p[at]))
		at++;
	return begins((struct span){ c.p + at, c.len - at }, "file:");
}

/* What an image says itself is signed as well. */
static bool contradicts(const struct bf_meta *own, const struct bf_meta *told)
{
	if (own->format != BF_FORMAT_JK && own->format != BF_FORMAT_VANMOOF)
		return false;
	return (own->has_version && bf_version_cmp(&own->version, &told->version) != 0) ||
	       (own->has_hw && !bf_hw_same(own->hw, told->hw));
}

enum bf_rc bf_minisig_comment(const struct bf_minisig *sig, const char *name, struct bf_meta *meta,
			      struct bf_err *err)
{
	struct bf_meta told = *meta;
	size_t at = 0, end;
	unsigned seen = 0;

	if (made_up(sig))
		return BF_OK;
	for (; at < sig->comment_len; at = end) {
		while (at < sig->comment_len && is_gap(sig->comment[at]))
			at++;
		for (end = at; end < sig->comment_len && !is_gap(sig->comment[end]);)
			end++;
		if (take_word(sig->comment + at, end - at, name, &seen, &told, err))
			return err->rc;
	}
	if (contradicts(meta, &told))
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' says another version or hardware than the header of the image",
			       name);
	*meta = told;
	return BF_OK;
}

/* ---- checking ---- */

static enum bf_rc refuse_unsigned(const struct bf_claim *claim, struct bf_err *err)
{
	bf_fail(err, BF_E_SIGNATURE, "'%s' has no signature: there is no '%s'", claim->path,
		claim->sig_path);
	if (claim->n_segs > 1 && bf_mcuboot_is(claim->segs[0].data, claim->segs[0].len))
		bf_likely(err,
			  "an MCUboot image in several pieces (padded HEX): use imgtool's .bin");
	bf_likely(err, "the signature file was not copied along");
	bf_next_argv(err, "signs it, where the secret key is kept; or put its signature beside it",
		     (const char *const[]){ "minisign", "-Sm", claim->path, "-t",
					    "version=... security-counter=... hw=...", NULL });
	return err->rc;
}

static enum bf_rc refuse_key(const struct bf_claim *claim, const struct bf_keyring *ring,
			     const struct bf_minisig *sig, struct bf_err *err)
{
	char id[BF_KEY_ID_TEXT], trusted[160];

	bf_fail(err, BF_E_SIGNATURE,
		"'%s' is signed by minisign key %s, which this computer does not trust; trusted: "
		"%s",
		claim->path, bf_minisign_id_text(sig->key_id, id),
		bf_keyring_text(ring, BF_KEY_MINISIGN, trusted, sizeof(trusted)));
	bf_likely(err, "signed with a development key, or with another product's");
	bf_do(err, "often this is a development build: get the release file");
	return err->rc;
}

static enum bf_rc refuse_hash(const struct bf_claim *claim, struct bf_err *err)
{
	bf_fail(err, BF_E_SIGNATURE,
		"'%s' has %d bytes, and its signature is of minisign's legacy form: that is what "
		"the signature of another "
		"file's hash looks like",
		claim->path, HASH_LEN);
	bf_likely(err, "somebody put the hash of a signed file in its place");
	bf_next_argv(err, "signs it in today's form, where the secret key is kept",
		     (const char *const[]){ "minisign", "-Sm", claim->path, "-t",
					    "version=... security-counter=... hw=...", NULL });
	return err->rc;
}

static bool file_signed_by(const struct bf_claim *claim, const struct bf_minisig *sig,
			   const struct bf_key *key)
{
	uint8_t hash[HASH_LEN];

	if (!sig->prehashed)
		return bf_ed25519_verify(sig->sig, claim->file, claim->len, key->pk);
	bf_blake2b512(hash, claim->file, claim->len);
	return bf_ed25519_verify(sig->sig, hash, sizeof(hash), key->pk);
}

static bool comment_signed_by(const struct bf_minisig *sig, const struct bf_key *key)
{
	BF_AUTO_MEM uint8_t *both = malloc(sizeof(sig->sig) + sig->comment_len);

	if (!both)
		abort();
	memcpy(both, sig->sig, sizeof(sig->sig));
	memcpy(both + sizeof(sig->sig), sig->comment, sig->comment_len);
	return bf_ed25519_verify(sig->global_sig, both, sizeof(sig->sig) + sig->comment_len,
				 key->pk);
}

/* The words count only once the comment is known to be signed; before that they were a claim. */
static enum bf_rc check_with(struct bf_claim *claim, const struct bf_minisig *sig,
			     const struct bf_key *key, struct bf_err *err)
{
	if (!sig->prehashed && claim->len == HASH_LEN)
		return refuse_hash(claim, err);
	if (!file_signed_by(claim, sig, key)) {
		bf_fail(err, BF_E_SIGNATURE,
			"'%s' is not what key %s signed: the signature in '%s' does not fit it",
			claim->path, key->name, claim->sig_path);
		bf_likely(err, "the signature belongs to another version of the file");
		bf_likely(err, "the file was damaged or changed after it was signed");
		bf_do(err, "get both files again from where they were signed");
		return err->rc;
	}
	if (!comment_signed_by(sig, key)) {
		bf_fail(err, BF_E_SIGNATURE,
			"'%s': the trusted comment was changed after it was signed",
			claim->sig_path);
		bf_likely(err, "the signature file was damaged or edited");
		bf_do(err, "get the signature again from where it was made");
		return err->rc;
	}
	claim->meta.legacy = !sig->prehashed;
	return bf_minisig_comment(sig, claim->sig_path, &claim->meta, err);
}

enum bf_rc bf_minisig_verify(struct bf_claim *claim, const struct bf_keyring *ring,
			     const struct bf_key **ret_key, struct bf_err *err)
{
	struct bf_minisig sig;

	if (!claim->sig_text)
		return refuse_unsigned(claim, err);
	if (bf_minisig_parse(claim->sig_text, claim->sig_len, claim->sig_path, &sig, err))
		return err->rc;
	for (size_t i = 0; i < ring->n; i++) {
		const struct bf_key *key = &ring->keys[i];

		if (key->kind != BF_KEY_MINISIGN ||
		    memcmp(key->id, sig.key_id, sizeof(key->id)) != 0)
			continue;
		if (check_with(claim, &sig, key, err))
			return err->rc;
		*ret_key = key;
		return BF_OK;
	}
	return refuse_key(claim, ring, &sig, err);
}
