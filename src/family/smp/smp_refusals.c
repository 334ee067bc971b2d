/* SPDX-License-Identifier: MIT */
/* What a device answers instead of doing what it was asked. */
#include "smp.h"

#define IMAGE(rc) SMP_CODE(SMP_GROUP_IMAGE, rc)
#define OS(rc)    SMP_CODE(SMP_GROUP_OS, rc)

#define RESTART_FIRST \
	"restart the pack: an update that waits for its test boot is then taken or dropped"

/* clang-format off */
const struct bf_refusal bf_smp_refusals[] = {
	{ 1, "MGMT_ERR_EUNKNOWN", "unknown error", "" },
	{ 2, "MGMT_ERR_ENOMEM", "the request is too long for its memory", "" },
	{ 3, "MGMT_ERR_EINVAL", "a value of the request is not valid", "" },
	{ 4, "MGMT_ERR_ETIMEOUT", "the operation took too long", "" },
	{ 5, "MGMT_ERR_ENOENT", "there is no such entry", "" },
	{ 6, "MGMT_ERR_EBADSTATE", "its state does not allow it", RESTART_FIRST },
	{ 7, "MGMT_ERR_EMSGSIZE", "the answer is too long", "" },
	{ 8, "MGMT_ERR_ENOTSUP", "this firmware does not support it", "" },
	{ 9, "MGMT_ERR_ECORRUPT", "what it holds is corrupt", "" },
	{ 10, "MGMT_ERR_EBUSY", "busy", "" },
	{ 11, "MGMT_ERR_EACCESSDENIED", "access denied", "" },
	{ 12, "MGMT_ERR_UNSUPPORTED_TOO_OLD", "the version of the request is too old", "" },
	{ 13, "MGMT_ERR_UNSUPPORTED_TOO_NEW", "the version of the request is too new", "" },
	{ OS(1), "OS_MGMT_ERR_UNKNOWN", "unknown error", "" },
	{ OS(2), "OS_MGMT_ERR_INVALID_FORMAT", "the format is not valid", "" },
	{ OS(3), "OS_MGMT_ERR_QUERY_YIELDS_NO_ANSWER", "it does not know the query", "" },
	{ OS(6), "OS_MGMT_ERR_QUERY_RESPONSE_VALUE_NOT_VALID", "it has no answer to the query", "" },
	{ IMAGE(1), "IMG_MGMT_ERR_UNKNOWN", "unknown error", "" },
	{ IMAGE(2), "IMG_MGMT_ERR_FLASH_CONFIG_QUERY_FAIL", "its flash cannot be queried", "" },
	{ IMAGE(3), "IMG_MGMT_ERR_NO_IMAGE", "there is no image in the slot", "" },
	{ IMAGE(4), "IMG_MGMT_ERR_NO_TLVS", "the image has no TLVs", "" },
	{ IMAGE(5), "IMG_MGMT_ERR_INVALID_TLV", "a TLV of the image is not valid", "" },
	{ IMAGE(6), "IMG_MGMT_ERR_TLV_MULTIPLE_HASHES_FOUND", "the image has several hashes", "" },
	{ IMAGE(7), "IMG_MGMT_ERR_TLV_INVALID_SIZE", "a TLV of the image has a wrong size", "" },
	{ IMAGE(8), "IMG_MGMT_ERR_HASH_NOT_FOUND", "it holds no image with this hash", "" },
	{ IMAGE(9), "IMG_MGMT_ERR_NO_FREE_SLOT", "no slot is free for an upload", RESTART_FIRST },
	{ IMAGE(10), "IMG_MGMT_ERR_FLASH_OPEN_FAILED", "its flash cannot be opened", "" },
	{ IMAGE(11), "IMG_MGMT_ERR_FLASH_READ_FAILED", "its flash cannot be read", "" },
	{ IMAGE(12), "IMG_MGMT_ERR_FLASH_WRITE_FAILED", "its flash cannot be written", "" },
	{ IMAGE(13), "IMG_MGMT_ERR_FLASH_ERASE_FAILED", "its flash cannot be erased", "" },
	{ IMAGE(14), "IMG_MGMT_ERR_INVALID_SLOT", "there is no such slot", "" },
	{ IMAGE(15), "IMG_MGMT_ERR_NO_FREE_MEMORY", "its memory is full", "" },
	{ IMAGE(16), "IMG_MGMT_ERR_FLASH_CONTEXT_ALREADY_SET", "another upload is open", "" },
	{ IMAGE(17), "IMG_MGMT_ERR_FLASH_CONTEXT_NOT_SET", "no upload is open", "" },
	{ IMAGE(18), "IMG_MGMT_ERR_FLASH_AREA_DEVICE_NULL", "the slot has no flash", "" },
	{ IMAGE(19), "IMG_MGMT_ERR_INVALID_PAGE_OFFSET", "an offset in its flash is not valid", "" },
	{ IMAGE(20), "IMG_MGMT_ERR_INVALID_OFFSET", "the request has no offset", "" },
	{ IMAGE(21), "IMG_MGMT_ERR_INVALID_LENGTH", "the request has no length", "" },
	{ IMAGE(22), "IMG_MGMT_ERR_INVALID_IMAGE_HEADER", "the image is shorter than a header", "" },
	{ IMAGE(23), "IMG_MGMT_ERR_INVALID_IMAGE_HEADER_MAGIC", "this is no MCUboot image", "" },
	{ IMAGE(24), "IMG_MGMT_ERR_INVALID_HASH", "the hash is not valid", "" },
	{ IMAGE(25), "IMG_MGMT_ERR_INVALID_FLASH_ADDRESS", "the image is made for another address",
	  "take the image that is linked for the other slot" },
	{ IMAGE(26), "IMG_MGMT_ERR_VERSION_GET_FAILED", "it cannot read its own version", "" },
	{ IMAGE(27), "IMG_MGMT_ERR_CURRENT_VERSION_IS_NEWER", "it runs a newer version",
	  "take an image with a higher version" },
	{ IMAGE(28), "IMG_MGMT_ERR_IMAGE_ALREADY_PENDING", "an image waits for its test boot already",
	  RESTART_FIRST },
	{ IMAGE(29), "IMG_MGMT_ERR_INVALID_IMAGE_VECTOR_TABLE", "the vector table is not valid", "" },
	{ IMAGE(30), "IMG_MGMT_ERR_INVALID_IMAGE_TOO_LARGE", "the image is larger than the slot", "" },
	{ IMAGE(31), "IMG_MGMT_ERR_INVALID_IMAGE_DATA_OVERRUN", "more data came than was announced", "" },
	{ IMAGE(32), "IMG_MGMT_ERR_IMAGE_CONFIRMATION_DENIED", "the firmware denies the confirmation", "" },
	{ IMAGE(33), "IMG_MGMT_ERR_IMAGE_SETTING_TEST_TO_ACTIVE_DENIED",
	  "the running image cannot be tested again", "" },
	{ IMAGE(34), "IMG_MGMT_ERR_ACTIVE_SLOT_NOT_KNOWN", "it does not know which slot is active", "" },
	{ 0 },
};
/* clang-format on */
