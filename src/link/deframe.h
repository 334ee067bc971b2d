/* SPDX-License-Identifier: MIT */
/* What a deframer of a byte stream says. */
#pragma once

enum bf_deframed {
	BF_DEFRAME_MORE,    /* nothing yet */
	BF_DEFRAME_MESSAGE, /* a whole message for us */
	BF_DEFRAME_FOREIGN, /* well-formed, for or from somebody else */
	BF_DEFRAME_DAMAGED, /* checksum or form wrong: dropped */
};
