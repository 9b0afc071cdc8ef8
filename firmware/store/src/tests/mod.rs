//! Tests of the whole store on the simulator.

mod basics;
mod changes;
mod cuts;
mod directory;
mod failures;
mod full;
mod garbage;
mod model;
mod random_cuts;
mod rig;
mod scenarios;
mod streams;
mod world;
