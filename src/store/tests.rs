//! The store over a kv that does as it is told: what happens when answers are lost,
//! others write at the same moment, or the platform cannot do everything.

mod committing;
mod following;
mod interrupted;
mod mapping;
mod measuring;
mod overtaken;
mod platforms;
mod reading;
mod scripted;
mod striped;
mod sweeping;
mod uploading;
mod writing;
