//! Tests of the whole store on the simulator.

mod basics;
mod changes;
mod check;
mod compaction;
mod cuts;
mod deletion_bounds;
mod directory;
mod failures;
mod frames;
mod full;
mod garbage;
mod lost_pages;
mod mishaps;
mod model;
mod outbound;
mod random_cuts;
mod recount;
mod retire;
mod rig;
mod scenarios;
mod scrub;
mod short_lives;
mod streams;
mod tight;
mod undelete;
mod world;
