/* SPDX-License-Identifier: MIT */
/* The client's sessions: who answers, uploads over a line that loses, boot control. */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/image.h"
#include "smp_peer.h"

/* Answers as recorded: list of MCUboot's recovery with 1.4.0 running and 1.5.0 marked, of Zephyr's application with
 * 1.5.0 on its test boot; buffers; slots. */
#define HASH_14   "819418aba249903d16433ea5ec890e684a7886002503cb46383edfafd8802e3a"
#define HASH_15   "3a1439cb24b57318bbd629235a1067429588e60e97a9566ecec297faf7c05cfc"
#define KEY_HASH  "64686173685820"
#define BOOTABLE  "68626f6f7461626c65"
#define CONFIRMED "69636f6e6669726d6564"
#define PENDING   "6770656e64696e67"
#define ACTIVE    "66616374697665"
#define SLOT      "64736c6f74"
#define VERSION   "6776657273696f6e65"
#define V14       VERSION "312e342e30"
#define V15       VERSION "312e352e30"
#define T         "f5"
#define F         "f4"
#define IMAGES    "bf66696d616765739f"
#define END       "ffff"

#define RECOVERY_14 \
	IMAGES "bf" BOOTABLE T CONFIRMED T ACTIVE T SLOT "00" KEY_HASH HASH_14 V14 "ff" END
#define RECOVERY_MARKED                                                        \
	IMAGES "bf" BOOTABLE T CONFIRMED T SLOT "00" KEY_HASH HASH_14 V14 "ff" \
	       "bf" BOOTABLE T PENDING T SLOT "01" KEY_HASH HASH_15 V15 "ff" END
#define APP(slot, version, hash, pending, confirmed, active)                                       \
	"bf" SLOT slot version KEY_HASH hash BOOTABLE T PENDING pending CONFIRMED confirmed ACTIVE \
		active "697065726d616e656e74" F "ff"
#define APP_14          IMAGES APP("00", V14, HASH_14, F, T, T) END
#define APP_BOTH        IMAGES APP("00", V14, HASH_14, F, T, T) APP("01", V15, HASH_15, F, F, F) END
#define APP_MARKED      IMAGES APP("00", V14, HASH_14, F, T, T) APP("01", V15, HASH_15, T, F, F) END
#define APP_TRIAL       IMAGES APP("00", V15, HASH_15, F, F, T) APP("01", V14, HASH_14, F, T, F) END
#define PARAMS_RECOVERY "bf686275665f73697a65190400696275665f636f756e7401ff"
#define PARAMS_APP      "bf686275665f73697a65190800696275665f636f756e7404ff"
#define BOARD           "a1666f75747075746a424d532d3136532d5233"
#define SLOTS                                                                                  \
	"bf66696d616765739fbf65696d6167650065736c6f74739fbf64736c6f74006473697a651a00080000ff" \
	"bf64736c6f74016473697a651a000800006f75706c6f61645f696d6167655f696400ffff"             \
	"6e6d61785f696d6167655f73697a651a0007e000ffffff"

static struct smp_peer *recovery(void)
{
	struct smp_peer *k = smp_peer_new();

	k->list = RECOVERY_14;
	k->params = PARAMS_RECOVERY;
	k->slots = SLOTS;
	return k;
}

static struct smp_peer *application(void)
{
	struct smp_peer *k = smp_peer_new();

	k->list = APP_14;
	k->params = PARAMS_APP;
	k->info = BOARD;
	k->slots = SLOTS;
	k->knows_sha = true;
	return k;
}

static struct bf_ident identify(struct smp_peer *k)
{
	struct bf_ident id = { 0 };

	smp_peer_expect(k, bf_smp_identify(k->proto, &id, &k->err), BF_OK);
	return id;
}

/* ---- who answers ---- */

