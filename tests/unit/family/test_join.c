/* SPDX-License-Identifier: MIT */
/* A joined pack over two families that are scripts: who is asked, at which line, and what is said of whom. */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/entry.h"
#include "fake.h"

/* ---- a pack of two families ---- */

enum who { FIRMWARE, ROM, NOBODY_HOME };

struct world {
	struct bf_clock *clock;
	struct fake *wire;
	struct bf_profile profile;
	struct bf_entry_log log;
	struct bf_retry retry;
	struct bf_proto *proto;
	struct bf_err err;

	enum who who;
	bool deaf_to_request; /* it is lost, or not taken */
	bool stays;           /* the ROM does not start anything */
	bool on_lines;        /* DTR off lets it start in its ROM */
	bool has_serial_of_chip;
	bf_time rom_at; /* when whoever is asked for comes; 0: at once */
	unsigned app_asked, rom_asked, wrong_line, requests, starts;
	char order[64]; /* who was asked: "a" and "r" */
	uint8_t app_node, rom_node;
	uint32_t app_tx, app_rx, rom_tx, rom_rx;
	const struct bf_ident *told_to_rom;
	bool person; /* somebody presses Enter */
	bool rom_cannot_open;
	unsigned closed;
	char sentence[160], alive[160];
};

struct fake_proto {
	struct bf_proto base;
	struct world *world;
};

static struct world *the_world; /* of the running test: ops->open has no other way to it */

static struct world *world_of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct fake_proto, base)->world;
}

static bool line_is(const struct world *w, uint32_t baud, enum bf_parity parity)
{
	const struct bf_line *line = fake_stream_line(w->wire);

	return line->baud == baud && line->parity == parity;
}

static enum bf_rc silence(struct bf_err *err)
{
	return bf_fail(err, BF_E_NODEV, "nothing answers");
}

static void note_order(struct world *w, char c)
{
	size_t n = strlen(w->order);

	if (n + 1 < sizeof(w->order) && (!n || w->order[n - 1] != c))
		w->order[n] = c;
}

static void fake_close_proto(struct bf_proto *p)
{
	struct fake_proto *f = BF_CONTAINER_OF(p, struct fake_proto, base);

	f->world->closed++;
	free(f);
}

/* ---- its application: 9600 Bd, no parity ---- */

static const struct bf_proto_ops app_ops, rom_ops;

static enum bf_rc open_as(const struct bf_proto_ops *ops, const struct bf_proto_env *env,
			  struct bf_proto **ret)
{
	struct fake_proto *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->base.ops = ops;
	f->base.env = *env;
	f->world = the_world;
	*ret = &f->base;
	return BF_OK;
}

static enum bf_rc app_open(const struct bf_proto_env *env, struct bf_proto **ret,
			   struct bf_err *err)
{
	(void)err;
	the_world->app_node = env->profile->node;
	the_world->app_tx = env->profile->can_tx;
	the_world->app_rx = env->profile->can_rx;
	assert_null(env->application);
	return open_as(&app_ops, env, ret);
}

static bool app_hears(struct world *w)
{
	w->wrong_line += !line_is(w, 9600, BF_PARITY_NONE);
	return w->who == FIRMWARE && line_is(w, 9600, BF_PARITY_NONE);
}

static enum bf_rc app_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct world *w = world_of(p);

	w->app_asked++;
	note_order(w, 'a');
	if (app_hears(w))
		return BF_OK;
	bf_clock_until(w->clock, deadline);
	return silence(err);
}

static enum bf_rc app_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	if (!app_hears(world_of(p)))
		return silence(err);
	*ret = (struct bf_ident){ .caps = BF_CAP_MEASURE | BF_CAP_COUNTER | BF_CAP_DUAL_BANK,
				  .n_slots = 2,
				  .n_regions = 1,
				  .has_version = true,
				  .version = { .major = 15, .minor = 41 } };
	snprintf(ret->model, sizeof(ret->model), "PACK-16S");
	snprintf(ret->serial, sizeof(ret->serial), "SN-7");
	return BF_OK;
}

static enum bf_rc app_measure(struct bf_proto *p, struct bf_measure *ret, struct bf_err *err)
{
	(void)err;
	assert_true(app_hears(world_of(p)));
	ret->has_soc = true;
	ret->soc = 55;
	return BF_OK;
}

static enum bf_rc app_to_loader(struct bf_proto *p, struct bf_err *err)
{
	struct world *w = world_of(p);

	(void)err;
	assert_true(app_hears(w));
	w->requests++;
	if (!w->deaf_to_request)
		w->who = ROM;
	return BF_OK;
}

static const struct bf_app_ops app_role = { .measure = app_measure, .to_loader = app_to_loader };

