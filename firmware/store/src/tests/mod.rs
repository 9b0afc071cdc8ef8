//! Tests of the whole store on the simulator.

mod basics;
mod changes;
mod check;
mod compaction;
mod cuts;
mod directory;
mod failures;
mod frames;
mod full;
mod garbage;
mod model;
mod random_cuts;
mod recount;
mod rig;
mod scenarios;
mod streams;
mod undelete;
mod world;
