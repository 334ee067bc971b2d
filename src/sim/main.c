/* SPDX-License-Identifier: MIT */
/* bmsflash-sim: the virtual pack in real time, for other programs to talk to. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "sim/serve.h"
#include "sim/usb/usb_serve.h"

enum wire { WIRE_NONE, WIRE_PTY, WIRE_CAN, WIRE_USB };

struct args {
	enum wire wire;
	const char *where; /* CAN interface or USB port */
	const char *link;
	bool any_rate, tell;
	struct bf_sim_opts opts;
};

enum {
	OPT_PTY = 256,
	OPT_CAN,
	OPT_USB,
	OPT_LINK,
	OPT_STATE,
	OPT_MODEL,
	OPT_HEARD,
	OPT_CUT,
	OPT_ANY_RATE,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "pty", no_argument, NULL, OPT_PTY },
	{ "can", required_argument, NULL, OPT_CAN },
	{ "usb", required_argument, NULL, OPT_USB },
	{ "link", required_argument, NULL, OPT_LINK },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "cut", required_argument, NULL, OPT_CUT },
	{ "model", required_argument, NULL, OPT_MODEL },
	{ "any-rate", no_argument, NULL, OPT_ANY_RATE },
	{ "heard", no_argument, NULL, OPT_HEARD },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void print_help(void)
{
	const struct bf_sim_key *k;

	puts("usage: bmsflash-sim --pty [--link PATH] [OPTIONS] [KEY=VALUE[,...]]\n"
	     "       bmsflash-sim --can IFACE [OPTIONS] [KEY=VALUE[,...]]\n"
	     "       bmsflash-sim --usb vhci|PORT [OPTIONS] [KEY=VALUE[,...]]\n"
	     "Serves a virtual battery pack in real time until a signal ends it.\n\n"
	     "  --pty             make a pty and print its path\n"
	     "  --link PATH       keep a symbolic link at the pty\n"
	     "  --any-rate        take whatever line rate the other end sets\n"
	     "  --can IFACE       answer on a CAN interface that is up\n"
	     "  --usb vhci|PORT   plug into the kernel's virtual controller, or USB/IP on a port\n"
	     "  --heard           USB serial port: print what the host sets\n"
	     "  --model NAME      whose habits the device has, as the key model\n"
	     "  --state FILE      flash contents kept between runs\n"
	     "  --cut op:N|msg:N  power goes at flash operation or request N\n\n"
	     "Keys:");
	for (size_t i = 0; (k = bf_sim_key(i)); i++)
		printf("  %s=%s\n        %s\n", k->key, k->values, k->help);
}

/* "op:N" and "msg:N" are the keys cutop=N and cutmsg=N. */
static enum bf_rc parse_cut(const char *value, struct bf_sim_opts *opts, struct bf_err *err)
{
	const char *colon = strchr(value, ':');
	bool op = strncmp(value, "op:", 3) == 0 || strncmp(value, "OP:", 3) == 0;
	bool msg = strncmp(value, "msg:", 4) == 0 || strncmp(value, "MSG:", 4) == 0;
	char item[64];

	if (!op && !msg)
		return bf_fail(err, BF_E_USAGE, "--cut wants op:N or msg:N, not '%s'", value);
	snprintf(item, sizeof(item), "%s=%s", op ? "cutop" : "cutmsg", colon + 1);
	return bf_sim_opts_parse(item, opts, err);
}

static enum bf_rc parse_model(const char *value, struct bf_sim_opts *opts, struct bf_err *err)
{
	char item[64];

	snprintf(item, sizeof(item), "model=%s", value);
	return bf_sim_opts_parse(item, opts, err);
}

static enum bf_rc parse_option(int option, struct args *a, struct bf_err *err)
{
	switch (option) {
	case OPT_PTY:
		a->wire = WIRE_PTY;
		return BF_OK;
	case OPT_CAN:
		a->wire = WIRE_CAN;
		a->where = optarg;
		return BF_OK;
	case OPT_USB:
		a->wire = WIRE_USB;
		a->where = optarg;
		return BF_OK;
	case OPT_LINK:
		a->link = optarg;
		return BF_OK;
	case OPT_ANY_RATE:
		a->any_rate = true;
		return BF_OK;
	case OPT_HEARD:
		a->tell = true;
		return BF_OK;
	case OPT_CUT:
		return parse_cut(optarg, &a->opts, err);
	case OPT_MODEL:
		return parse_model(optarg, &a->opts, err);
	case OPT_STATE:
		if (strlen(optarg) >= sizeof(a->opts.state))
			return bf_fail(err, BF_E_USAGE, "the name of the state file is too long");
		snprintf(a->opts.state, sizeof(a->opts.state), "%s", optarg);
		return BF_OK;
	}
	return bf_fail(err, BF_E_USAGE, "see bmsflash-sim --help");
}

static enum bf_rc parse_args(int argc, char **argv, struct args *a, struct bf_err *err)
{
	enum bf_rc rc = BF_OK;
	int option;

	while (!rc && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			print_help();
			exit(0);
		}
		rc = parse_option(option, a, err);
	}
	for (int i = optind; i < argc && !rc; i++)
		rc = bf_sim_opts_parse(argv[i], &a->opts, err);
	if (!rc && a->wire == WIRE_NONE)
		rc = bf_fail(err, BF_E_USAGE, "no wire given: --pty, --can IFACE or --usb WHERE");
	return rc;
}

static void say_where(void *ctx, const char *where)
{
	(void)ctx;
	puts(where);
	fflush(stdout);
}

static int stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static enum bf_rc serve(const struct args *a, const struct bf_serve *s, struct bf_err *err)
{
	switch (a->wire) {
	case WIRE_NONE:
		break;
	case WIRE_PTY:
		return bf_sim_serve_pty(s, a->link, a->any_rate, err);
	case WIRE_CAN:
		return bf_sim_serve_can(s, a->where, err);
	case WIRE_USB:
		return bf_sim_serve_usb(s, a->where, err);
	}
	return BF_OK;
}

static enum bf_rc run(struct args *a, struct bf_err *err)
{
	BF_AUTO_FD int stop = stop_signals();
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(stop);
	BF_AUTO(bf_pack) *pack = NULL;
	struct bf_serve s = { .clock = clock,
			      .ready = say_where,
			      .heard = a->tell ? say_where : NULL };
	enum bf_rc rc = bf_pack_new(&a->opts, &pack, err);

	if (rc)
		return rc;
	s.pack = pack;
	bf_pack_plug_in(pack, bf_now(clock));
	rc = serve(a, &s, err);
	if (rc == BF_E_INTERRUPTED || !rc)
		return bf_pack_save(pack, err);
	return rc;
}

int main(int argc, char **argv)
{
	struct args a = { .wire = WIRE_NONE };
	struct bf_err err;

	bf_std_descriptors();
	bf_err_init(&err);
	bf_sim_opts_default(&a.opts);
	if (parse_args(argc, argv, &a, &err) == BF_OK && run(&a, &err) == BF_OK)
		return 0;
	fprintf(stderr, "bmsflash-sim: %s\n", err.cause);
	return bf_rc_info(err.rc)->exit_status;
}