static const struct bf_proto_ops app_ops = {
	.name = "app",
	.wires = BF_WIRE_STREAM,
	.app = &app_role,
	.loader = &bf_no_loader,
	.boot = &bf_no_boot,
	.open = app_open,
	.close = fake_close_proto,
	.recognise = app_recognise,
	.identify = app_identify,
};

/* ---- its bootloader: 115200 Bd, even parity ---- */

static enum bf_rc rom_open(const struct bf_proto_env *env, struct bf_proto **ret,
			   struct bf_err *err)
{
	the_world->rom_node = env->profile->node;
	the_world->rom_tx = env->profile->can_tx;
	the_world->rom_rx = env->profile->can_rx;
	the_world->told_to_rom = env->application;
	if (the_world->rom_cannot_open)
		return bf_fail(err, BF_E_USAGE, "not with this profile");
	return open_as(&rom_ops, env, ret);
}

static bool rom_hears(struct world *w)
{
	w->wrong_line += !line_is(w, 115200, BF_PARITY_EVEN);
	if (w->on_lines && w->who == FIRMWARE && !(fake_stream_modem(w->wire) & BF_MODEM_DTR))
		w->who = ROM;
	return w->who == ROM && line_is(w, 115200, BF_PARITY_EVEN) && bf_now(w->clock) >= w->rom_at;
}

static enum bf_rc rom_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct world *w = world_of(p);

	w->rom_asked++;
	note_order(w, 'r');
	if (rom_hears(w))
		return BF_OK;
	bf_clock_until(w->clock, deadline);
	return silence(err);
}

static enum bf_rc rom_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	struct world *w = world_of(p);

	if (!rom_hears(w))
		return silence(err);
	*ret = (struct bf_ident){ .caps = BF_CAP_READ | BF_CAP_ERASE, .n_regions = 1 };
	ret->regions[0] = (struct bf_region){ .addr = 0x08000000, .size = 0x10000 };
	if (w->has_serial_of_chip) {
		ret->is_anybodys = true;
		snprintf(ret->serial, sizeof(ret->serial), "CHIP");
	}
	return BF_OK;
}

static enum bf_rc rom_read(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			   uint8_t *buf, size_t len, struct bf_err *err)
{
	(void)region, (void)err;
	assert_true(rom_hears(world_of(p)));
	memset(buf, (int)(addr & 0xFF), len);
	p->saved += 3;
	return BF_OK;
}

static enum bf_rc rom_restart(struct bf_proto *p, struct bf_err *err)
{
	struct world *w = world_of(p);

	(void)err;
	w->starts++;
	if (!w->stays)
		w->who = FIRMWARE;
	return BF_OK;
}

static const struct bf_loader_ops rom_role = { .read = rom_read, .restart = rom_restart };
static const struct bf_role_line rom_line = { .baud = 115200, .parity = 'E' };

static const struct bf_proto_ops rom_ops = {
	.name = "rom",
	.wires = BF_WIRE_STREAM,
	.app = &bf_no_app,
	.loader = &rom_role,
	.boot = &bf_no_boot,
	.line = &rom_line,
	.loader_caps = BF_CAP_READ,
	.open = rom_open,
	.close = fake_close_proto,
	.recognise = rom_recognise,
	.identify = rom_identify,
};

/* ---- the bench ---- */

static void on_alive(void *ctx, const char *what)
{
	struct world *w = ctx;

	snprintf(w->alive, sizeof(w->alive), "%s", what);
}

static enum bf_rc on_ask(void *ctx, const char *sentence, struct bf_err *err)
{
	struct world *w = ctx;

	snprintf(w->sentence, sizeof(w->sentence), "%s", sentence);
	if (!w->person)
		return bf_fail(err, BF_E_UNSUPPORTED, "nobody is there");
	w->who = ROM;
	return BF_OK;
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct bf_line line = { .baud = 9600 };

	assert_non_null(w);
	w->clock = bf_vclock_new();
	w->wire = fake_stream_new(w->clock);
	bf_err_init(&w->err);
	bf_profile_default(&w->profile);
	w->profile.baud = w->profile.app_line.baud = 9600;
	bf_retry_default(&w->retry);
	(void)fake_transport(w->wire)->ops->stream->set_line(fake_transport(w->wire), &line,
							     &w->err);
	the_world = w;
	return w;
}

static void world_free(struct world *w)
{
	bf_proto_close(w->proto);
	fake_free(w->wire);
	bf_clock_free(w->clock);
	free(w);
}

static void world_cleanup(struct world **w)
{
	world_free(*w);
}
#define WORLD __attribute__((cleanup(world_cleanup))) struct world *w = world_new()

struct as {
	bool may_enter, rescue, alone;
	const struct bf_proto_ops *loader;
};

