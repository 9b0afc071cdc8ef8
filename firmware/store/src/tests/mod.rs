//! Tests of the whole store on the simulator.

mod basics;
mod cuts;
mod rig;
mod scenarios;
mod world;
