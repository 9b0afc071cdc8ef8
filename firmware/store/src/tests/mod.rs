//! Tests of the whole store on the simulator.

mod basics;
mod rig;
