/* SPDX-License-Identifier: MIT */
/* From untrusted bytes to an image by a signature; the other way is a checked backup (backup.c). */
#include <stdio.h>
#include <string.h>

#include "image/image_priv.h"

struct bf_image *bf_image_new(struct bf_claim *take_claim, const char *key_name,
			      const struct bf_key *key)
{
	struct bf_image *image = calloc(1, sizeof(*image));

	if (!image)
		abort();
	image->claim = take_claim;
	snprintf(image->key_name, sizeof(image->key_name), "%s", key_name);
	if (key)
		bf_key_id_text(key, image->key_id);
	bf_sha256(image->file_sha256, take_claim->file, take_claim->len);
	for (size_t i = 0; i < take_claim->n_segs; i++)
		image->size += take_claim->segs[i].len;
	return image;
}

struct bf_image *bf_image_free(struct bf_image *image)
{
	if (image)
		bf_claim_free(image->claim);
	free(image);
	return NULL;
}

enum bf_rc bf_image_verify(struct bf_claim *take, const struct bf_keyring *ring,
			   struct bf_image **ret, struct bf_err *err)
{
	BF_AUTO(bf_claim) *claim = take;
	const struct bf_key *key = NULL;

	if (ring->n == 0) {
		bf_fail(err, BF_E_SIGNATURE,
			"no key is trusted, so that nothing can be said about '%s'", claim->path);
		bf_do(err, "give the vendor's public key: --key FILE, or put it in a key folder");
		return err->rc;
	}
	if (claim->meta.mcuboot ? bf_mcuboot_verify(claim, ring, &key, err)
				: bf_minisig_verify(claim, ring, &key, err))
		return err->rc;
	*ret = bf_image_new(bf_steal(&claim), key->name, key);
	return BF_OK;
}

const struct bf_meta *bf_image_meta(const struct bf_image *image)
{
	return &image->claim->meta;
}

size_t bf_image_segments(const struct bf_image *image, const struct bf_segment **ret)
{
	*ret = image->claim->segs;
	return image->claim->n_segs;
}

size_t bf_image_size(const struct bf_image *image)
{
	return image->size;
}

const char *bf_image_path(const struct bf_image *image)
{
	return image->claim->path;
}

const char *bf_image_key_name(const struct bf_image *image)
{
	return image->key_name;
}

const char *bf_image_key_id(const struct bf_image *image)
{
	return image->key_id[0] ? image->key_id : NULL;
}

const uint8_t *bf_image_file_sha256(const struct bf_image *image)
{
	return image->file_sha256;
}