static void recovery_is_known_by_what_it_does_not_know(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();
	struct bf_ident id = identify(k);

	(void)state;
	assert_true(id.in_bootloader);
	assert_int_equal(id.n_slots, 1);
	assert_int_equal(id.slots[0].flags & BF_SLOT_ACTIVE, 0); /* nothing runs beside it */
	assert_true(id.has_version);
	assert_int_equal(id.version.minor, 4);
	assert_int_equal(id.regions[0].size, 516096);
	assert_int_equal(id.caps & BF_CAP_DUAL_BANK, 0);
	assert_int_equal(id.in_flight, 1);
	assert_int_equal(id.block_max % 32, 0);
}

static void an_application_tells_its_board_and_has_two_slots(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct bf_ident id;

	(void)state;
	k->list = APP_BOTH;
	id = identify(k);
	assert_false(id.in_bootloader);
	assert_int_equal(id.talks, BF_TALKS_APPLICATION);
	assert_string_equal(id.model, "BMS-16S-R3");
	assert_int_equal(id.n_slots, 2);
	assert_true(id.slots[0].flags & BF_SLOT_ACTIVE);
	assert_int_equal(id.slots[0].flags & BF_SLOT_TRIAL, 0);
	assert_int_equal(id.slots[1].flags & BF_SLOT_TRIAL, 0);
	/* It does not say what its bootloader does: nothing is promised. */
	assert_true(id.caps & BF_CAP_ONE_WAY);
	assert_int_equal(id.caps & BF_CAP_REVERT, 0);
	assert_int_equal(k->s->version, 1);
}

static void a_small_build_is_known_by_its_list(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();
	struct bf_ident id;

	(void)state;
	k->params = k->slots = NULL;
	smp_peer_expect(k, bf_smp_recognise(k->proto, BF_MS(600), &k->err), BF_OK);
	id = identify(k);
	assert_true(id.in_bootloader);
	assert_int_equal(id.n_regions, 0);
	assert_int_equal(id.block_max, 256);
}

/* As text of 40 characters, and not at all. */
static void a_version_that_cannot_be_read_is_none(void **state)
{
	static const char *const versions[] = {
		"6776657273696f6e7828"
		"31312e31312e3131312b31313131313131313131313131313131313131313131313131313131313131"
		"31",
		"",
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(versions); i++) {
		BF_AUTO(smp_peer) *k = recovery();
		struct bf_ident id;
		char list[512];

		snprintf(list, sizeof(list),
			 IMAGES "bf" BOOTABLE T CONFIRMED T ACTIVE T SLOT "00" KEY_HASH HASH_14
				"%sff" END,
			 versions[i]);
		k->list = list;
		id = identify(k);
		assert_false(id.slots[0].has_version);
		assert_false(id.has_version);
	}
}

static void while_an_image_is_marked_recovery_calls_none_active(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();
	struct bf_smp_profile *st = bf_profile_family_mut(&k->profile, "smp");
	struct bf_ident id;

	(void)state;
	k->list = RECOVERY_MARKED;
	st->direct_upload = true;
	st->mode = BF_SMP_MODE_SWAP_MOVE;
	id = identify(k);
	assert_int_equal(id.n_slots, 2);
	assert_true(id.slots[0].flags & BF_SLOT_ACTIVE);
	assert_true(id.slots[1].flags & BF_SLOT_PENDING);
	assert_true(id.caps & BF_CAP_TRIAL);
	assert_int_equal(id.caps & BF_CAP_CONFIRM, 0);
}

#define BOOTLOADER(len, hex) "bf6a626f6f746c6f61646572" len hex "ff"
#define MODE(n)              "bf646d6f6465" n "ff"

