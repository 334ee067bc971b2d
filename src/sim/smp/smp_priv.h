/* SPDX-License-Identifier: MIT */
/* What the files of the SMP servers share: requests and answers (smp.c), groups 0 (smp_os.c) and 1 (smp_image.c). */
#pragma once

#include "sim/pack_images.h"
#include "sim/smp/smp.h"
#include "sim/smp/smp_cbor.h"
#include "sim/smp/smp_frame.h"

#define SMP_HEADER 8u
#define SMP_LINES  8u /* that serial recovery keeps while it works */

enum smp_op { SMP_READ = 0, SMP_READ_ANSWER = 1, SMP_WRITE = 2, SMP_WRITE_ANSWER = 3 };
enum smp_group { SMP_GROUP_OS = 0, SMP_GROUP_IMAGE = 1 };

/* What a command ends with: an error of the protocol, as {"rc": n} ... */
enum smp_rc {
	SMP_EUNKNOWN = 1,
	SMP_ENOMEM = 2,
	SMP_EINVAL = 3,
	SMP_ENOENT = 5,
	SMP_EBADSTATE = 6,
	SMP_EMSGSIZE = 7,
	SMP_ENOTSUP = 8,
	SMP_DONE = -1,       /* ... the answer that it has written ... */
	SMP_SILENT = -2,     /* ... or nothing: power went */
	SMP_GROUPED = 0x100, /* ... or an error of its group; | group << 12 */
};
#define SMP_GROUP_ERROR(group, n) ((int)SMP_GROUPED | (int)(group) << 12 | (int)(n))

enum smp_image_error { /* of group 1 */
		       SMP_IMG_HASH_NOT_FOUND = 8,
		       SMP_IMG_NO_FREE_SLOT = 9,
		       SMP_IMG_FLASH_WRITE = 12,
		       SMP_IMG_FLASH_ERASE = 13,
		       SMP_IMG_INVALID_SLOT = 14,
		       SMP_IMG_INVALID_LENGTH = 21,
		       SMP_IMG_INVALID_HEADER = 22,
		       SMP_IMG_INVALID_MAGIC = 23,
		       SMP_IMG_INVALID_HASH = 24,
		       SMP_IMG_NOT_NEWER = 27,
		       SMP_IMG_PENDING = 28,
		       SMP_IMG_TOO_LARGE = 30,
		       SMP_IMG_OVERRUN = 31,
		       SMP_IMG_TEST_OF_ACTIVE = 33,
};
enum smp_os_error { /* of group 0 */ SMP_OS_INVALID_FORMAT = 2, SMP_OS_NO_ANSWER = 3 };

enum smp_then { SMP_THEN_NOTHING, SMP_THEN_RESTART, SMP_THEN_RECOVERY };

struct bf_smp_upload {
	bool active;
	unsigned image, slot;
	uint32_t size, off;
	uint32_t erased; /* bytes from the slot's start; progressive erase alone */
	uint8_t sha[32];
	size_t sha_len;
	uint8_t carry[BF_FLASH_WORD]; /* firmware: bytes that fill no double word yet */
	size_t carried;
};

struct bf_smp {
	struct bf_pack *pack;
	struct bf_bytes_port *port;
	const struct bf_sim_opts *opts;
	enum bf_pack_mode mode; /* of the pack, as last seen */
	unsigned starts;
	bool firmware; /* the firmware's server speaks, not the bootloader's */
	size_t buffer_size;
	unsigned buffers;

	/* bytes that come in */
	uint8_t line[BF_SMP_LINE];
	size_t line_len;
	bool line_lost;
	struct {
		uint8_t p[BF_SMP_LINE];
		size_t len;
	} lines[SMP_LINES]; /* recovery */
	unsigned n_lines;
	struct bf_smp_in in;
	uint8_t *queue; /* firmware: requests that wait, buffer_size bytes each */
	size_t queue_len[16];
	unsigned n_queued;
	bf_time heard_at;

	/* the request that is worked on */
	bool busy, leaving;
	uint8_t op, version, sequence, command;
	uint16_t group;
	const uint8_t *body;
	size_t body_len;
	bf_time now, done;
	enum smp_then then;

	/* its answer, or its two answers */
	uint8_t reply[2][1024 + SMP_HEADER];
	size_t reply_len[2];
	struct bf_out out;
	bf_time reply_at;
	unsigned answers; /* so far */

	struct bf_smp_upload upload;
	struct bf_modbus_unit *modbus; /* what the firmware answers beside it; NULL: nothing */
};

typedef int smp_command(struct bf_smp *s); /* enum smp_rc */

smp_command bf_smp_echo, bf_smp_echo_control, bf_smp_reset, bf_smp_params, bf_smp_os_info,
	bf_smp_boot_info;
smp_command bf_smp_state_read, bf_smp_state_write, bf_smp_upload_chunk, bf_smp_erase,
	bf_smp_slot_info, bf_smp_slot_info_written;

/* The answer that is under way becomes the first of two. */
void bf_smp_answer_twice(struct bf_smp *s, int first);
/* A member of the request's map; false: the request is no map. */
bool bf_smp_member(const struct bf_smp *s, const char *key, struct bf_cbor_value *ret);
void bf_smp_put_int(struct bf_smp *s, const char *key, int64_t v);
