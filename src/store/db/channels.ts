/** What processes tell each other by NOTIFY. */

/** The id of a token that was revoked or removed. */
export const tokenChannel = "shipinator_tokens";

/** The id of an execution of which a callback has changed what is known. */
export const reportChannel = "shipinator_reports";
