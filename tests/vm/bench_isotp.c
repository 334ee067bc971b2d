/* SPDX-License-Identifier: MIT */
/*
 * Our ISO-TP against isotpsend (the kernel's own can-isotp) in pairs: the same message over the same wire to
 * the same receiver, which is the kernel's and asks for block size and STmin. Prints a line for each pair:
 * microseconds of ours, of isotpsend's, frames, CPU microseconds of our process, our worst gap error.
 *
 *     bench_isotp SEND_IF RECV_IF classic|fd BLOCK_SIZE STMIN PAIRS
 *
 * Time is that of the wire, from the first frame to the last as the receiver's interface stamped them: what
 * it costs to start a program does not count.
 */
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/can.h>
#include <linux/can/isotp.h>
#include <linux/can/raw.h>

#include "bmsflash/link.h"
#include "bmsflash/rng.h"

#define TESTER_ID 0x7E0
#define PACK_ID   0x7E8
#define MESSAGE   4095u

struct wire {
	const char *send_if, *recv_if;
	bool fd;
	struct can_isotp_fc_options flow;
	uint8_t msg[MESSAGE];
	int hex;               /* the message as isotpsend wants it */
	int receiver, watcher; /* ISO-TP and raw */
	struct child *told;    /* shared with the child */
};

struct child { /* what our sender tells of itself */
	int64_t cpu_us;
	uint32_t worst_gap_us;
};

struct span {
	int64_t us;
	unsigned frames;
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- the receiver, and who stamps the frames ---- */

static void bind_to(int s, struct sockaddr_can addr, const char *ifname)
{
	addr.can_family = AF_CAN;
	addr.can_ifindex = (int)if_nametoindex(ifname);
	if (!addr.can_ifindex || bind(s, (struct sockaddr *)&addr, sizeof(addr)))
		die(ifname);
}

static void open_receiver(struct wire *w)
{
	struct can_isotp_options opts = { .flags = CAN_ISOTP_TX_PADDING, .txpad_content = 0xCC };
	struct can_isotp_ll_options ll = { .mtu = CANFD_MTU, .tx_dl = 64, .tx_flags = CANFD_BRS };
	struct timeval patience = { .tv_sec = 60 };
	struct sockaddr_can addr = { 0 };
	int s = socket(PF_CAN, SOCK_DGRAM, CAN_ISOTP);

	setsockopt(s, SOL_CAN_ISOTP, CAN_ISOTP_OPTS, &opts, sizeof(opts));
	setsockopt(s, SOL_CAN_ISOTP, CAN_ISOTP_RECV_FC, &w->flow, sizeof(w->flow));
	if (w->fd)
		setsockopt(s, SOL_CAN_ISOTP, CAN_ISOTP_LL_OPTS, &ll, sizeof(ll));
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	addr.can_addr.tp.rx_id = TESTER_ID;
	addr.can_addr.tp.tx_id = PACK_ID;
	bind_to(s, addr, w->recv_if);
	w->receiver = s;
}

static void open_watcher(struct wire *w)
{
	const struct can_filter filter = { TESTER_ID, CAN_SFF_MASK };
	int s = socket(PF_CAN, SOCK_RAW | SOCK_NONBLOCK, CAN_RAW), on = 1, room = 8 << 20;

	setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(s, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &on, sizeof(on));
	setsockopt(s, SOL_CAN_RAW, CAN_RAW_FILTER, &filter, sizeof(filter));
	bind_to(s, (struct sockaddr_can){ 0 }, w->recv_if);
	w->watcher = s;
}

static int64_t stamp_of(struct msghdr *m)
{
	struct timespec ts = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS)
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	}
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* All frames that the message took. */
static struct span watched(const struct wire *w)
{
	struct span span = { 0 };
	int64_t first = 0;

	for (;;) {
		_Alignas(struct cmsghdr) char control[128];
		struct canfd_frame f;
		struct iovec iov = { &f, sizeof(f) };
		struct msghdr m = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };

		if (recvmsg(w->watcher, &m, 0) <= 0)
			return span;
		if (!span.frames++)
			first = stamp_of(&m);
		span.us = stamp_of(&m) - first;
	}
}