/* Of another bootloader numbers mean something else, and what was told before is not believed for ever. */
static void the_mode_is_what_an_mcuboot_tells_now(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct bf_ident id;

	(void)state;
	k->boot = BOOTLOADER("67", "4d4355626f6f74");
	for (unsigned mode = BF_SMP_MODE_SWAP_SCRATCH; mode < BF_SMP_MODE_UNKNOWN; mode++) {
		bool swaps = mode == BF_SMP_MODE_SWAP_SCRATCH || mode == BF_SMP_MODE_SWAP_MOVE ||
			     mode == BF_SMP_MODE_SWAP_OFFSET;
		char text[32];

		snprintf(text, sizeof(text), MODE("%02x"), mode);
		k->boot_mode = text;
		id = identify(k);
		assert_int_equal(k->s->mode, mode);
		assert_int_equal(bf_smp_swaps(k->s), swaps);
	}
	k->boot_mode = MODE("03");
	k->boot = BOOTLOADER("65", "6f74686572");
	id = identify(k);
	assert_int_equal(k->s->mode, BF_SMP_MODE_UNKNOWN);
	k->boot = NULL;
	id = identify(k);
	assert_int_equal(k->s->mode, BF_SMP_MODE_UNKNOWN);
	assert_true(id.caps & BF_CAP_ONE_WAY);
}

/* The bootloader's word for the largest image counts where it is less, and not against a profile. */
static void the_largest_image_is_the_packs_word_or_the_profiles(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();
	struct bf_smp_profile *st = bf_profile_family_mut(&k->profile, "smp");

	(void)state;
	k->slots = "bf66696d616765739fbf65696d6167650065736c6f74739fbf64736c6f74006473697a651a00080"
		   "000ff"
		   "ff6e6d61785f696d6167655f73697a651a0007d000ffffff";
	assert_int_equal(identify(k).regions[0].size, 0x7d000);
	st->slot_size = 0x40000;
	st->trailer = 0x1000;
	assert_int_equal(identify(k).regions[0].size, 0x3f000);
}

static void each_slot_has_its_own_size(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct bf_ident id;

	(void)state;
	k->slots = "bf66696d616765739fbf65696d6167650065736c6f74739fbf64736c6f74006473697a651a00080"
		   "000ff"
		   "bf64736c6f74016473697a651a00060000ffffffffff";
	id = identify(k);
	assert_int_equal(id.regions[0].size, 0x80000 - 0x2000);
	assert_int_equal(id.regions[1].size, 0x60000 - 0x2000);
}

static void nobody_is_no_device(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *line = fake_stream_new(clock);
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_ident id;
	struct bf_err err;
	BF_AUTO(bf_proto) *p = NULL;
	struct bf_proto_env env = {
		.transport = fake_transport(line), .profile = &profile, .retry = &retry, .node = -1
	};

	(void)state;
	bf_profile_default(&profile);
	bf_retry_default(&retry);
	bf_err_init(&err);
	assert_int_equal(bf_proto_smp_ops.open(&env, &p, &err), BF_OK);
	assert_int_equal(bf_smp_recognise(p, BF_MS(600), &err), BF_E_NODEV);
	assert_true(bf_now(clock) < BF_SEC(2));
	assert_int_equal(bf_smp_identify(p, &id, &err), BF_E_TIMEOUT);
	assert_int_equal(bf_smp_revert(p, &err), BF_E_TIMEOUT);
}

static void a_node_address_is_refused(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *line = fake_stream_new(clock);
	struct bf_proto_env env = { .transport = fake_transport(line), .node = 3 };
	struct bf_proto *p = NULL;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_proto_smp_ops.open(&env, &p, &err), BF_E_USAGE);
}

/* ---- uploads ---- */

static struct bf_image *signed_image(const char *name)
{
	struct bf_keyring *ring = bf_keyring_new();
	struct bf_claim *claim = NULL;
	struct bf_image *image = NULL;
	char path[4096];
	struct bf_err err;

	bf_err_init(&err);
	snprintf(path, sizeof(path), "%s/mcuboot/release.pub.pem", getenv("BF_TEST_DATA"));
	if (bf_keyring_add(ring, path, &err))
		fail_msg("%s", err.cause);
	snprintf(path, sizeof(path), "%s/mcuboot/%s", getenv("BF_TEST_DATA"), name);
	assert_int_equal(bf_claim_load(path, &(struct bf_claim_opts){ 0 }, &claim, &err), BF_OK);
	assert_int_equal(bf_image_verify(claim, ring, &image, &err), BF_OK);
	bf_keyring_free(ring);
	return image;
}

