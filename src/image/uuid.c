/* SPDX-License-Identifier: MIT */
/* UUIDs of version 5 (RFC 4122, section 4.3): SHA-1 over a namespace and a name. */
#include <string.h>

#include "image/image_priv.h"

/* RFC 4122, appendix C: the namespace of domain names. */
static const uint8_t namespace_dns[16] = { 0x6B, 0xA7, 0xB8, 0x10, 0x9D, 0xAD, 0x11, 0xD1,
					   0x80, 0xB4, 0x00, 0xC0, 0x4F, 0xD4, 0x30, 0xC8 };

static void uuid5(const uint8_t space[16], const char *name, uint8_t ret[16])
{
	size_t len = strlen(name);
	BF_AUTO_MEM uint8_t *text = malloc(16 + len);
	uint8_t hash[BF_SHA1_LEN];

	if (!text)
		abort();
	memcpy(text, space, 16);
	memcpy(text + 16, name, len);
	bf_sha1(hash, text, 16 + len);
	memcpy(ret, hash, 16);
	ret[6] = (uint8_t)((ret[6] & 0x0F) | 0x50); /* version 5 */
	ret[8] = (uint8_t)((ret[8] & 0x3F) | 0x80); /* variant of RFC 4122 */
}

void bf_uuid_vendor(const char *vendor, uint8_t ret[16])
{
	uuid5(namespace_dns, vendor, ret);
}

void bf_uuid_class(const uint8_t vid[16], const char *class_name, uint8_t ret[16])
{
	uuid5(vid, class_name, ret);
}