static void join(struct world *w, struct as as)
{
	const struct bf_proto_env env = {
		.transport = fake_transport(w->wire),
		.profile = &w->profile,
		.retry = &w->retry,
		.node = -1,
		.alive = on_alive,
		.alive_ctx = w,
		.ask_user = on_ask,
		.ask_ctx = w,
		.may_enter = as.may_enter,
		.rescue = as.rescue,
		.entry = &w->log,
	};

	w->proto = bf_proto_close(w->proto);
	assert_int_equal(bf_join_open(&env, as.alone ? NULL : &app_ops,
				      as.loader ? as.loader : &rom_ops, &w->proto, &w->err),
			 BF_OK);
}

static void how(struct world *w, const char *text)
{
	char ini[256];

	snprintf(ini, sizeof(ini), "[entry]\n%s\n", text);
	if (bf_profile_parse(ini, strlen(ini), "test", &w->profile, &w->err))
		fail_msg("%s", w->err.cause);
}

static void wanted(struct world *w, enum bf_rc rc, enum bf_rc want)
{
	if (rc != want)
		fail_msg("%s instead of %s: %s", bf_rc_info(rc)->name, bf_rc_info(want)->name,
			 rc ? w->err.cause : "");
	bf_err_init(&w->err);
}

static enum bf_rc recognise(struct world *w)
{
	return w->proto->ops->recognise(w->proto, bf_in(w->clock, BF_MS(600)), &w->err);
}

static enum bf_rc connect_for(struct world *w, enum bf_entry entry)
{
	return w->proto->ops->connect(w->proto, entry, &w->err);
}

static struct bf_ident identify(struct world *w)
{
	struct bf_ident id = { 0 };

	wanted(w, w->proto->ops->identify(w->proto, &id, &w->err), BF_OK);
	return id;
}

static void write_entered(struct world *w, struct as as)
{
	as.may_enter = true;
	join(w, as);
	wanted(w, recognise(w), BF_OK);
	(void)identify(w);
	wanted(w, connect_for(w, BF_ENTRY_WRITE), BF_OK);
}

/* ---- looking ---- */

static void the_application_is_asked_first_and_names_the_pack(void **state)
{
	WORLD;
	struct bf_ident id;

	(void)state;
	join(w, (struct as){ 0 });
	wanted(w, recognise(w), BF_OK);
	wanted(w, connect_for(w, BF_ENTRY_LOOK), BF_OK);
	id = identify(w);
	assert_string_equal(w->order, "a");
	assert_int_equal(id.talks, BF_TALKS_APPLICATION);
	assert_true(id.caps_later);
	/* Its banks are no place for what the bootloader writes. */
	assert_int_equal(id.n_regions, 0);
	assert_int_equal(id.n_slots, 0);
	assert_string_equal(id.serial, "SN-7");
	/* What bootloaders of this family can as a rule; the counter was the application's own. */
	assert_int_equal(id.caps, BF_CAP_MEASURE | BF_CAP_READ);
	assert_int_equal(w->proto->caps, id.caps);
	assert_string_equal(w->proto->ops->name, "app+rom");
	assert_int_equal(w->wrong_line, 0);
}

static void a_silent_application_leads_to_the_loader_at_the_loaders_own_line(void **state)
{
	WORLD;
	struct bf_ident id;

	(void)state;
	w->who = ROM;
	join(w, (struct as){ 0 });
	wanted(w, recognise(w), BF_OK);
	id = identify(w);
	assert_string_equal(w->order, "ar");
	assert_int_equal(id.talks, BF_TALKS_LOADER);
	assert_true(id.in_bootloader);
	assert_int_equal(id.n_regions, 1);
	assert_int_equal(w->wrong_line, 0);
}

static void a_loader_that_is_not_to_be_looked_for_is_not_asked(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = request");
	w->who = ROM;
	join(w, (struct as){ 0 });
	wanted(w, recognise(w), BF_E_NODEV);
	assert_int_equal(w->rom_asked, 0);
	assert_true(line_is(w, 9600, BF_PARITY_NONE));
}

/* What is a question for one is a block of data for the other. */
static void a_loader_that_speaks_by_itself_is_listened_to_before_anything_is_sent(void **state)
{
	WORLD;
	struct bf_proto_ops listens = rom_ops;

	(void)state;
	listens.listens = true;
	w->who = ROM;
	join(w, (struct as){ .loader = &listens });
	wanted(w, recognise(w), BF_OK);
	assert_string_equal(w->order, "r");
	w->who = FIRMWARE;
	join(w, (struct as){ .loader = &listens });
	wanted(w, recognise(w), BF_OK);
	assert_string_equal(w->order, "ra");
	/* The question may have kept it from calling. */
	w->who = NOBODY_HOME;
	join(w, (struct as){ .loader = &listens });
	wanted(w, recognise(w), BF_E_NODEV);
	assert_memory_equal(w->order, "rar", 3);
}

