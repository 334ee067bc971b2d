/* SPDX-License-Identifier: MIT */
/*
 * The five jobs. The engine knows no wire and no terminal: it is given an opened transport (or an address
 * to open), trusted inputs by type, and a sink for events; it returns how the run ended. The order of a
 * flash is a table of phases (src/engine/phases.c).
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "bmsflash/image.h"
#include "bmsflash/family.h"

/* ---- safety checks that can be allowed by name (--allow), one at a time ---- */

enum bf_allow {
	BF_ALLOW_LOW_SOC,
	BF_ALLOW_HIGH_SOC,
	BF_ALLOW_COLD,
	BF_ALLOW_HOT,
	BF_ALLOW_CURRENT,
	BF_ALLOW_UNSTEADY, /* voltages move between two readings */
	BF_ALLOW_CELL_SPREAD,
	BF_ALLOW_UNKNOWN,           /* a required quantity that the pack does not tell */
	BF_ALLOW_NO_HARDWARE,       /* the image names no hardware */
	BF_ALLOW_NO_COUNTER,        /* the pack counts, the image carries no counter */
	BF_ALLOW_DOWNGRADE,         /* lower version, counter permitting */
	BF_ALLOW_NO_BACKUP,         /* the pack cannot be read back */
	BF_ALLOW_SINGLE_BANK,       /* no way back but a backup */
	BF_ALLOW_NO_PROOF,          /* the pack cannot tell what it runs */
	BF_ALLOW_SELF_TEST,         /* the pack has no self-test that the profile requires */
	BF_ALLOW_FOREIGN_ARCHIVE,   /* an archive that somebody else made, with unsigned contents */
	BF_ALLOW_NEW_CONFIGURATION, /* what the new firmware made of it stays */
	BF_ALLOW_READOUT_UNPROTECT, /* clears readout protection, and with it all of the flash */
	BF_ALLOW_COUNT
};
struct bf_allow_info {
	const char *name; /* "low-soc" */
	const char *help; /* one line, no full stop */
};
const struct bf_allow_info *bf_allow_info(enum bf_allow allow);
bool bf_allow_find(const char *name, enum bf_allow *ret);

/* ---- events: everything that the user may learn while a job runs ---- */

enum bf_event_kind {
	BF_EV_START,     /* the job begins: .job */
	BF_EV_IMAGE,     /* an image was verified: .image */
	BF_EV_INTERFACE, /* a wire was opened: .iface */
	BF_EV_CANDIDATE, /* probe without --if: something that could be asked: .candidate */
	BF_EV_TRIED,     /* a protocol was asked for and did not answer: .text */
	BF_EV_DEVICE,    /* identity: .ident */
	BF_EV_MEASURE,   /* conditions read: .measure */
	BF_EV_CHECK,     /* one safety check decided: .check */
	BF_EV_PLAN,      /* what will be done: .plan */
	BF_EV_PHASE,     /* a phase begins: .phase */
	BF_EV_PROGRESS,  /* .progress; at most ten a second */
	BF_EV_ALIVE,     /* still waiting for something: .alive */
	BF_EV_NOTICE,    /* worth knowing: .text */
	BF_EV_WARNING,   /* worth acting on: .text */
	BF_EV_RETRY,     /* something was repeated: .text */
	BF_EV_FILE,      /* a file was written: .file */
	BF_EV_REGION,    /* backup, verify: one region done: .region */
	BF_EV_SELF_TEST, /* one rule of the self-test: .check */
	BF_EV_SUMMARY,   /* figures of the run: .summary */
	BF_EV_FINDING,   /* probe --doctor: .finding */
	BF_EV_REQUEST,   /* verify of a profile: one line of what a flash sends: .text */
	BF_EV_KNOWN,     /* probe --list: a protocol, chip or profile: .known */
	BF_EV_KIND_COUNT
};

enum bf_job_kind { BF_JOB_PROBE, BF_JOB_BACKUP, BF_JOB_VERIFY, BF_JOB_FLASH, BF_JOB_ROLLBACK };

/* What a phase is part of: what a person sees as one step. */
enum bf_activity {
	BF_ACT_PREPARE,
	BF_ACT_BACKUP,
	BF_ACT_WRITE,
	BF_ACT_VERIFY,
	BF_ACT_RESTART,
	BF_ACT_TEST,
	BF_ACT_CONFIRM,
	BF_ACT_COUNT
};

enum bf_verdict { BF_VERDICT_PASS, BF_VERDICT_FAIL, BF_VERDICT_ALLOWED, BF_VERDICT_UNKNOWN };

struct bf_check {
	const char *name; /* "state-of-charge", "class" */
	enum bf_verdict verdict;
	char got[96];   /* "85.0 %" */
	char limit[96]; /* "20 to 80 %" */
	int allow;      /* enum bf_allow that would let it pass, -1: none */
};