struct sending {
	struct bf_image *image;
	struct bf_target target;
	size_t at; /* confirmed */
	unsigned begins, out_most;
};

static struct sending sending(void)
{
	const struct bf_segment *segs;
	struct sending u = { .image = signed_image("app-1.5.0.signed.bin") };

	bf_image_segments(u.image, &segs);
	u.target = (struct bf_target){ .image = u.image, .segment = &segs[0], .len = segs[0].len };
	return u;
}

/* As the engine does it: as many on the way as the window allows, and from where the device says. */
static enum bf_rc send_once(struct smp_peer *k, struct sending *u, unsigned window)
{
	struct bf_flow flow = { 0 };
	size_t sent, out = 0, next;
	enum bf_rc rc = bf_smp_begin(k->proto, &u->target, &flow, &k->err);

	u->begins++;
	sent = u->at = flow.next;
	while (!rc && u->at < u->target.len) {
		while (!rc && out < window && sent < u->target.len) {
			size_t n = u->target.len - sent;
			struct bf_block block = { .offset = sent,
						  .data = u->target.segment->data + sent,
						  .len = n < flow.block_max ? n : flow.block_max };

			rc = bf_smp_block_start(k->proto, &block, &k->err);
			sent += block.len;
			out++;
		}
		if (!rc)
			rc = bf_smp_block_finish(k->proto, &next, &k->err);
		out--;
		if (rc)
			break;
		u->at = next;
		while (next != sent && out &&
		       !rc) { /* the engine drains only where it was steered */
			if (next + out * flow.block_max >= sent)
				break;
			rc = bf_smp_block_finish(k->proto, &next, &k->err);
			out--;
			u->at = next;
		}
		if (!out)
			sent = u->at;
	}
	if (!rc)
		rc = bf_smp_finish(k->proto, &k->err);
	if (rc)
		bf_smp_abandon(k->proto);
	return rc;
}

static void arrived(struct smp_peer *k, const struct sending *u)
{
	assert_true(k->next >= u->target.len);
	assert_memory_equal(k->mem, u->target.segment->data, u->target.len);
	assert_int_equal(k->in.n, 0);
	/* Length and CRC count, too: of 1024, a packet of 1021 bytes is the longest that is answered. */
	assert_true(k->longest <= k->s->buf_size - 3);
	assert_true(k->longest > k->s->buf_size - 64);
}

static void an_upload_arrives_in_recovery_in_whole_units(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();
	struct sending u = sending();

	(void)state;
	identify(k);
	k->align = 32;
	smp_peer_expect(k, send_once(k, &u, 1), BF_OK);
	arrived(k, &u);
	assert_int_equal(k->len % 32, 0);
	assert_int_equal(k->mem[u.target.len], 0xFF);
	assert_false(k->has_sha);
	bf_image_free(u.image);
}

static void an_application_gets_the_digest_of_the_upload(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct sending u = sending();

	(void)state;
	identify(k);
	smp_peer_expect(k, send_once(k, &u, 4), BF_OK);
	arrived(k, &u);
	assert_true(k->has_sha);
	assert_int_equal(k->len, u.target.len);
	bf_image_free(u.image);
}

static void each_chunk_is_counted_as_a_request(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct sending u = sending();

	(void)state;
	identify(k);
	smp_peer_expect(k, send_once(k, &u, 1), BF_OK);
	assert_true(k->retry.requests[BF_RETRY_STEERED] >= k->uploads - 1);
	bf_image_free(u.image);
}

static void an_upload_that_is_refused_has_not_begun(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();
	struct sending u = sending();
	struct bf_flow flow;

	(void)state;
	identify(k);
	k->refuse_at = 1;
	smp_peer_expect(k, bf_smp_begin(k->proto, &u.target, &flow, &k->err), BF_E_NAK);
	assert_int_equal(k->erases, 0);
	bf_image_free(u.image);
}