static void a_loader_whose_first_byte_must_be_its_own_is_asked_first_where_it_may_be_there(
	void **state)
{
	WORLD;
	struct bf_proto_ops first = rom_ops;

	(void)state;
	first.goes_first = true;
	how(w, "how = there, hand\nhand = hold BOOT0, press reset");
	w->who = ROM;
	join(w, (struct as){ .loader = &first });
	wanted(w, recognise(w), BF_OK);
	assert_string_equal(w->order, "r");
	w->who = FIRMWARE;
	join(w, (struct as){ .loader = &first });
	wanted(w, recognise(w), BF_OK);
	assert_string_equal(w->order, "ra");
}

static void a_loader_that_is_entered_by_a_request_hears_nothing_before_it(void **state)
{
	WORLD;
	struct bf_proto_ops first = rom_ops;

	(void)state;
	first.goes_first = true;
	how(w, "how = request");
	w->who = FIRMWARE;
	join(w, (struct as){ .loader = &first });
	wanted(w, recognise(w), BF_OK);
	assert_string_equal(w->order, "a");
}

static void each_role_has_its_own_address(void **state)
{
	WORLD;
	static const char text[] = "[application]\nnode = 3\nrequest-id = 0x100\n"
				   "response-id = 0x101\n[loader]\nnode = 9\n";

	(void)state;
	wanted(w, bf_profile_parse(text, sizeof(text) - 1, "test", &w->profile, &w->err), BF_OK);
	join(w, (struct as){ 0 });
	assert_int_equal(w->app_node, 3);
	assert_int_equal(w->rom_node, 9);
	assert_int_equal(w->app_tx, 0x100);
	assert_int_equal(w->app_rx, 0x101);
	assert_int_equal(w->rom_tx, 0x7E0);
	assert_int_equal(w->rom_rx, 0x7E8);
}

static void a_profile_may_give_the_loader_another_line_than_its_family_wants(void **state)
{
	WORLD;
	static const char text[] = "[loader]\nparity = none\nbaud = 57600\nstop-bits = 2\n";

	(void)state;
	wanted(w, bf_profile_parse(text, sizeof(text) - 1, "test", &w->profile, &w->err), BF_OK);
	w->who = ROM;
	join(w, (struct as){ 0 });
	wanted(w, recognise(w), BF_E_NODEV);
	assert_int_equal(w->wrong_line, 1);
	join(w, (struct as){ .alone = true });
	wanted(w, recognise(w), BF_E_NODEV);
	assert_true(line_is(w, 57600, BF_PARITY_NONE));
	assert_int_equal(fake_stream_line(w->wire)->stop_bits, 2);
}

/* ---- entering ---- */

static void writing_asks_the_application_into_its_loader(void **state)
{
	WORLD;
	struct bf_ident id;

	(void)state;
	w->rom_at = BF_SEC(3);
	write_entered(w, (struct as){ 0 });
	assert_int_equal(w->requests, 1);
	assert_true(line_is(w, 115200, BF_PARITY_EVEN));
	assert_true(bf_now(w->clock) >= BF_SEC(3));
	id = identify(w);
	assert_int_equal(id.talks, BF_TALKS_LOADER);
	assert_string_equal(id.serial, "SN-7");
	assert_string_equal(id.model, "PACK-16S");
	/* That it measures is known; that the counter is, was no business of the bootloader's. */
	assert_int_equal(id.caps, BF_CAP_READ | BF_CAP_ERASE | BF_CAP_MEASURE);
	assert_int_equal(w->wrong_line, 0);
	assert_string_equal(w->told_to_rom->serial, "SN-7");
}

static void what_every_chip_shows_does_not_name_the_pack(void **state)
{
	WORLD;

	(void)state;
	w->has_serial_of_chip = true;
	write_entered(w, (struct as){ 0 });
	assert_string_equal(identify(w).serial, "SN-7");
	assert_false(identify(w).is_anybodys);
}

static void reading_enters_the_loader_too_and_looking_does_not(void **state)
{
	WORLD;
	uint8_t buf[4];

	(void)state;
	join(w, (struct as){ .may_enter = true });
	wanted(w, recognise(w), BF_OK);
	wanted(w, connect_for(w, BF_ENTRY_LOOK), BF_OK);
	assert_int_equal(w->requests, 0);
	wanted(w, w->proto->ops->loader->read(w->proto, NULL, 0x42, buf, 4, &w->err),
	       BF_E_UNSUPPORTED);
	wanted(w, connect_for(w, BF_ENTRY_READ), BF_OK);
	wanted(w, w->proto->ops->loader->read(w->proto, NULL, 0x42, buf, 4, &w->err), BF_OK);
	assert_int_equal(buf[3], 0x42);
	assert_int_equal(w->proto->saved, 3);
}

