//! What the administrator can have done with letters that wait. An order is a change of flags like any other: a box that
//! serves sees it at once, one that is switched off at its next start.

use mail::{Flags, Mail, OUTBOUND, Outbound, Stop, Ticket, UidSet};

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nobody tries them until they are released.
    Hold,
    /// They go on where they were when they were held.
    Release,
    /// They are tried now, held or not.
    Retry,
    /// They are tried no more: their senders are told so.
    Cancel,
}

impl Order {
    /// What is added to the flags, and what is taken from them.
    fn change(self) -> (Flags, Flags) {
        let flags = |outbound: Outbound| outbound.to_flags();
        let held = flags(Outbound { held: true, ..Outbound::default() });
        match self {
            Self::Hold => (held, Flags::NONE),
            Self::Release => (Flags::NONE, held),
            Self::Retry => {
                let due = flags(Outbound { due_s: u32::MAX, ..Outbound::default() });
                (flags(Outbound { forced: true, ..Outbound::default() }), held.with(due))
            }
            Self::Cancel => (flags(Outbound { cancelled: true, ..Outbound::default() }), Flags::NONE),
        }
    }

    /// Gives the order for these messages of the queue.
    ///
    /// # Errors
    /// Those of every change.
    pub(crate) fn give(self, mail: &mut dyn Mail, uids: &UidSet) -> Result<Ticket, Stop> {
        let (add, remove) = self.change();
        mail.set_flags(OUTBOUND, uids, add, remove)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_changes_what_it_is_about_and_nothing_else() {
        let before = Outbound {
            recipient: 7,
            told: [true, false],
            attempts: 3,
            words: 9,
            due_s: 5_000,
            ..Outbound::default()
        };
        let after = |order: Order, outbound: Outbound| {
            let (add, remove) = order.change();
            Outbound::from_flags(outbound.to_flags().without(remove).with(add))
        };
        let held = after(Order::Hold, before);
        assert_eq!(held, Outbound { held: true, ..before });
        assert_eq!(after(Order::Release, held), before);
        assert_eq!(after(Order::Retry, held), Outbound { forced: true, due_s: 0, ..before });
        assert_eq!(after(Order::Cancel, held), Outbound { cancelled: true, ..held });
    }
}