static void every_lost_request_and_answer_is_made_good(void **state)
{
	(void)state;
	for (unsigned window = 1; window <= 4; window += 3) {
		for (unsigned n = 1; n <= 24; n++) {
			for (unsigned how = 0; how < 2; how++) {
				BF_AUTO(smp_peer) *k = application();
				struct sending u = sending();
				struct bf_smp_profile *st =
					bf_profile_family_mut(&k->profile, "smp");

				st->in_flight = (uint8_t)window;
				identify(k);
				*(how ? &k->lose_answer : &k->lose_request) = n;
				smp_peer_expect(k, send_once(k, &u, window), BF_OK);
				arrived(k, &u);
				assert_int_equal(k->erases, 1);
				bf_image_free(u.image);
			}
		}
	}
}

static void a_slow_erasure_is_asked_after_and_not_begun_again(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();
	struct sending u = sending();

	(void)state;
	identify(k);
	k->erase = BF_SEC(20);
	smp_peer_expect(k, send_once(k, &u, 1), BF_OK);
	arrived(k, &u);
	assert_int_equal(k->erases, 1);
	/* Each pause is twice as long as the one before. */
	assert_true(k->retry.repeats[BF_RETRY_STEERED] <= 6);
	bf_image_free(u.image);
}

static void a_device_that_restarted_gets_the_upload_from_the_start(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();
	struct sending u = sending();

	(void)state;
	identify(k);
	k->forget_at = 12;
	smp_peer_expect(k, send_once(k, &u, 1), BF_E_RESTART);
	smp_peer_expect(k, send_once(k, &u, 1), BF_OK);
	arrived(k, &u);
	assert_int_equal(k->erases, 2);
	bf_image_free(u.image);
}

static void what_broke_off_goes_on_where_it_stood(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct sending u = sending();
	unsigned before;

	(void)state;
	identify(k);
	k->refuse_at = 12;
	smp_peer_expect(k, send_once(k, &u, 1), BF_E_NAK);
	before = k->uploads;
	/* As another run: nothing of the first is known. */
	k->s->upload = (struct smp_upload){ .window = 0 };
	smp_peer_expect(k, send_once(k, &u, 1), BF_OK);
	arrived(k, &u);
	assert_int_equal(k->erases, 1);
	assert_true(k->uploads - before < 14);
	bf_image_free(u.image);
}

static void other_contents_than_announced_are_sent_once_more(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct sending u = sending();

	(void)state;
	identify(k);
	k->match_false = true;
	smp_peer_expect(k, send_once(k, &u, 1), BF_E_RESTART);
	smp_peer_expect(k, send_once(k, &u, 1), BF_E_MISMATCH);
	bf_image_free(u.image);
}

static void a_remainder_that_is_never_taken_is_named(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct sending u = sending();

	(void)state;
	identify(k);
	k->align = 16;
	u.target.len -= 5; /* 43000 is a multiple of 8 */
	assert_int_equal(send_once(k, &u, 1), BF_E_NAK);
	assert_non_null(strstr(k->err.cause, "does not take the last"));
	bf_image_free(u.image);
}

/* ---- boot control ---- */

static void an_image_that_is_not_listed_was_refused(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct sending u = sending();

	(void)state;
	identify(k);
	smp_peer_expect(k, bf_smp_check(k->proto, &u.target, &k->err), BF_E_NAK);
	k->list = APP_BOTH;
	smp_peer_expect(k, bf_smp_check(k->proto, &u.target, &k->err), BF_OK);
	assert_int_equal(k->proto->checked, BF_CHECKED_IMAGE);
	bf_image_free(u.image);
}