static void firmware_is_not_stopped_to_read_from_a_loader_that_only_takes(void **state)
{
	WORLD;
	struct bf_proto_ops sink = rom_ops;

	(void)state;
	sink.loader_caps = BF_CAP_SINK;
	join(w, (struct as){ .may_enter = true, .loader = &sink });
	wanted(w, recognise(w), BF_OK);
	wanted(w, connect_for(w, BF_ENTRY_READ), BF_OK);
	assert_int_equal(w->requests, 0);
	wanted(w, connect_for(w, BF_ENTRY_WRITE), BF_OK);
	assert_int_equal(w->requests, 1);
}

static void nothing_is_measured_while_the_loader_has_the_line(void **state)
{
	WORLD;
	struct bf_measure m = { 0 };

	(void)state;
	join(w, (struct as){ .may_enter = true });
	wanted(w, recognise(w), BF_OK);
	wanted(w, w->proto->ops->app->measure(w->proto, &m, &w->err), BF_OK);
	assert_false(w->proto->in_loader);
	wanted(w, connect_for(w, BF_ENTRY_WRITE), BF_OK);
	assert_true(w->proto->in_loader);
	wanted(w, w->proto->ops->app->measure(w->proto, &m, &w->err), BF_E_UNSUPPORTED);
}

static void a_request_that_leads_nowhere_is_followed_by_the_next_way(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = request, lines\nlines = rts=1 dtr=0 wait=100ms dtr=1 dtr=0\n"
	       "ready-limit-s = 2");
	w->deaf_to_request = w->on_lines = true;
	write_entered(w, (struct as){ 0 });
	assert_int_equal(w->requests, 1);
	assert_non_null(strstr(fake_heard(w->wire), "RTS=1"));
	assert_non_null(strstr(fake_heard(w->wire), "DTR=0"));
}

static void an_application_that_stays_is_found_again_and_said_to_stay(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = request\nready-limit-s = 1");
	w->deaf_to_request = true;
	join(w, (struct as){ .may_enter = true });
	wanted(w, recognise(w), BF_OK);
	assert_int_equal(connect_for(w, BF_ENTRY_WRITE), BF_E_NODEV);
	assert_non_null(strstr(w->err.cause, "did not answer after any way"));
	bf_err_init(&w->err);
	assert_int_equal(identify(w).talks, BF_TALKS_APPLICATION);
	assert_true(line_is(w, 9600, BF_PARITY_NONE));
}

static void text_is_sent_and_its_ready_byte_awaited_in_whatever_else_is_said(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = text\ntext = go\\r\\x01\nready = C\\x15");
	fake_on(w->wire, "676F0D01", "4143431541", BF_MS(20));
	join(w, (struct as){ .may_enter = true });
	wanted(w, recognise(w), BF_OK);
	w->who = ROM; /* by the text */
	w->proto->ops->leave(w->proto);
	/* It was the application that answered; the text goes out at its line. */
	wanted(w, connect_for(w, BF_ENTRY_WRITE), BF_OK);
	assert_non_null(strstr(fake_heard(w->wire), "676F0D01"));
}

static void text_that_nothing_answers_is_no_way_in(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = text\ntext = go\nready = C\nready-limit-s = 2");
	join(w, (struct as){ .may_enter = true });
	wanted(w, recognise(w), BF_OK);
	assert_int_equal(connect_for(w, BF_ENTRY_WRITE), BF_E_NODEV);
}

static void somebody_at_the_pack_is_asked_with_the_profiles_sentence(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = hand\nhand = hold BOOT0, press reset");
	w->person = true;
	w->who = NOBODY_HOME;
	join(w, (struct as){ .may_enter = true, .alone = true });
	wanted(w, recognise(w), BF_OK);
	assert_string_equal(w->sentence, "hold BOOT0, press reset");
	assert_int_equal(identify(w).talks, BF_TALKS_LOADER);
}

static void where_nobody_can_be_asked_the_loader_is_waited_for(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = hand\nhand = hold BOOT0, press reset\nhand-limit-s = 40");
	w->who = ROM;
	w->rom_at = BF_SEC(30);
	join(w, (struct as){ .may_enter = true, .alone = true });
	wanted(w, recognise(w), BF_OK);
	assert_string_equal(w->sentence, "hold BOOT0, press reset");
	assert_true(bf_now(w->clock) >= BF_SEC(30) && bf_now(w->clock) < BF_SEC(31));

	w->log.tried = 0;
	w->rom_at = BF_SEC(200);
	join(w, (struct as){ .may_enter = true, .alone = true });
	wanted(w, recognise(w), BF_E_NODEV);
	assert_true(bf_now(w->clock) < BF_SEC(80));
}

static void a_window_is_asked_into_without_a_pause(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = window\nwindow-s = 20");
	w->who = ROM;
	w->rom_at = BF_SEC(12);
	join(w, (struct as){ .may_enter = true, .alone = true });
	wanted(w, recognise(w), BF_OK);
	assert_true(bf_now(w->clock) < BF_SEC(12) + BF_MS(20));
	assert_true(w->rom_asked > 1000);
}