struct bf_plan {
	const char *from_version, *to_version; /* NULL: unknown */
	unsigned part;                         /* number of the image, where there are several */
	size_t bytes;                          /* of the image */
	size_t skip_bytes;                     /* already there */
	unsigned blocks, segments;
	bool anew;          /* what is interrupted begins with the first byte again */
	const char *rescue; /* by hand, for a pack that was cut off and is silent; "": nothing */
	bool trial, confirm, backup;
	bool counter_will_rise; /* after confirming, the old version can never run again */
	uint32_t counter_from, counter_to;
	bool has_slot;
	unsigned slot;  /* where it goes, where the pack has slots */
	uint32_t rate;  /* bit/s, 0 unknown */
	bool one_place; /* the firmware that runs is overwritten: there is none until all is done */
	bool wipes_all; /* readout protection is cleared first, which erases all of the flash */
};

struct bf_progress {
	const char *phase;
	uint64_t done, total; /* bytes */
	double rate;          /* bytes/s over the last seconds */
	double wire_share;    /* 0..1 of the wire's payload limit, <0 unknown */
	bf_time eta;          /* us left, -1 unknown */
	double percent;       /* of the whole job */
};

/* The line as it was measured before the transfer, and as its controller counted by the end. */
struct bf_line_figures {
	unsigned sent, lost;       /* small exchanges; 0 sent: it was not measured */
	bf_time best, mean, worst; /* until their answer */
	unsigned rate_steps;       /* down, while data moved */
	bool stream, echo;         /* a serial line; the adapter hears itself */
	int latency_timer_ms;      /* of the adapter, -1 where there is none */
	const char *bus_state;     /* "error-active"; NULL: no CAN */
	uint32_t tx_errors, rx_errors;
};

struct bf_summary {
	bf_time total, erase, transfer, wait_pack, wait_adapter, retries, backup, verify, restart;
	bf_time paused; /* for conditions outside their limits */
	struct bf_line_figures line;
	uint64_t bytes_sent, bytes_skipped;
	unsigned regions_restored; /* of configuration and calibration */
	uint64_t bytes_restored;
	int64_t bytes_saved;     /* of bytes_sent, by compression */
	double rate, wire_share; /* as in bf_progress */
	uint32_t line_rate;
	struct bf_wire_stats wire;
	struct bf_retry retry;
	bool virtual_time;
};

struct bf_event {
	enum bf_event_kind kind;
	int64_t wall_us; /* clock's wall time */
	union {
		enum bf_job_kind job;
		struct {
			const char *path, *key;
			const struct bf_meta *meta;
			size_t size;
			const char *key_id; /* its fingerprint, NULL: no key verified it */
		} image;
		struct {
			const char *name; /* "can0" */
			const char *driver;
			const char *detail; /* "500 kbit/s, error-active" */
		} iface;
		const struct bf_candidate *candidate;
		const struct bf_ident *ident;
		const struct bf_measure *measure;
		const struct bf_check *check;
		const struct bf_plan *plan;
		struct {
			const char *name;
			unsigned index, count;
			enum bf_activity activity;
			bf_time limit; /* how long it may take, 0: no limit of its own */
		} phase;
		const struct bf_progress *progress;
		const char *text;
		struct {
			const char *text; /* in the place of .text */
			unsigned
				next; /* number of the try that begins now, 1 was the first; 0: not counted */
			unsigned most; /* after this many failures in a row it is given up */
		} retry;
		struct {
			const char *text; /* in the place of .text */
			const struct bf_check
				*paused; /* what writing waits for, NULL: it does not */
		} alive;
		struct {
			const char *what, *path;
		} file;
		struct {
			const char *kind, *name,
				*summary; /* "protocol", "uds"; summary may be "" */
		} known;
		struct {
			const char *name;
			uint32_t addr;
			size_t size;
			/* "saved", "identical", "differs", "not readable", "restored" */
			const char *result;
		} region;
		const struct bf_summary *summary;
		const struct bf_diag_finding *finding;
	};
};

struct bf_events {
	void (*fn)(void *ctx, const struct bf_event *ev);
	void *ctx;
};

/* ---- a job ---- */

enum bf_answer { BF_ANSWER_PENDING, BF_ANSWER_YES, BF_ANSWER_NO };