static void a_mark_names_the_hash_and_has_to_show(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	struct sending u = sending();
	char hex[260];

	(void)state;
	k->list = APP_BOTH;
	identify(k);
	smp_peer_expect(k, bf_smp_check(k->proto, &u.target, &k->err), BF_OK);
	smp_peer_expect(k, bf_smp_activate(k->proto, BF_ACTIVATE_TRIAL, &k->err), BF_E_NAK);
	assert_string_equal(bf_hex(hex, sizeof(hex), k->state, k->state_len),
			    "a2" KEY_HASH HASH_15 "67636f6e6669726df4");
	k->list = APP_MARKED;
	k->state_len = 0;
	smp_peer_expect(k, bf_smp_activate(k->proto, BF_ACTIVATE_TRIAL, &k->err), BF_OK);
	assert_int_equal(k->state_len, 0); /* it is marked already */
	bf_image_free(u.image);
}

static void the_running_image_is_confirmed_without_a_hash(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	char hex[260];

	(void)state;
	k->list = APP_TRIAL;
	identify(k);
	smp_peer_expect(k, bf_smp_confirm(k->proto, &k->err), BF_OK);
	assert_string_equal(bf_hex(hex, sizeof(hex), k->state, k->state_len),
			    "a167636f6e6669726df5");
}

static void recovery_is_never_asked_to_confirm(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();

	(void)state;
	identify(k);
	smp_peer_expect(k, bf_smp_confirm(k->proto, &k->err), BF_E_UNSUPPORTED);
	assert_int_equal(k->state_len, 0);
}

/* Each restart that ends in recovery waits longer for the firmware, until that has answered. */
static void a_restart_into_recovery_is_remembered(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();

	(void)state;
	identify(k);
	for (unsigned i = 1; i <= 2; i++) {
		smp_peer_expect(k, bf_smp_restart(k->proto, &k->err), BF_OK);
		identify(k);
		assert_int_equal(k->s->restarts, i);
	}
	k->list = APP_14;
	k->params = PARAMS_APP;
	k->info = BOARD;
	identify(k);
	assert_int_equal(k->s->restarts, 0);
}