/* Each look opens the protocol anew; a person is not asked again for that. */
static void a_way_is_gone_once_in_a_run(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = lines\nlines = dtr=0 dtr=1\nready-limit-s = 1");
	w->who = NOBODY_HOME;
	join(w, (struct as){ .may_enter = true, .rescue = true });
	wanted(w, recognise(w), BF_E_NODEV);
	assert_int_equal(w->app_asked, 0);
	assert_non_null(strstr(fake_heard(w->wire), "DTR=0"));
	fake_forget(w->wire);
	join(w, (struct as){ .may_enter = true, .rescue = true });
	wanted(w, recognise(w), BF_E_NODEV);
	assert_null(strstr(fake_heard(w->wire), "DTR"));
	/* Its firmware counts as dead: it is asked when nothing else is left, and may answer. */
	assert_int_equal(w->app_asked, 1);
	w->who = FIRMWARE;
	join(w, (struct as){ .may_enter = true, .rescue = true });
	wanted(w, recognise(w), BF_OK);
}

static void a_look_moves_no_line_and_a_silent_application_is_no_reason_to(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = lines, there\nlines = dtr=0\nready-limit-s = 1");
	w->who = NOBODY_HOME;
	join(w, (struct as){ .alone = true });
	wanted(w, recognise(w), BF_E_NODEV);
	join(w, (struct as){ .may_enter = true });
	wanted(w, recognise(w), BF_E_NODEV);
	assert_null(strstr(fake_heard(w->wire), "DTR"));
}

static void a_port_without_modem_lines_is_said_to_have_no_way_in(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = lines\nlines = dtr=0");
	fake_stream_no_modem(w->wire);
	join(w, (struct as){ .may_enter = true });
	wanted(w, recognise(w), BF_OK);
	assert_int_equal(connect_for(w, BF_ENTRY_WRITE), BF_E_NODEV);
	assert_non_null(strstr(w->err.cause, "can be gone here"));
}

static void pins_of_the_computer_without_gpio_are_no_way_in(void **state)
{
	WORLD;

	(void)state;
	how(w, "how = gpio\ngpio-chip = nochip\ngpio-lines = boot=17 reset=27\n"
	       "gpio = boot=1 reset=0 wait=1ms reset=1");
	join(w, (struct as){ .may_enter = true });
	wanted(w, recognise(w), BF_OK);
	assert_int_not_equal(connect_for(w, BF_ENTRY_WRITE), BF_OK);
}

static void a_signal_ends_the_wait_for_the_loader(void **state)
{
	WORLD;

	(void)state;
	w->deaf_to_request = true;
	join(w, (struct as){ .may_enter = true });
	wanted(w, recognise(w), BF_OK);
	bf_vclock_cancel_at(w->clock, bf_in(w->clock, BF_MS(300)));
	assert_int_equal(connect_for(w, BF_ENTRY_WRITE), BF_E_INTERRUPTED);
}

/* ---- the restart ---- */

static void the_restart_gives_the_line_back_and_the_application_proves(void **state)
{
	WORLD;
	struct bf_ident id;

	(void)state;
	write_entered(w, (struct as){ 0 });
	wanted(w, w->proto->ops->loader->restart(w->proto, &w->err), BF_OK);
	w->proto->ops->default_rate(w->proto);
	wanted(w, w->proto->ops->await(w->proto, bf_in(w->clock, BF_SEC(30)), &w->err), BF_OK);
	wanted(w, connect_for(w, BF_ENTRY_LOOK), BF_OK);
	id = identify(w);
	assert_int_equal(id.talks, BF_TALKS_APPLICATION);
	assert_true(id.has_version);
	assert_true(line_is(w, 9600, BF_PARITY_NONE));
	assert_int_equal(w->wrong_line, 0);
}

static void firmware_that_was_started_is_not_stopped_again_by_a_question(void **state)
{
	WORLD;
	struct bf_measure m = { 0 };

	(void)state;
	write_entered(w, (struct as){ 0 });
	wanted(w, w->proto->ops->loader->restart(w->proto, &w->err), BF_OK);
	wanted(w, w->proto->ops->await(w->proto, bf_in(w->clock, BF_SEC(30)), &w->err), BF_OK);
	wanted(w, connect_for(w, BF_ENTRY_READ), BF_OK);
	wanted(w, w->proto->ops->app->measure(w->proto, &m, &w->err), BF_OK);
	assert_int_equal(w->requests, 1);
	/* The old firmware is to be written back. */
	wanted(w, connect_for(w, BF_ENTRY_WRITE), BF_OK);
	assert_int_equal(w->requests, 2);
}