struct bf_job {
	enum bf_job_kind kind;
	const char *iface;                  /* NULL: probe looks at all; verify: offline */
	const char *protocol;               /* NULL: by probing */
	const char *profile;                /* NULL: the default */
	const char *const *profile_folders; /* NULL-terminated */
	int node;                           /* -1: the profile's */
	const char
		*alt; /* USB alternate setting by name or number, NULL: the profile's, or found */
	const char *const *images; /* NULL-terminated; verify takes several, flash one */
	const struct bf_claim_opts *claim_opts;
	const char *const *keys;        /* NULL-terminated: --key */
	const char *const *key_folders; /* used when no --key was given */
	const char *auth_key;           /* technician's Ed25519 private key file, NULL: none */
	const char *archive_out;  /* backup -o; NULL: named by serial and time in the data folder */
	const char *restore_from; /* rollback --from */
	const char *
		fallback; /* flash: a second signed image to go back to where nothing can be read; NULL: none */
	const char *backup_folder;  /* NULL: backup in the data folder */
	const char *data_folder;    /* backups and journals */
	const char *runtime_folder; /* locks */
	const char *record;         /* --record, NULL: none */
	const char *trace;          /* --trace, NULL: none */
	const char *expect_serial;  /* NULL: any */
	uint32_t baud;              /* pins the rate; 0: agree on the best */
	uint32_t bitrate, dbitrate;
	/* %s in archive_out and record stands for the pack's serial number. */
	bool serial_in_names;
	bf_time timeout; /* whole job, 0: none */
	bf_time wait;    /* how long to wait for a device to appear, 0: no waiting */
	bool dry_run;
	bool rescue; /* flash: catch a loader that shows up for a moment after power-on */
	bool doctor; /* probe: look at this computer instead of at a pack */
	bool scan;   /* probe: ask every address of the line, list who answers */
	bool allow[BF_ALLOW_COUNT];
	/* Shows a step by hand and waits for Enter; false: it is not to be done. NULL: nobody can be asked. */
	bool (*ask)(void *ctx, const char *sentence);
	void *ask_ctx;
	const char *tool_version;
	const char *user; /* for the record */
	const char *run;  /* ... the name of this run in it and in every event; may be NULL */
	/* Asked before the point of no return, again and again until it decides; NULL: nobody to ask. May block
	 * only when the clock is virtual. */
	enum bf_answer (*agree)(void *ctx);
	void *agree_ctx;
};

/* How a run ended, in the words of the promise. */
enum bf_state {                      /* the three states, and two for jobs that change nothing */
		BF_STATE_UNTOUCHED,  /* nothing was changed */
		BF_STATE_NEW_PROVEN, /* new firmware proven running */
		BF_STATE_OLD,        /* old firmware still, or again, running */
		BF_STATE_RECOVERY,   /* needs recovery; err.next is the command */
		BF_STATE_UNPROVEN,   /* written and checked, but the pack cannot tell what it runs:
					only with --allow no-proof */
		BF_STATE_UNKNOWN,    /* the link was lost after the first write */
};

struct bf_outcome {
	enum bf_rc rc; /* BF_OK or the code whose row gives the exit status */
	enum bf_state state;
	char sentence[640]; /* the last line */
	bool unchecked;     /* new firmware runs, and nothing but its version showed that */
	bool was_there;     /* ... and ran before */
	char record_digest
		[65];      /* of the record's line about this run, hex; empty: none was written */
	struct bf_err err; /* filled when rc != BF_OK */
};

/*
 * Runs a job to its end. The clock is the real one; a virtual transport brings its own. log may be NULL.
 * Never exits, never prints.
 */
void bf_job_run(const struct bf_job *job, struct bf_clock *clock, const struct bf_log *log,
		const struct bf_events *events, struct bf_outcome *ret);

/*
 * Checks the chain of hashes in a record file: every line names the SHA-256 of the line before it.
 * BF_E_MISMATCH with the number of the first line that does not fit. *ret_lines: lines that do.
 */
struct bf_record_chain {
	size_t lines;   /* entries that follow each other */
	size_t skipped; /* lines that are no entry */
	char head[65];  /* SHA-256 of the last entry, hex; "": none */
};
enum bf_rc bf_record_chain(const char *path, struct bf_record_chain *ret, struct bf_err *err);
enum bf_rc bf_record_check(const char *path, size_t *ret_lines, struct bf_err *err);

/* A serial number that only one pack has: told, not cut, and not a placeholder (all zeros, "0123456789"). */
bool bf_serial_identifies(const char *serial);

/* What a journal says of the run that left it. BF_E_IMAGE: it is not as it was written. */
struct bf_journal_says {
	char serial[64], image[PATH_MAX], reached[32], was[48], backup[PATH_MAX];
	int64_t wall_us;
};
enum bf_rc bf_journal_check(const char *path, struct bf_journal_says *ret, struct bf_err *err);

/* Words of the enums above, as JSON has them: "flash", "new-proven", "pass". */
const char *bf_job_name(enum bf_job_kind kind);
const char *bf_state_name(enum bf_state state);
const char *bf_verdict_name(enum bf_verdict verdict);
const char *bf_severity_name(enum bf_severity severity);