static void after_an_upload_that_was_given_up_the_device_is_asked_whether_it_is_there(void **state)
{
	BF_AUTO(smp_peer) *k = recovery();
	unsigned asked;

	(void)state;
	identify(k);
	asked = k->asked;
	smp_peer_expect(k, bf_smp_connect(k->proto, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_int_equal(k->asked, asked);
	bf_smp_abandon(k->proto);
	smp_peer_expect(k, bf_smp_connect(k->proto, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_int_equal(k->asked, asked + 1);
}

static void firmware_on_its_test_boot_reverts_by_the_restart_alone(void **state)
{
	BF_AUTO(smp_peer) *k = application();

	(void)state;
	k->list = APP_TRIAL;
	identify(k);
	smp_peer_expect(k, bf_smp_revert(k->proto, &k->err), BF_OK);
	assert_int_equal(k->state_len, 0);
	k->list = APP_14;
	smp_peer_expect(k, bf_smp_revert(k->proto, &k->err), BF_E_UNSUPPORTED);
}

/* ---- requests ---- */

static void every_refusal_has_a_name_and_a_text(void **state)
{
	(void)state;
	for (const struct bf_refusal *r = bf_smp_refusals; r->name; r++) {
		assert_true(r->code > 0 && r->text[0]);
		assert_ptr_equal(bf_refusal_find(&bf_proto_smp_ops, r->code), r);
	}
}

static void both_forms_of_a_refusal_are_named(void **state)
{
	BF_AUTO(smp_peer) *k = application();

	(void)state;
	k->list = "a163657272a26567726f757001627263181c"; /* {"err": {"group": 1, "rc": 28}} */
	assert_int_equal(bf_smp_read_list(k->s, &k->err), BF_E_NAK);
	assert_string_equal(k->err.dev_name, "IMG_MGMT_ERR_IMAGE_ALREADY_PENDING");
	bf_err_init(&k->err);
	k->list = "a1627263190100"; /* a number that no table has */
	assert_int_equal(bf_smp_read_list(k->s, &k->err), BF_E_NAK);
	assert_non_null(strstr(k->err.cause, "rc 256"));
}

static void nothing_is_asked_while_a_bootloader_may_have_its_window(void **state)
{
	BF_AUTO(smp_peer) *k = application();
	bf_time start;

	(void)state;
	identify(k);
	smp_peer_expect(k, bf_smp_restart(k->proto, &k->err), BF_OK);
	start = bf_now(k->clock);
	smp_peer_expect(k, bf_smp_await(k->proto, start + BF_SEC(30), &k->err), BF_OK);
	assert_true(bf_now(k->clock) - start >= BF_MS(850));
	/* Where recovery was there instead, longer the next time. */
	smp_peer_expect(k, bf_smp_restart(k->proto, &k->err), BF_OK);
	start = bf_now(k->clock);
	smp_peer_expect(k, bf_smp_await(k->proto, start + BF_SEC(30), &k->err), BF_OK);
	assert_true(bf_now(k->clock) - start >= BF_MS(2050));
}

static void a_list_may_carry_digests_of_sixty_four_bytes(void **state)
{
	static const char list[] =
		IMAGES "bf" BOOTABLE T CONFIRMED T ACTIVE T SLOT "00" V14 "64686173685840"
		       "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		       "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
		       "ff" END;
	BF_AUTO(smp_peer) *k = application();
	struct bf_ident id;

	(void)state;
	k->list = list;
	id = identify(k);
	assert_int_equal(id.slots[0].digest_len, 64);
	assert_int_equal(id.slots[0].digest[63], 0x3F);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recovery_is_known_by_what_it_does_not_know),
		cmocka_unit_test(an_application_tells_its_board_and_has_two_slots),
		cmocka_unit_test(a_small_build_is_known_by_its_list),
		cmocka_unit_test(a_version_that_cannot_be_read_is_none),
		cmocka_unit_test(while_an_image_is_marked_recovery_calls_none_active),
		cmocka_unit_test(the_mode_is_what_an_mcuboot_tells_now),
		cmocka_unit_test(the_largest_image_is_the_packs_word_or_the_profiles),
		cmocka_unit_test(each_slot_has_its_own_size),
		cmocka_unit_test(nobody_is_no_device),
		cmocka_unit_test(a_node_address_is_refused),
		cmocka_unit_test(an_upload_arrives_in_recovery_in_whole_units),
		cmocka_unit_test(an_application_gets_the_digest_of_the_upload),
		cmocka_unit_test(each_chunk_is_counted_as_a_request),
		cmocka_unit_test(an_upload_that_is_refused_has_not_begun),
		cmocka_unit_test(every_lost_request_and_answer_is_made_good),
		cmocka_unit_test(a_slow_erasure_is_asked_after_and_not_begun_again),
		cmocka_unit_test(a_device_that_restarted_gets_the_upload_from_the_start),
		cmocka_unit_test(what_broke_off_goes_on_where_it_stood),
		cmocka_unit_test(other_contents_than_announced_are_sent_once_more),
		cmocka_unit_test(a_remainder_that_is_never_taken_is_named),
		cmocka_unit_test(an_image_that_is_not_listed_was_refused),
		cmocka_unit_test(a_mark_names_the_hash_and_has_to_show),
		cmocka_unit_test(the_running_image_is_confirmed_without_a_hash),
		cmocka_unit_test(recovery_is_never_asked_to_confirm),
		cmocka_unit_test(a_restart_into_recovery_is_remembered),
		cmocka_unit_test(
			after_an_upload_that_was_given_up_the_device_is_asked_whether_it_is_there),
		cmocka_unit_test(firmware_on_its_test_boot_reverts_by_the_restart_alone),
		cmocka_unit_test(every_refusal_has_a_name_and_a_text),
		cmocka_unit_test(both_forms_of_a_refusal_are_named),
		cmocka_unit_test(nothing_is_asked_while_a_bootloader_may_have_its_window),
		cmocka_unit_test(a_list_may_carry_digests_of_sixty_four_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