static void a_loader_that_stays_is_reported_and_not_taken_for_the_application(void **state)
{
	WORLD;

	(void)state;
	w->stays = true;
	write_entered(w, (struct as){ 0 });
	wanted(w, w->proto->ops->loader->restart(w->proto, &w->err), BF_OK);
	wanted(w, w->proto->ops->await(w->proto, bf_in(w->clock, BF_SEC(30)), &w->err), BF_OK);
	assert_true(bf_now(w->clock) < BF_SEC(31));
	assert_int_equal(identify(w).talks, BF_TALKS_LOADER);
}

static void firmware_that_never_answers_ends_with_silence(void **state)
{
	WORLD;

	(void)state;
	write_entered(w, (struct as){ 0 });
	wanted(w, w->proto->ops->loader->restart(w->proto, &w->err), BF_OK);
	w->who = NOBODY_HOME;
	w->alive[0] = '\0';
	assert_int_equal(w->proto->ops->await(w->proto, bf_in(w->clock, BF_SEC(30)), &w->err),
			 BF_E_NODEV);
	assert_string_equal(w->alive, "waiting for the pack's firmware to answer");
}

/* Nothing can be waited for: the engine's verdict is that of what was read back. */
static void a_loader_alone_is_not_waited_for(void **state)
{
	WORLD;
	bf_time before;

	(void)state;
	w->who = ROM;
	join(w, (struct as){ .may_enter = true, .alone = true });
	wanted(w, recognise(w), BF_OK);
	wanted(w, connect_for(w, BF_ENTRY_WRITE), BF_OK);
	wanted(w, w->proto->ops->loader->restart(w->proto, &w->err), BF_OK);
	before = bf_now(w->clock);
	wanted(w, w->proto->ops->await(w->proto, bf_in(w->clock, BF_SEC(30)), &w->err),
	       BF_E_UNSUPPORTED);
	assert_true(bf_now(w->clock) - before < BF_SEC(1));
	assert_int_equal(connect_for(w, BF_ENTRY_LOOK), BF_E_NODEV);
}

static void a_way_out_by_lines_replaces_the_jump(void **state)
{
	WORLD;

	(void)state;
	how(w, "lines-leave = dtr=1 rts=0 wait=10ms rts=1");
	write_entered(w, (struct as){ 0 });
	fake_forget(w->wire);
	wanted(w, w->proto->ops->loader->restart(w->proto, &w->err), BF_OK);
	assert_string_equal(fake_heard(w->wire), "RTS=0 DTR=1\nRTS=1 DTR=1\n");
	assert_int_equal(w->starts, 0);
}

static void a_pack_that_restarted_is_taken_into_its_loader_again(void **state)
{
	WORLD;

	(void)state;
	write_entered(w, (struct as){ 0 });
	w->who = FIRMWARE;
	wanted(w, connect_for(w, BF_ENTRY_WRITE), BF_OK);
	/* The fake has no connect, so only a look shows it. */
	assert_int_equal(w->proto->ops->identify(w->proto, &(struct bf_ident){ 0 }, &w->err),
			 BF_E_NODEV);
	bf_err_init(&w->err);
	assert_int_equal(w->proto->ops->await(w->proto, bf_in(w->clock, BF_SEC(5)), &w->err),
			 BF_OK);
	wanted(w, connect_for(w, BF_ENTRY_WRITE), BF_OK);
	assert_int_equal(w->requests, 2);
	assert_int_equal(identify(w).talks, BF_TALKS_LOADER);
}

/* ---- the seam ---- */

/* A member that joining forgets is a capability that is lost: every table is filled, and every member must be. */
static void every_capability_of_the_families_reaches_the_engine(void **state)
{
	WORLD;
	union {
		struct bf_loader_ops ops;
		void *slot[sizeof(struct bf_loader_ops) / sizeof(void *)];
	} loader, joined;
	union {
		struct bf_boot_ops ops;
		void *slot[sizeof(struct bf_boot_ops) / sizeof(void *)];
	} boot, boot_joined;
	union {
		struct bf_app_ops ops;
		void *slot[sizeof(struct bf_app_ops) / sizeof(void *)];
	} app, app_joined;
	struct bf_proto_ops both_app = app_ops, both_rom = rom_ops;
	struct bf_proto_env env = { .transport = fake_transport(w->wire),
				    .profile = &w->profile,
				    .node = -1 };

	(void)state;
	memset(&loader, 0x5A, sizeof(loader));
	memset(&boot, 0x5A, sizeof(boot));
	memset(&app, 0x5A, sizeof(app));
	both_app.app = &app.ops;
	both_rom.loader = &loader.ops;
	both_rom.boot = &boot.ops;
	wanted(w, bf_join_open(&env, &both_app, &both_rom, &w->proto, &w->err), BF_OK);
	joined.ops = *w->proto->ops->loader;
	boot_joined.ops = *w->proto->ops->boot;
	app_joined.ops = *w->proto->ops->app;
	for (size_t i = 0; i < BF_COUNT(loader.slot); i++)
		assert_non_null(joined.slot[i]);
	for (size_t i = 0; i < BF_COUNT(boot.slot); i++)
		assert_non_null(boot_joined.slot[i]);
	/* to_loader is the joined pack's own business. */
	app_joined.ops.to_loader = app.ops.to_loader;
	for (size_t i = 0; i < BF_COUNT(app.slot); i++)
		assert_non_null(app_joined.slot[i]);
}

