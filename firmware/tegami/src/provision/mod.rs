//! The provision file: what a person writes to set the box up, and what it does to the box.
//!
//! In steps that own nothing: [`read`] turns the text into what is wanted or one sentence about what is wrong,
//! [`plan`] compares that with the box and gives the changes, [`carry_out`] makes them through [`Keeper`] and hashes
//! passwords afterwards. Nothing here touches a file, a socket or the store itself.

mod card;
mod carry;
mod changes;
mod document;
mod duplicates;
mod limits;
mod plan;
mod problem;
mod read;
mod settings;
mod values;
mod wanted;

pub(crate) use carry::{carry_out, forget_administrator, hashed_text, set_passwords};
#[cfg(test)]
pub(crate) use changes::fake;
pub(crate) use changes::{Change, Keeper, Records};
pub(crate) use limits::SCRUB_DAYS_DEFAULT;
pub(crate) use plan::{Note, PasswordTask, plan};
pub(crate) use problem::FileError;
pub(crate) use read::read;
pub(crate) use settings::{Settings, key, read_device, relay, routes, timezone};
pub(crate) use values::{domain_name, parse_size};
pub(crate) use wanted::{AliasName, NextHop, Tls};