/* ---- the senders ---- */

static void send_ours(const struct wire *w)
{
	const struct bf_isotp_opts opts = {
		.tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = 0xCC, .fd = w->fd, .brs = w->fd
	};
	struct bf_clock *clock = bf_clock_real_new(-1);
	struct bf_open_env env = { .clock = clock };
	struct bf_transport *t;
	struct bf_link *link;
	struct bf_err err;
	int64_t before;

	bf_err_init(&err);
	if (bf_transport_open(&env, w->send_if, &t, &err) || bf_isotp_open(t, &opts, &link, &err)) {
		fprintf(stderr, "%s\n", err.cause);
		_exit(1);
	}
	before = cpu_us();
	if (link->ops->send(link, w->msg, MESSAGE, bf_in(clock, BF_SEC(10)), &err)) {
		fprintf(stderr, "%s\n", err.cause);
		_exit(1);
	}
	w->told->cpu_us = cpu_us() - before;
	w->told->worst_gap_us = link->stats.gap_worst_error_us;
	/* What the driver still holds goes with the socket on some of them: until it is out. */
	usleep(100000);
	_exit(0);
}

static void send_theirs(const struct wire *w)
{
	const char *ifname = w->send_if;

	lseek(w->hex, 0, SEEK_SET);
	dup2(w->hex, STDIN_FILENO);
	if (w->fd)
		execlp("isotpsend", "isotpsend", "-s", "7E0", "-d", "7E8", "-p", "CC:", "-L",
		       "72:64:1", "-b", ifname, NULL);
	else
		execlp("isotpsend", "isotpsend", "-s", "7E0", "-d", "7E8", "-p", "CC:", "-b",
		       ifname, NULL);
	_exit(127);
}

static struct span timed(const struct wire *w, void (*sender)(const struct wire *w))
{
	uint8_t got[MESSAGE + 1];
	struct span span;
	pid_t pid = fork();
	int status;

	if (!pid)
		sender(w);
	if (read(w->receiver, got, sizeof(got)) != MESSAGE || memcmp(got, w->msg, MESSAGE) != 0)
		die("the message did not arrive whole");
	span = watched(w);
	waitpid(pid, &status, 0);
	if (status) {
		fprintf(stderr, "a sender ended with %x\n", (unsigned)status);
		exit(1);
	}
	return span;
}

static void make_message(struct wire *w)
{
	struct bf_rng rng = { 1 };
	char byte[4];

	w->hex = memfd_create("hex", 0);
	for (size_t i = 0; i < MESSAGE; i++) {
		w->msg[i] = (uint8_t)bf_rng_next(&rng);
		snprintf(byte, sizeof(byte), "%02X ", w->msg[i]);
		if (write(w->hex, byte, 3) != 3)
			die("memfd");
	}
	w->told = mmap(NULL, sizeof(*w->told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (w->told == MAP_FAILED)
		die("mmap");
}

int main(int argc, char **argv)
{
	struct wire w = { 0 };
	int pairs;

	if (argc != 7)
		return 2;
	w.send_if = argv[1];
	w.recv_if = argv[2];
	w.fd = strcmp(argv[3], "fd") == 0;
	w.flow.bs = (uint8_t)strtoul(argv[4], NULL, 0);
	w.flow.stmin = (uint8_t)strtoul(argv[5], NULL, 0);
	pairs = atoi(argv[6]);
	make_message(&w);
	open_receiver(&w);
	open_watcher(&w);
	for (int i = 0; i < pairs; i++) { /* who goes first changes from pair to pair */
		struct span first = timed(&w, i % 2 ? send_theirs : send_ours);
		struct span second = timed(&w, i % 2 ? send_ours : send_theirs);
		struct span ours = i % 2 ? second : first, theirs = i % 2 ? first : second;

		if (ours.frames != theirs.frames)
			fprintf(stderr, "%u frames, isotpsend %u\n", ours.frames, theirs.frames);
		printf("%lld %lld %u %lld %u\n", (long long)ours.us, (long long)theirs.us,
		       ours.frames, (long long)w.told->cpu_us, w.told->worst_gap_us);
		fflush(stdout);
	}
	return 0;
}