static void what_was_opened_is_closed_where_the_other_cannot_be(void **state)
{
	WORLD;
	struct bf_proto_env env = { .transport = fake_transport(w->wire),
				    .profile = &w->profile,
				    .retry = &w->retry,
				    .node = -1,
				    .entry = &w->log };

	(void)state;
	w->rom_cannot_open = true;
	wanted(w, bf_join_open(&env, &app_ops, &rom_ops, &w->proto, &w->err), BF_E_USAGE);
	assert_null(w->proto);
	assert_int_equal(w->closed, 1);
}

static void a_profile_that_names_no_loader_is_not_joined(void **state)
{
	WORLD;
	struct bf_proto_env env = { .transport = fake_transport(w->wire),
				    .profile = &w->profile,
				    .node = -1 };

	(void)state;
	assert_false(bf_is_joined(&w->profile));
	wanted(w, bf_proto_joined_ops.open(&env, &w->proto, &w->err), BF_E_UNSUPPORTED);
	snprintf(w->profile.loader, sizeof(w->profile.loader), "nobody");
	assert_true(bf_is_joined(&w->profile));
	assert_int_equal(bf_proto_joined_ops.open(&env, &w->proto, &w->err), BF_E_USAGE);
	assert_non_null(strstr(w->err.cause, "nobody"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_application_is_asked_first_and_names_the_pack),
		cmocka_unit_test(a_silent_application_leads_to_the_loader_at_the_loaders_own_line),
		cmocka_unit_test(a_loader_that_is_not_to_be_looked_for_is_not_asked),
		cmocka_unit_test(
			a_loader_that_speaks_by_itself_is_listened_to_before_anything_is_sent),
		cmocka_unit_test(
			a_loader_whose_first_byte_must_be_its_own_is_asked_first_where_it_may_be_there),
		cmocka_unit_test(a_loader_that_is_entered_by_a_request_hears_nothing_before_it),
		cmocka_unit_test(each_role_has_its_own_address),
		cmocka_unit_test(a_profile_may_give_the_loader_another_line_than_its_family_wants),
		cmocka_unit_test(writing_asks_the_application_into_its_loader),
		cmocka_unit_test(what_every_chip_shows_does_not_name_the_pack),
		cmocka_unit_test(reading_enters_the_loader_too_and_looking_does_not),
		cmocka_unit_test(firmware_is_not_stopped_to_read_from_a_loader_that_only_takes),
		cmocka_unit_test(nothing_is_measured_while_the_loader_has_the_line),
		cmocka_unit_test(a_request_that_leads_nowhere_is_followed_by_the_next_way),
		cmocka_unit_test(an_application_that_stays_is_found_again_and_said_to_stay),
		cmocka_unit_test(text_is_sent_and_its_ready_byte_awaited_in_whatever_else_is_said),
		cmocka_unit_test(text_that_nothing_answers_is_no_way_in),
		cmocka_unit_test(somebody_at_the_pack_is_asked_with_the_profiles_sentence),
		cmocka_unit_test(where_nobody_can_be_asked_the_loader_is_waited_for),
		cmocka_unit_test(a_window_is_asked_into_without_a_pause),
		cmocka_unit_test(a_way_is_gone_once_in_a_run),
		cmocka_unit_test(a_look_moves_no_line_and_a_silent_application_is_no_reason_to),
		cmocka_unit_test(a_port_without_modem_lines_is_said_to_have_no_way_in),
		cmocka_unit_test(pins_of_the_computer_without_gpio_are_no_way_in),
		cmocka_unit_test(a_signal_ends_the_wait_for_the_loader),
		cmocka_unit_test(the_restart_gives_the_line_back_and_the_application_proves),
		cmocka_unit_test(firmware_that_was_started_is_not_stopped_again_by_a_question),
		cmocka_unit_test(a_loader_that_stays_is_reported_and_not_taken_for_the_application),
		cmocka_unit_test(firmware_that_never_answers_ends_with_silence),
		cmocka_unit_test(a_loader_alone_is_not_waited_for),
		cmocka_unit_test(a_way_out_by_lines_replaces_the_jump),
		cmocka_unit_test(a_pack_that_restarted_is_taken_into_its_loader_again),
		cmocka_unit_test(every_capability_of_the_families_reaches_the_engine),
		cmocka_unit_test(what_was_opened_is_closed_where_the_other_cannot_be),
		cmocka_unit_test(a_profile_that_names_no_loader_is_not_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
