//! What the server says that it can do (RFC 3501 §6.1.1): only what is complete, and only what can be used now.

use alloc::vec::Vec;

use super::turn::State;

/// What holds at any time.
const ALWAYS: &str = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE";

/// What holds after log-in, besides.
const LOGGED_IN: &str = " IDLE NAMESPACE CHILDREN UIDPLUS MOVE UNSELECT SPECIAL-USE CREATE-SPECIAL-USE";

/// Appends the capabilities as they are now, without their keyword.
pub(super) fn write(state: &State, out: &mut Vec<u8>) {
    out.extend_from_slice(ALWAYS.as_bytes());
    if state.account.is_some() {
        out.extend_from_slice(LOGGED_IN.as_bytes());
        return;
    }
    if !state.secure {
        out.extend_from_slice(b" STARTTLS");
    }
    if !state.takes_passwords() {
        // RFC 3501 §6.2.3
        out.extend_from_slice(b" LOGINDISABLED");
        return;
    }
    for mechanism in state.offer().mechanisms() {
        out.extend_from_slice(b" AUTH=");
        out.extend_from_slice(mechanism.name().as_bytes());
    }
}
